/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/relays.c - where a key is, and whether that relay lives.
 * Its lease is asked for when a key leads there first; from then on the server
 * sends each new one. How old one is, our clock says. While our own connection
 * is away nobody's lease ends: it might have been renewed. Context: the
 * thread. */
#include "modules/mesh_nats/mesh_nats.h"
#include <hyper-derp/log.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RELAYS_MAX = 4096, PROTO = 1 };

/* ---- where is a key? ---- */

void dir_ask(const struct dir_of *of)
{
	char subject[DIR_SUBJECT_BYTES];
	const struct dir_send what = { .kind = DIR_R_ASK,
				       .of = of,
				       .subject = subject };

	dir_subject(dir.keys, of, true, subject);
	if (!dir_is_up() || dir_send(&what) < 0)
		dir_lookup_answer(of, DIR_SILENT, NULL);
}

static bool is_trusted(const struct dir_relay *r, const char *instance)
{
	return r->until_ms != 0 && strcmp(r->instance, instance) == 0;
}

static void ask_lease(struct dir_relay *r)
{
	char token[DIR_NAME_BYTES], subject[2 * DIR_SUBJECT_BYTES];
	const struct dir_send what = { .kind = DIR_R_LEASE,
				       .relay = r->name,
				       .subject = subject };

	dir_name_token(r->name, token);
	snprintf(subject, sizeof(subject),
		 "$JS.API.DIRECT.GET.KV_%s.$KV.%s.%s", dir.leases, dir.leases,
		 token);
	r->asked = dir_send(&what) == 0;
}

static void answer_wait(const struct dir_relay *r, const struct dir_wait *wait,
			enum dir_says says)
{
	static const enum dir_lives lives[] = { [DIR_SILENT] = DIR_CANNOT_TELL,
						[DIR_NOBODY] = DIR_DEAD,
						[DIR_AT] = DIR_LIVES };

	if (wait->here)
		dir_here_lives(&wait->of, lives[says]);
	else
		dir_lookup_answer(&wait->of, says, r);
}

/* @else_says  of keys whose relay has no lease */
static void answer_waits(struct dir_relay *r, enum dir_says else_says)
{
	struct dir_wait *wait;

	while ((wait = r->waits) != NULL) {
		r->waits = wait->next;
		answer_wait(r, wait,
			    is_trusted(r, wait->instance) ? DIR_AT : else_says);
		hd_realm_drop(wait->of.realm);
		free(wait);
	}
}

static void wait_for_lease(struct dir_relay *r, const struct dir_of *of,
			   const char *instance, bool here)
{
	struct dir_wait *wait = calloc(1, sizeof(*wait));
	const struct dir_wait none = { .of = *of, .here = here };

	if (wait == NULL) {
		answer_wait(r, &none, DIR_SILENT);
		return;
	}
	wait->of = *of;
	dir_hold(of->realm);
	wait->here = here;
	snprintf(wait->instance, sizeof(wait->instance), "%s", instance);
	wait->next = r->waits;
	r->waits = wait;
	if (!r->asked)
		ask_lease(r);
	if (!r->asked)
		answer_waits(r, DIR_SILENT);
}

static void on_msg(natsConnection *nc, natsSubscription *sub, natsMsg *msg,
		   void *unused)
{
	(void)nc, (void)sub, (void)unused;
	dir_op_put(DIR_MSG, NULL, msg);
}

static void relay_free(struct dir_relay *r)
{
	HASH_DEL(dir.relays, r);
	r->until_ms = 0;
	answer_waits(r, DIR_SILENT);
	natsSubscription_Destroy(r->sub);
	free(r);
	dir.n_relays = HASH_COUNT(dir.relays);
}

/* Relays come and go, with new names each time. */
static bool forget_dead(void)
{
	struct dir_relay *r = dir.relays;

	while (r != NULL && (r->until_ms != 0 || r->waits != NULL))
		r = r->hh.next;
	if (r != NULL)
		relay_free(r);
	return r != NULL;
}

static struct dir_relay *relay_new(const char *name)
{
	char token[DIR_NAME_BYTES], subject[DIR_SUBJECT_BYTES];
	struct dir_relay *r;

	if (HASH_COUNT(dir.relays) >= RELAYS_MAX && !forget_dead())
		return NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	snprintf(r->name, sizeof(r->name), "%s", name);
	dir_name_token(name, token);
	snprintf(subject, sizeof(subject), "$KV.%s.%s", dir.leases, token);
	if (natsConnection_Subscribe(&r->sub, dir.nc, subject, on_msg, NULL) !=
	    NATS_OK) {
		free(r);
		return NULL;
	}
	HASH_ADD(hh, dir.relays, name[0], strlen(r->name), r);
	dir.n_relays = HASH_COUNT(dir.relays);
	return r;
}

static struct dir_relay *find(const char *name)
{
	struct dir_relay *r = NULL;

	HASH_FIND(hh, dir.relays, name, strlen(name), r);
	return r;
}

/* Returns NULL: nobody who may be dialled. */
static struct dir_relay *relay_for(const char *name)
{
	char token[DIR_NAME_BYTES];
	struct dir_relay *r;

