/* SPDX-License-Identifier: MIT */
/* core/relay/tenant.c - numbers for the names of tenants. Any thread. */
#include "core/relay/tenant.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "core/base/clock.h"

enum {
	REST_MS = 10000, /* no turn of a worker takes as long */
	PLACES = 1024, /* of names, by their marks */
};

static struct {
	char name[HD_TENANT_BYTES];
	uint32_t holders, mark; /* mark: of the name, to find it quickly */
	uint16_t next; /* of the same place; 0: none */
	uint64_t left_ms; /* when the last holder let go */
} tenants[HD_TENANTS_MAX + 1]; /* 0 is "" */
static uint16_t n_tenants = 1; /* numbers that were given once */
static uint16_t places[PLACES]; /* the first that has its name there */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool hd_tenant_is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && n < HD_TENANT_BYTES && text[n] == '\0';
}

/* FNV-1a. Names that share a mark cost a comparison, no more. */
static uint32_t mark_of(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name != '\0')
		h = (h ^ (uint8_t)*name++) * 16777619u;
	return h;
}

/* 0: it has no number. */
static uint16_t find(const char *name, uint32_t mark)
{
	uint16_t i = places[mark % PLACES];

	while (i != 0 && (tenants[i].mark != mark ||
			  strcmp(tenants[i].name, name) != 0))
		i = tenants[i].next;
	return i;
}

static void take_name(uint16_t i)
{
	uint16_t *at = &places[tenants[i].mark % PLACES];

	while (*at != i)
		at = &tenants[*at].next;
	*at = tenants[i].next;
}

static void give_name(uint16_t i, const char *name, uint32_t mark)
{
	uint16_t *place = &places[mark % PLACES];

	if (tenants[i].name[0] != '\0')
		take_name(i);
	snprintf(tenants[i].name, sizeof(tenants[i].name), "%s", name);
	tenants[i].mark = mark;
	tenants[i].next = *place;
	*place = i;
}

static bool has_rested(uint16_t i, uint64_t now_ms)
{
	return tenants[i].holders == 0 &&
	       now_ms - tenants[i].left_ms >= REST_MS;
}

/* One that was never given, else the one that has rested longest.
 * @keep  so many have to be left
 * 0: none. */
static uint16_t find_free(uint64_t now_ms, unsigned keep)
{
	unsigned n = HD_TENANTS_MAX + 1 - n_tenants;
	uint16_t best = 0;

	if (n > keep)
		return n_tenants++;
	for (uint16_t i = 1; i < n_tenants; i++) {
		if (!has_rested(i, now_ms))
			continue;
		n++;
		if (best == 0 || tenants[i].left_ms < tenants[best].left_ms)
			best = i;
	}
	return n > keep ? best : 0;
}

static int hold(const char *name, unsigned keep, uint16_t *ret_tenant)
{
	uint32_t mark = mark_of(name);
	uint16_t i;

	*ret_tenant = 0;
	if (!hd_tenant_is_name(name))
		return -EINVAL;
	pthread_mutex_lock(&lock);
	i = find(name, mark);
	if (i == 0 && (i = find_free(hd_clock_ms(), keep)) != 0)
		give_name(i, name, mark);
	tenants[i].holders += i != 0;
	pthread_mutex_unlock(&lock);
	*ret_tenant = i;
	return i != 0 ? 0 : -ENOSPC;
}

int hd_tenant_hold(const char *name, uint16_t *ret_tenant)
{
	return hold(name, 0, ret_tenant);
}

int hd_tenant_hold_far(const char *name, uint16_t *ret_tenant)
{
	return hold(name, HD_TENANTS_KEPT, ret_tenant);
}

int hd_tenant_hold_known(const char *name, uint16_t *ret_tenant)
{
	uint32_t mark = mark_of(name);
	uint16_t i;

	pthread_mutex_lock(&lock);
	i = find(name, mark);
	tenants[i].holders += i != 0;
	pthread_mutex_unlock(&lock);
	*ret_tenant = i;
	return i != 0 ? 0 : -ENOENT;
}

void hd_tenant_hold_again(uint16_t tenant)
{
	if (tenant == 0)
		return;
	pthread_mutex_lock(&lock);
	tenants[tenant].holders++;
	pthread_mutex_unlock(&lock);
}

void hd_tenant_drop(uint16_t tenant)
{
	if (tenant == 0)
		return;
	pthread_mutex_lock(&lock);
	hd_assert(tenants[tenant].holders > 0);
	if (--tenants[tenant].holders == 0)
		tenants[tenant].left_ms = hd_clock_ms();
	pthread_mutex_unlock(&lock);
}

bool hd_tenant_is_used(const char *name)
{
	uint32_t mark = mark_of(name);
	bool used;

	pthread_mutex_lock(&lock);
	used = tenants[find(name, mark)].holders > 0; /* 0 has none */
	pthread_mutex_unlock(&lock);
	return used;
}

const char *hd_tenant_name(uint16_t tenant)
{
	return tenants[tenant].name;
}

struct hd_tenant hd_tenant_of(uint16_t realm)
{
	struct hd_tenant ret;

	pthread_mutex_lock(&lock);
	memcpy(ret.s, tenants[hd_realm_tenant(realm)].name, sizeof(ret.s));
	pthread_mutex_unlock(&lock);
	return ret;
}
