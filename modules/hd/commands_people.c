/* SPDX-License-Identifier: MIT */
/* modules/hd/commands_people.c - who waits, who is let in, who is put out. The
 * verdict is live: who waits gets it at once. Main thread. */
#include <hyper-derp/about.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/hd/bech32.h"
#include "modules/hd/commands.h"

enum { LOGINS_AT_ONCE = 4096, BEARERS_AT_ONCE = 256 };

bool hdp_call_save(struct hd_call *call)
{
	struct hd_error err;
	int r = hdp_people_save(&err);

	if (r < 0)
		hd_call_error(call,
			      "it holds until the relay ends, because it "
			      "cannot be saved: %s",
			      err.text);
	return r == 0;
}

void hdp_out_grant(struct hd_call *call, const struct hdp_grant *g)
{
	hd_out_string(call, "name", g->name[0] != '\0' ? g->name : NULL);
	hd_out_string(call, "tenant", g->tenant[0] != '\0' ? g->tenant : NULL);
	hd_out_uint(call, "rate", g->bytes_per_s);
	hd_out_uint(call, "connections", g->connections);
}

/* An identity, or an address as peers and pending show them. */
static bool who_of(struct hd_call *call, struct hd_key *ret)
{
	const char *text = hd_call_arg(call, "who");
	uint8_t identity[HD_KEY_BYTES];
	size_t n;

	if (hdp_identity_parse(text, identity) &&
	    crypto_sign_ed25519_pk_to_curve25519(ret->b, identity) == 0)
		return true;
	if (strlen(text) == 2 * sizeof(*ret) &&
	    sodium_hex2bin(ret->b, sizeof(*ret), text, strlen(text), NULL, &n,
			   NULL) == 0 &&
	    n == sizeof(*ret))
		return true;
	hd_call_refuse(call, "bad_argument",
		       "%s is neither an identity (hd1 and 58 characters) nor "
		       "an address (64 hexadecimal digits)",
		       text);
	return false;
}

/* ---- who waits ---- */

static void put_waiting(struct hd_call *call, const struct hdp_waiting *w)
{
	char text[HDP_IDENTITY_TEXT_BYTES], from[HD_ADDR_TEXT_BYTES];

	hdp_bech32_text(HDP_IDENTITY_PART, w->identity, sizeof(w->identity),
			text, sizeof(text));
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "identity", text);
	hd_out_key(call, "address", &w->address);
	hd_out_string(call, "agent", w->agent);
	hd_out_string(call, "from", hd_addr_text(&w->from, from));
	hdp_out_time(call, "since", w->since_s);
	hd_out_bool(call, "connected", w->ticket != NULL);
	hd_out_close(call);
}

static void run_pending(struct hd_module *mod, struct hd_call *call)
{
	const struct hdp_people *p = hdp_people();

	(void)mod;
	hd_out_open(call, NULL, '[');
	for (size_t i = 0; i < p->n_waiting; i++)
		put_waiting(call, &p->waiting[i]);
	hd_out_close(call);
	hdp_people_unlock();
}

/* ---- verdicts ---- */

/* On disk first, then to who waits. */
static bool enter(struct hd_call *call, const struct hdp_person *person)
{
	int r = hdp_person_set(hdp_people(), person);

	hdp_people_unlock();
	if (r < 0)
		hd_call_error(call, "out of memory");
	return r == 0 && hdp_call_save(call);
}

static void settle(struct hd_call *call, const struct hd_key *address,
		   enum hd_verdict verdict, const struct hdp_grant *grant,
		   const char *reason)
{
	unsigned n = hdp_waiting_settle(hdp_people(), address, verdict, grant,
					reason);

	hdp_people_unlock();
	hd_out_open(call, NULL, '{');
	hd_out_key(call, "address", address);
	hd_out_uint(call, "waited", n);
	hd_out_close(call);
}

static void run_approve(struct hd_module *mod, struct hd_call *call)
{
	struct hdp_person person = { .since_s = time(NULL) };

	(void)mod;
	if (who_of(call, &person.address) &&
	    hdp_call_grant(call, &person.grant) && enter(call, &person))
		settle(call, &person.address, HD_VERDICT_PASS, &person.grant,
		       NULL);
}

static void put_out(void *worker, const struct hd_about_peer *p)
{
	if (strcmp(p->proto, hdp_proto.name) == 0 ||
	    (hdp_is_shared(p->realm) && !p->mesh))
		hd_relay_put_out(worker, p->conn,
				 "the operator has refused this key");
}

struct leaving { /* who has passed here, and waits for another module */
	struct hd_worker *w;
	const struct hd_key *key;
};

static void put_out_login(void *arg, const struct hd_about_peer *p)
{
	const struct leaving *l = arg;

	if (memcmp(p->key, l->key, sizeof(*p->key)) == 0)
		put_out(l->w, p);
}

static void put_out_here(struct hd_module *mod, struct hd_worker *w, void *key)
{
	struct leaving l = { w, key };
	uint64_t at = 0;

	(void)mod;
	hd_about_key(w, key, put_out, w);
	while (hd_about_logins(w, &at, LOGINS_AT_ONCE, put_out_login, &l))
		;
	free(key);
}