	if (!dir_name_token(name, token) || strcmp(name, dir.conf->name) == 0)
		return NULL;
	if (!dir_name_allowed(dir.conf, name)) {
		dir_error("the directory names the relay %s, which is not one "
			  "of mesh_nats.relays: it is not dialled",
			  name);
		return NULL;
	}
	r = find(name);
	return r != NULL ? r : relay_new(name);
}

/* "relay instance" */
static bool parse(const char *text, char relay[DIR_NAME_BYTES],
		  char instance[DIR_INSTANCE_BYTES])
{
	return sscanf(text, "%255s %16s", relay, instance) == 2;
}

void dir_asked(const struct dir_request *q, const struct dir_answer *a)
{
	char name[DIR_NAME_BYTES], instance[DIR_INSTANCE_BYTES];
	struct dir_relay *r = NULL;

	if (!dir_answer_says(a)) {
		dir_lookup_answer(&q->of, DIR_SILENT, NULL);
		return;
	}
	if (a->status[0] == '\0' && !a->deleted &&
	    parse(a->text, name, instance))
		r = relay_for(name);
	if (r == NULL)
		dir_lookup_answer(&q->of, DIR_NOBODY, NULL);
	else if (is_trusted(r, instance))
		dir_lookup_answer(&q->of, DIR_AT, r);
	else
		wait_for_lease(r, &q->of, instance, false);
}

enum dir_lives dir_relay_lives(const char *name, const char *instance,
			       const struct dir_of *of)
{
	struct dir_relay *r;

	if (!dir_name_allowed(dir.conf, name))
		return DIR_DEAD;
	r = relay_for(name);
	if (r == NULL)
		return DIR_CANNOT_TELL;
	if (is_trusted(r, instance))
		return DIR_LIVES;
	wait_for_lease(r, of, instance, true);
	return DIR_ASKED;
}

/* ---- leases ---- */

static const char *text_of(json_t *o, const char *name)
{
	const char *v = json_string_value(json_object_get(o, name));

	return v != NULL ? v : "";
}

static void take_lease(struct dir_relay *r, const struct dir_answer *a,
		       uint64_t for_ms)
{
	json_t *o = json_loads(a->text, 0, NULL);
	bool good = !a->deleted && strcmp(text_of(o, "name"), r->name) == 0 &&
		    json_integer_value(json_object_get(o, "proto")) == PROTO &&
		    dir_dial_good(text_of(o, "dial"));

	r->until_ms = good ? dir_now_ms() + for_ms : 0;
	if (good) {
		snprintf(r->instance, sizeof(r->instance), "%s",
			 text_of(o, "instance"));
		snprintf(r->dial, sizeof(r->dial), "%s", text_of(o, "dial"));
	}
	json_decref(o);
}

void dir_lease_asked(const struct dir_request *q, const struct dir_answer *a)
{
	struct dir_relay *r = find(q->relay);

	if (r == NULL)
		return;
	r->asked = false;
	if (a->msg != NULL && a->status[0] == '\0')
		take_lease(r, a, DIR_FIRST_MS);
	else if (strcmp(a->status, "404") == 0)
		r->until_ms = 0;
	answer_waits(r, dir_answer_says(a) ? DIR_NOBODY : DIR_SILENT);
}

void dir_lease_msg(const char *token, const struct dir_answer *a)
{
	struct dir_relay *r, *next;
	char own[DIR_NAME_BYTES];

	HASH_ITER (hh, dir.relays, r, next) {
		dir_name_token(r->name, own);
		if (strcmp(own, token) == 0)
			take_lease(r, a, DIR_TTL_MS);
	}
}

void dir_relays_back(uint64_t now_ms)
{
	for (struct dir_relay *r = dir.relays; r != NULL; r = r->hh.next)
		if (r->until_ms != 0)
			r->until_ms = now_ms + DIR_TTL_MS;
}

void dir_relays_late(uint64_t now_ms)
{
	for (struct dir_relay *r = dir.relays; r != NULL; r = r->hh.next) {
		if (r->until_ms == 0 || now_ms < r->until_ms)
			continue;
		r->until_ms = 0;
		hd_log_notice("mesh_nats: the lease of a relay has ended: "
			      "relay=%s",
			      r->name);
	}
}

void dir_relays_free(void)
{
	while (dir.relays != NULL)
		relay_free(dir.relays);
}

/* ---- our own ---- */

static void send_own(const char *data, const char *op)
{
	char subject[DIR_SUBJECT_BYTES];
	const struct dir_send what = { .kind = DIR_R_OWN,
				       .subject = subject,
				       .data = data,
				       .op = op };

	snprintf(subject, sizeof(subject), "$KV.%s.%s", dir.leases, dir.token);
	dir_send(&what);
}

void dir_lease_put(void)
{
	const char *dial = dir.conf->dial != NULL ? dir.conf->dial : "";
	json_t *o = json_pack("{s:s, s:s, s:s, s:i}", "name", dir.conf->name,
			      "dial", dial, "instance", dir.instance, "proto",
			      PROTO);
	char *text = json_dumps(o, JSON_COMPACT);

	if (text != NULL)
		send_own(text, NULL);
	free(text);
	json_decref(o);
}

void dir_lease_own(const struct dir_answer *a)
{
	char why[128];

	if (dir_revision(a, why) != 0)
		dir.lease_ms = dir_now_ms();
	else
		dir_error("the lease is not taken: %s", why);
}

void dir_lease_end(void)
{
	send_own(NULL, "DEL");
}
