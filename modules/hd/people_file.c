/* SPDX-License-Identifier: MIT */
/* modules/hd/people_file.c - state_dir/hd.people, a line for each:
 *
 *	allow|deny ADDRESS SINCE RATE CONNECTIONS TENANT NAME
 *	invite     ID      UNTIL RATE CONNECTIONS TENANT NAME
 *
 * Times are seconds since 1970, a tenant - is none. Nothing in it is secret: an
 * invitation's follows from its id and the relay's key. */
#include <errno.h>
#include <hyper-derp/state_file.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/hd/people.h"

#define FILE_NAME "hd.people"
#define FILE_MAX_BYTES ((size_t)16 << 20)

/* ---- read ---- */

struct line {
	char kind[8], hex[2 * HD_KEY_BYTES + 1];
	int64_t time_s;
	struct hdp_grant grant;
};

static bool line_parse(const char *text, struct line *ret)
{
	struct hdp_grant *g = &ret->grant;
	int n = 0;

	if (sscanf(text, "%7s %64s %" SCNd64 " %" SCNu64 " %" SCNu32 " %63s%n",
		   ret->kind, ret->hex, &ret->time_s, &g->bytes_per_s,
		   &g->connections, g->tenant, &n) != 6)
		return false;
	text += n;
	snprintf(g->name, sizeof(g->name), "%s", *text == ' ' ? text + 1 : "");
	if (strcmp(g->tenant, "-") == 0)
		g->tenant[0] = '\0';
	return g->tenant[0] == '\0' || hd_tenant_is_name(g->tenant);
}

static bool hex_parse(const char *text, uint8_t *ret, size_t n)
{
	size_t got;

	return strlen(text) == 2 * n &&
	       sodium_hex2bin(ret, n, text, 2 * n, NULL, &got, NULL) == 0 &&
	       got == n;
}

static int take_invite(struct hdp_people *p, const struct line *l)
{
	struct hdp_invite invite = { .expires_s = l->time_s,
				     .grant = l->grant };

	if (!hex_parse(l->hex, invite.id, sizeof(invite.id)))
		return -EINVAL;
	return hdp_invite_add(p, &invite);
}

static int take_person(struct hdp_people *p, const struct line *l, bool denied)
{
	struct hdp_person person = { .denied = denied,
				     .since_s = l->time_s,
				     .grant = l->grant };

	if (!hex_parse(l->hex, person.address.b, sizeof(person.address)))
		return -EINVAL;
	return hdp_person_set(p, &person);
}

static int take_line(struct hdp_people *p, const char *text)
{
	struct line l;

	if (!line_parse(text, &l))
		return -EINVAL;
	if (strcmp(l.kind, "invite") == 0)
		return take_invite(p, &l);
	if (strcmp(l.kind, "allow") == 0 || strcmp(l.kind, "deny") == 0)
		return take_person(p, &l, l.kind[0] == 'd');
	return -EINVAL;
}

static int take_text(struct hdp_people *p, char *text, struct hd_error *err)
{
	char *save = NULL, path[256];
	unsigned nr = 0;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &save); r == 0 && line != NULL;
	     line = strtok_r(NULL, "\n", &save), nr++)
		r = take_line(p, line);
	if (r == 0)
		return 0;
	hd_state_file_path(FILE_NAME, path, sizeof(path));
	return hd_error_set(err, r,
			    "%s: line %u is not an entry: remove the line, or "
			    "restore the file from a copy",
			    path, nr);
}

int hdp_people_load(struct hd_error *err)
{
	char *text = malloc(FILE_MAX_BYTES + 1);
	int n = text == NULL ? hd_error_set(err, -ENOMEM, "out of memory")
			     : hd_state_file_read(FILE_NAME, text,
						  FILE_MAX_BYTES, err);
	int r = n == -ENOENT ? 0 : HD_MIN(n, 0);

	/* not those of the code before a reload: connections have them */
	randombytes_buf(&hdp_people()->last_number, sizeof(uint64_t));
	hdp_people_unlock();
	if (n > 0) {
		text[n] = '\0';
		r = take_text(hdp_people(), text, err);
		hdp_people_unlock();
	}
	free(text);
	return r;
}

/* ---- written ---- */

static void put_line(FILE *f, const char *kind, const uint8_t *id, size_t n,
		     int64_t time_s, const struct hdp_grant *g)
{
	char hex[2 * HD_KEY_BYTES + 1];

	sodium_bin2hex(hex, sizeof(hex), id, n);
	fprintf(f, "%s %s %" PRId64 " %" PRIu64 " %" PRIu32 " %s %s\n", kind,
		hex, time_s, g->bytes_per_s, g->connections,
		g->tenant[0] != '\0' ? g->tenant : "-", g->name);
}

static void put_all(FILE *f)
{
	const struct hdp_people *p = hdp_people();
	int64_t now_s = time(NULL);

	for (size_t i = 0; i < p->n_persons; i++) {
		const struct hdp_person *x = &p->person[i];

		put_line(f, x->denied ? "deny" : "allow", x->address.b,
			 sizeof(x->address), x->since_s, &x->grant);
	}
	for (size_t i = 0; i < p->n_invites; i++) {
		const struct hdp_invite *x = &p->invite[i];

		if (x->expires_s > now_s)
			put_line(f, "invite", x->id, sizeof(x->id),
				 x->expires_s, &x->grant);
	}
	hdp_people_unlock();
}

static int write_all(struct hd_error *err)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int r;

	if (f == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	put_all(f);
	r = fclose(f) != 0 ? hd_error_set(err, -ENOMEM, "out of memory") : 0;
	if (r == 0)
		r = n > FILE_MAX_BYTES
			    ? hd_error_set(
				      err, -EFBIG,
				      "more people than fit into " FILE_NAME
				      ": give out credentials instead")
			    : hd_state_file_update(FILE_NAME, text, n, err);
	free(text);
	return r;
}

static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

int hdp_people_settled(struct hd_error *err)
{
	struct timespec until;
	int r;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	r = pthread_mutex_timedlock(&writing, &until);
	if (r != 0)
		return hd_error_set(err, -EBUSY,
				    FILE_NAME " is being written: try again");
	pthread_mutex_unlock(&writing);
	return 0;
}

/* One after the other: what is written last is the newest. */
int hdp_people_save(struct hd_error *err)
{
	int r;

	pthread_mutex_lock(&writing);
	r = write_all(err);
	pthread_mutex_unlock(&writing);
	return r;
}
