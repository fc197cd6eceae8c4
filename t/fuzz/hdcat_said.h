/* SPDX-License-Identifier: MIT */
/* t/fuzz/hdcat_said.h - what hdcat's sender says on a stream, held against what
 * there is to be sent and what the other end has wanted. Item i is called by
 * the letter 'a' + i; a file is full of its letter. For one program of one
 * file. */
#pragma once
#include "tools/hdcat/sum.h"
#include <hyper-derp/base.h>
#include <string.h>

enum { FILES = 4, ITEMS = FILES + 2, IN_BYTES = 1 << 17 };
static const size_t sizes[FILES] = { 0, 5, 70000, 131072 };

static unsigned offers[ITEMS]; /* which item */
static uint32_t n_offers;
static uint64_t offered[ITEMS]; /* size of that item */
static bool wanted[ITEMS]; /* by number */
static uint8_t told[IN_BYTES]; /* what it has read and we have not looked at */
static size_t told_n;
static bool told_line;
static uint8_t out[RECORD_HEAD_BYTES + RECORD_BODY_BYTES];
static size_t out_n;
static bool out_line; /* the first one has been */
static bool goes, said_bye;
static unsigned going; /* GO: that file, */
static uint64_t going_at; /* up to there; known with the first byte */
static bool going_known;

/* said_nothing - a stream begins. */
static void said_nothing(void)
{
	out_n = n_offers = told_n = 0;
	goes = said_bye = told_line = out_line = false;
	memset(wanted, 0, sizeof(wanted));
}

static void hash_of(unsigned file, uint64_t n, uint8_t ret[HASH_BYTES])
{
	struct sum *s = sum_new();
	char v[4096];

	hd_assert(s != NULL);
	memset(v, 'a' + (int)file, sizeof(v));
	for (uint64_t at = 0; at < n; at += HD_MIN(n - at, sizeof(v)))
		sum_add(s, v, HD_MIN(n - at, sizeof(v)));
	sum_get(s, ret);
	sum_free(&s);
}

static void look_at_offer(const struct record *r)
{
	static char name[NAME_BYTES + 1];
	struct offer o;

	hd_assert(offer_parse(r, name, &o) == 0 && strlen(name) == 1);
	hd_assert(n_offers < ITEMS);
	offers[n_offers] = (unsigned)(*name - 'a');
	hd_assert(o.is_dir == (offers[n_offers] >= FILES));
	offered[offers[n_offers++]] = o.size;
}

static bool is_wanted(unsigned file)
{
	for (uint32_t i = 0; i < n_offers; i++)
		if (wanted[i] && offers[i] == file)
			return true;
	return false;
}

/* A GO does not say of which file: its first byte does. */
static void look_at_data(const struct record *r)
{
	hd_assert(goes);
	if (!going_known)
		going = (unsigned)(r->body[0] - 'a');
	going_known = true;
	hd_assert(going < FILES && is_wanted(going));
	for (size_t i = 0; i < r->n; i++)
		hd_assert(r->body[i] == 'a' + going);
	going_at += r->n;
	hd_assert(going_at <= offered[going]);
}

static void look_at_end(const struct record *r)
{
	uint8_t hash[HASH_BYTES];

	hd_assert(goes);
	goes = false;
	if (!going_known)
		return;
	hd_assert(going_at == offered[going]);
	hash_of(going, going_at, hash);
	hd_assert(memcmp(hash, r->body, sizeof(hash)) == 0);
}

static void look(const struct record *r)
{
	hd_assert(!said_bye);
	switch (r->type) {
	case RECORD_OFFER:
		look_at_offer(r);
		return;
	case RECORD_GO:
		hd_assert(!goes);
		goes = true;
		going_known = false;
		going_at = 0;
		for (size_t i = 0; i < r->n; i++)
			going_at = going_at << 8 | r->body[i];
		return;
	case RECORD_DATA:
		look_at_data(r);
		return;
	case RECORD_END:
		look_at_end(r);
		return;
	case RECORD_SKIP:
		hd_assert(!goes);
		return;
	case RECORD_DROP:
		goes = false;
		return;
	default:
		hd_assert(r->type == RECORD_BYE);
		said_bye = true;
	}
}

/* said - the next bytes. Returns how many it took. */
static size_t said(const void *data, size_t n)
{
	struct record r;
	ssize_t had;

	n = HD_MIN(n, sizeof(out) - out_n);
	if (!out_line) {
		out_line = true;
		hd_assert(n == sizeof("hdcat/1 send") &&
			  memcmp(data, "hdcat/1 send\n", n) == 0);
		return n;
	}
	memcpy(out + out_n, data, n);
	out_n += n;
	while ((had = record_parse(out, out_n, &r)) > 0) {
		look(&r);
		out_n -= (size_t)had;
		memmove(out, out + had, out_n);
	}
	hd_assert(had == 0);
	return n;
}

/* listen_to - what it has read. */
static void listen_to(const void *p, size_t n)
{
	struct record r;
	ssize_t had = 0;

	n = HD_MIN(n, sizeof(told) - told_n);
	memcpy(told + told_n, p, n);
	told_n += n;
	if (!told_line) {
		const uint8_t *end = memchr(told, '\n', told_n);

		if (end == NULL)
			return;
		told_line = true;
		had = end + 1 - told;
	}
	for (; had >= 0; had = record_parse(told, told_n, &r)) {
		told_n -= (size_t)had;
		memmove(told, told + had, told_n);
		if (record_parse(told, told_n, &r) <= 0)
			return;
		if (r.type == RECORD_WANT && record_number(&r) < ITEMS)
			wanted[record_number(&r)] = true;
	}
}
