/* SPDX-License-Identifier: MIT */
/* modules/hd/owed.c - who has allowed an address that was nowhere then. When a
 * link has a way to it, it is told: two clients at two relays may have allowed
 * each other before either relay knew of the other one's client. What has been
 * forgotten by then (the oldest gives way) is mostly known at the other relay:
 * one of the two is enough. Context: the home of the address, where nothing
 * else is said. */
#include <hyper-derp/about.h>
#include <hyper-derp/task.h>
#include <stdlib.h>
#include <string.h>
#include "modules/hd/owed.h"

enum {
	PLACES = 4096,
	CHAINS = 1024,
	BY = 64, /* counters of who has allowed */
	BY_MAX = PLACES / 8, /* so that one client does not have all places */
};

struct place { /* hashed by the first bytes of an address: whoever makes many
		  that collide has places for BY_MAX */
	struct hd_key to, from;
	uint16_t realm;
	uint16_t next; /* of the same chain, + 1; 0: none */
	bool used;
};

struct hdp_owed {
	unsigned at; /* the place that gives way next */
	uint16_t first[CHAINS]; /* + 1; 0: none */
	uint16_t by[BY];
	struct place v[PLACES];
};

static uint16_t *chain_of(struct hdp_owed *o, const struct hd_key *to)
{
	return &o->first[(to->b[0] | to->b[1] << 8) % CHAINS];
}

static uint16_t *by(struct hdp_owed *o, const struct hd_key *from)
{
	return &o->by[from->b[0] % BY];
}

static bool is_to(const struct place *p, uint16_t realm,
		  const struct hd_key *to)
{
	return p->realm == realm && memcmp(&p->to, to, sizeof(*to)) == 0;
}

/* @at  what leads to the place */
static struct place *take_out(struct hdp_owed *o, uint16_t *at)
{
	struct place *p = &o->v[*at - 1];

	*at = p->next;
	p->used = false;
	--*by(o, &p->from);
	return p;
}

static void make_room(struct hdp_owed *o, const struct place *p)
{
	uint16_t *at = chain_of(o, &p->to);

	while (p->used && &o->v[*at - 1] != p)
		at = &o->v[*at - 1].next;
	if (p->used)
		take_out(o, at);
}

static bool has(struct hdp_owed *o, const struct hd_packet *packet)
{
	uint16_t i = *chain_of(o, packet->dst);

	while (i != 0 && (!is_to(&o->v[i - 1], packet->realm, packet->dst) ||
			  memcmp(&o->v[i - 1].from, packet->src,
				 HD_KEY_BYTES) != 0))
		i = o->v[i - 1].next;
	return i != 0;
}

struct hdp_owed *hdp_owed_new(void)
{
	return calloc(1, sizeof(struct hdp_owed));
}

bool hdp_owed_add(struct hdp_owed *o, const struct hd_packet *packet)
{
	struct place *p = &o->v[o->at % PLACES];
	uint16_t *first = chain_of(o, packet->dst);

	if (*by(o, packet->src) >= BY_MAX || has(o, packet))
		return false;
	make_room(o, p);
	*p = (struct place){ .to = *packet->dst,
			     .from = *packet->src,
			     .realm = packet->realm,
			     .next = *first,
			     .used = true };
	*first = (uint16_t)(1 + o->at++ % PLACES);
	++*by(o, packet->src);
	return true;
}

bool hdp_owed_take(struct hdp_owed *o, uint16_t realm, const struct hd_key *to,
		   struct hd_key *ret_from)
{
	uint16_t *at = chain_of(o, to);

	while (*at != 0 && !is_to(&o->v[*at - 1], realm, to))
		at = &o->v[*at - 1].next;
	if (*at == 0)
		return false;
	*ret_from = take_out(o, at)->from;
	return true;
}

/* ---- of a worker ---- */

void hdp_owed_note(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_packet *packet)
{
	struct hdp_worker *hw = hd_module_worker_data(mod, w);

	if (hw->owed == NULL)
		hw->owed = hdp_owed_new();
	if (hw->owed != NULL)
		hdp_owed_add(hw->owed, packet);
}

struct again { /* on its way to the home of who has allowed; freed there */
	struct hd_key from, to;
	uint16_t realm;
};

/* If it is here still, and allows still. With the bridge the key may be one of
 * DERP's clients by then, whose state is not ours. */
static void by_each(void *arg, const struct hd_about_peer *p)
{
	const struct again *a = arg;

	if (p->realm == a->realm && p->active &&
	    strcmp(p->proto, hdp_proto.name) == 0)
		hdp_allowed_again(hd_stream_state(hd_peer_stream(p->peer)),
				  &a->to);
}

static void tell_again(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct again *a = arg;

	(void)mod;
	hd_about_key(w, &a->from, by_each, a);
	free(a);
}

static void send_again(struct hd_module *mod, uint16_t realm,
		       const struct hd_key *from, const struct hd_key *to)
{
	struct again *a = malloc(sizeof(*a));

	if (a == NULL)
		return;
	*a = (struct again){ .from = *from, .to = *to, .realm = realm };
	hd_post(mod, hd_relay_home(realm, from), tell_again, a, free);
}

void hdp_owed_there(struct hd_module *mod, struct hd_worker *w, uint16_t realm,
		    const struct hd_key *to)
{
	struct hdp_worker *hw = hd_module_worker_data(mod, w);
	struct hd_key from;

	while (hw->owed != NULL && hdp_owed_take(hw->owed, realm, to, &from))
		send_again(mod, realm, &from, to);
}