/* ---- who has shown a credential ---- */

struct bearers {
	struct hd_worker *w;
	uint64_t at, subject;
};

static void put_out_bearer(void *arg, const struct hd_about_peer *p)
{
	const struct bearers *b = arg;
	const struct hdp_state *d;

	if (strcmp(p->proto, hdp_proto.name) != 0)
		return;
	d = hd_stream_state(hd_peer_stream(p->peer));
	if (b->subject == d->credential ||
	    b->subject == hdp_claim_subject(d->claim))
		hd_relay_put_out(b->w, p->conn,
				 "the operator has refused this credential");
}

/* Some in each turn, so that packets do not wait. */
static void put_out_bearers_here(struct hd_module *mod, struct hd_worker *w,
				 void *arg)
{
	struct bearers *b = arg;
	uint64_t logins = b->at;
	bool more;

	b->w = w;
	hd_about_logins(w, &logins, BEARERS_AT_ONCE, put_out_bearer, b);
	more = hd_about_peers(w, &b->at, BEARERS_AT_ONCE, put_out_bearer, b);
	if (more)
		hd_post(mod, w, put_out_bearers_here, b, free);
	else
		free(b);
}

static void put_out_bearers(struct hd_module *mod, const struct hd_key *subject)
{
	for (unsigned i = 0; i < hd_workers(); i++) {
		struct bearers *b = calloc(1, sizeof(*b));

		if (b == NULL)
			return;
		b->subject = hdp_subject_of(subject);
		hd_post(mod, hd_worker_at(i), put_out_bearers_here, b, free);
	}
}

static void put_out_of(struct hd_module *mod, uint16_t realm,
		       const struct hd_key *address)
{
	struct hd_key *key = malloc(sizeof(*key));

	if (key == NULL)
		return;
	*key = *address;
	hd_post(mod, hd_relay_home(realm, address), put_out_here, key, free);
}

/* Also those from before the bridge was there, or was taken away. */
static void put_out_all(struct hd_module *mod, const struct hd_key *address)
{
	put_out_of(mod, hd_realm(""), address);
	put_out_of(mod, hd_realm(HDP_REALM), address);
}

static void run_deny(struct hd_module *mod, struct hd_call *call)
{
	struct hdp_person person = { .denied = true, .since_s = time(NULL) };

	if (!hdp_call_word(call, "why", person.grant.name) ||
	    !who_of(call, &person.address) || !enter(call, &person))
		return;
	settle(call, &person.address, HD_VERDICT_DENY, NULL,
	       "the operator has refused this key");
	put_out_all(mod, &person.address);
	put_out_bearers(mod, &person.address);
}

static void run_forget(struct hd_module *mod, struct hd_call *call)
{
	struct hdp_people *p;
	struct hdp_person *person;
	struct hd_key address;

	(void)mod;
	if (!who_of(call, &address))
		return;
	p = hdp_people();
	person = hdp_person_find(p, &address);
	if (person != NULL)
		hdp_person_remove(p, person);
	hdp_people_unlock();
	if (person == NULL)
		hd_call_error(call, "it has been neither approved nor denied; "
				    "\"hd members\" lists those that have");
	else
		hdp_call_save(call);
}

static void run_members(struct hd_module *mod, struct hd_call *call)
{
	const struct hdp_people *p = hdp_people();

	(void)mod;
	hd_out_open(call, NULL, '[');
	for (size_t i = 0; i < p->n_persons; i++) {
		hd_out_open(call, NULL, '{');
		hd_out_key(call, "address", &p->person[i].address);
		hd_out_string(call, "verdict",
			      p->person[i].denied ? "deny" : "allow");
		hdp_out_time(call, "since", p->person[i].since_s);
		hdp_out_grant(call, &p->person[i].grant);
		hd_out_close(call);
	}
	hd_out_close(call);
	hdp_people_unlock();
}

const struct hd_command hdp_people_commands[] = {
	{ .words = "hd pending",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "who waits to be approved",
	  .run = run_pending,
	  .columns = "identity agent from since connected" },
	{ .words = "hd approve",
	  .args = "WHO [--name NAME] [--tenant NAME] [--rate N] "
		  "[--connections N]",
	  .role = HD_ROLE_OPERATE,
	  .help = "let a key in, now if it waits and from now on",
	  .run = run_approve },
	{ .words = "hd deny",
	  .args = "WHO [--why TEXT]",
	  .role = HD_ROLE_OPERATE,
	  .help = "refuse a key, or the key of a credential",
	  .run = run_deny },
	{ .words = "hd forget",
	  .args = "WHO",
	  .role = HD_ROLE_OPERATE,
	  .help = "take back that a key was approved, invited or denied",
	  .run = run_forget },
	{ .words = "hd members",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "who has been approved, invited or denied",
	  .run = run_members,
	  .columns = "address verdict since name tenant rate connections" },
	{ .words = NULL },
};
