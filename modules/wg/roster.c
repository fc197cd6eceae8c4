/* SPDX-License-Identifier: MIT */
/* modules/wg/roster.c - peers and links in memory. */
#include "modules/wg/roster.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int wg_refuse(struct wg_refusal *why, int r, const char *code, const char *fmt,
	      ...)
{
	va_list ap;

	if (why == NULL)
		return r;
	va_start(ap, fmt);
	vsnprintf(why->err.text, sizeof(why->err.text), fmt, ap);
	va_end(ap);
	why->code = code;
	return r;
}

static int no_memory(struct wg_refusal *why)
{
	return wg_refuse(why, -ENOMEM, "no_memory", "out of memory");
}

struct wg_roster *wg_roster_new(void)
{
	struct wg_roster *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->next_id = 1;
	return r;
}

void wg_entry_free(struct wg_entry **p)
{
	struct wg_entry *peer = hd_steal(p);

	if (peer == NULL)
		return;
	free(peer->label);
	free(peer->edges);
	free(peer);
}

void wg_roster_free(struct wg_roster **roster)
{
	struct wg_roster *r = hd_steal(roster);
	struct wg_entry *p, *next;

	if (r == NULL)
		return;
	HASH_CLEAR(by_key, r->by_key);
	HASH_CLEAR(by_endpoint, r->by_endpoint);
	HASH_ITER (by_name, r->by_name, p, next) {
		HASH_DELETE(by_name, r->by_name, p);
		wg_entry_free(&p);
	}
	free(r);
}

/* ---- find ---- */

struct wg_entry *wg_roster_find(const struct wg_roster *r, const char *name)
{
	struct wg_entry *p;

	HASH_FIND(by_name, r->by_name, name, strlen(name), p);
	return p;
}

struct wg_entry *wg_roster_by_key(const struct wg_roster *r,
				  const struct hd_key *key)
{
	struct wg_entry *p;

	HASH_FIND(by_key, r->by_key, key, sizeof(*key), p);
	return p;
}

struct wg_entry *wg_roster_peer(const struct wg_roster *r, const char *name,
				struct wg_refusal *why)
{
	struct wg_entry *p = wg_roster_find(r, name);

	if (p == NULL)
		wg_refuse(why, -ENOENT, "wg_peer_unknown",
			  "there is no peer \"%.64s\"; \"wg peer list\" lists "
			  "those there are, \"wg peer add\" adds one",
			  name);
	return p;
}

int wg_fixed_check(const struct wg_entry *p, struct wg_refusal *why)
{
	if (!p->fixed)
		return 0;
	return wg_refuse(why, -EPERM, "wg_peer_fixed",
			 "the peer %s stands in the configuration (wg.peers): "
			 "change it there and restart",
			 p->name);
}

/* ---- what no two peers may have ---- */

static int check_key(const struct wg_roster *r, const struct wg_entry *p,
		     struct wg_refusal *why)
{
	const struct wg_entry *other =
		wg_entry_has_key(p) ? wg_roster_by_key(r, &p->key) : NULL;

	if (other == NULL || other->id == p->id)
		return 0;
	return wg_refuse(why, -EEXIST, "wg_key_duplicate",
			 "this public key belongs to the peer %s: each peer "
			 "has its own, made by `wg genkey`",
			 other->name);
}

/* A keyless peer is known by its endpoint alone. */
static int check_endpoint(const struct wg_roster *r, const struct wg_entry *p,
			  struct wg_refusal *why)
{
	const struct wg_entry *other = NULL;

	if (wg_entry_has_key(p))
		return 0;
	if (!wg_entry_has_endpoint(p))
		return wg_refuse(why, -EINVAL, "missing_arg",
				 "the peer %s has neither a public key nor an "
				 "endpoint: give one of them, or both",
				 p->name);
	HASH_FIND(by_endpoint, r->by_endpoint, &p->endpoint,
		  sizeof(p->endpoint), other);
	if (other == NULL || other->id == p->id)
		return 0;
	return wg_refuse(why, -EEXIST, "wg_endpoint_duplicate",
			 "this endpoint belongs to the peer %s, and without a "
			 "public key nothing tells the two apart: give the key",
			 other->name);
}

static void index_add(struct wg_roster *r, struct wg_entry *p)
{
	if (wg_entry_has_key(p))
		HASH_ADD(by_key, r->by_key, key, sizeof(p->key), p);
	else
		HASH_ADD(by_endpoint, r->by_endpoint, endpoint,
			 sizeof(p->endpoint), p);
}

static void index_delete(struct wg_roster *r, struct wg_entry *p)
{
	if (wg_entry_has_key(p))
		HASH_DELETE(by_key, r->by_key, p);
	else
		HASH_DELETE(by_endpoint, r->by_endpoint, p);
}

/* ---- a peer's values ---- */

/* Whether the text says something, and whether that is "nothing". */
static bool given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool none(const char *text)
{
	return strcmp(text, "-") == 0;
}

static int set_label(struct wg_entry *p, const char *text,
		     struct wg_refusal *why)
{
	int r = wg_label_check(text, why);

	if (r < 0)
		return r;
	p->label = none(text) ? NULL : strdup(text);
	return p->label == NULL && !none(text) ? no_memory(why) : 0;
}

static int set_nic(struct wg_entry *p, const char *text, struct wg_refusal *why)
{
	int r = none(text) ? 0 : wg_nic_check(text, why);

	if (r == 0)
		snprintf(p->nic, sizeof(p->nic), "%s", none(text) ? "" : text);
	return r;
}

/* p->label is the caller's to free if it is not what it was. */
static int set_values(struct wg_entry *p, const struct wg_entry_text *text,
		      struct wg_refusal *why)
{
	int r = 0;

	if (given(text->endpoint)) {
		memset(&p->endpoint, 0, sizeof(p->endpoint));
		if (!none(text->endpoint))
			r = wg_addr_parse(text->endpoint, &p->endpoint, why);
	}
	if (r == 0 && given(text->pubkey)) {
		memset(&p->key, 0, sizeof(p->key));
		if (!none(text->pubkey))
			r = wg_key_parse(text->pubkey, &p->key, why);
	}
	if (r == 0 && given(text->nic))
		r = set_nic(p, text->nic, why);
	if (r == 0 && given(text->label))
		r = set_label(p, text->label, why);
	return r;
}

/* ---- peers ---- */

static int check_new(const struct wg_roster *r, const char *name,
		     struct wg_refusal *why)
{
	const struct wg_entry *other;
	int e = wg_name_check(name, why);

	if (e < 0)
		return e;
	other = wg_roster_find(r, name);
	if (other != NULL)
		return wg_refuse(why, -EEXIST, "wg_peer_add_failed",
				 "there is a peer %s already%s: \"wg peer "
				 "update\" changes it",
				 name,
				 other->fixed ? ", in the configuration" : "");
	if (r->n_peers >= WG_PEERS_MAX)
		return wg_refuse(why, -ENOSPC, "wg_peer_add_failed",
				 "there are %d peers: remove some first",
				 WG_PEERS_MAX);
	return 0;
}

int wg_roster_add(struct wg_roster *r, const struct wg_entry_text *text,
		  struct wg_entry **ret_peer, struct wg_refusal *why)
{
	HD_AUTO(wg_entry_free) struct wg_entry *p = NULL;
	int e = check_new(r, text->name, why);

	if (e < 0)
		return e;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return no_memory(why);
	strcpy(p->name, text->name);
	e = set_values(p, text, why);
	if (e == 0)
		e = check_key(r, p, why);
	if (e == 0)
		e = check_endpoint(r, p, why);
	if (e < 0)
		return e;
	p->id = r->next_id++;
	p->fixed = text->fixed;
	p->fixed_nic = text->fixed && p->nic[0] != '\0';
	if (ret_peer != NULL)
		*ret_peer = p;
	wg_roster_attach(r, hd_steal(&p));
	return 0;
}

/* The labels change places. */
void wg_roster_restore(struct wg_roster *r, struct wg_entry *p,
		       struct wg_entry *values)
{
	char *label = p->label;

	index_delete(r, p);
	p->key = values->key;
	p->endpoint = values->endpoint;
	strcpy(p->nic, values->nic);
	p->label = values->label;
	values->label = label;
	index_add(r, p);
}

/* The interface alone may be added to what the configuration says. */
static int check_fixed(const struct wg_entry *p,
		       const struct wg_entry_text *text, struct wg_refusal *why)
{
	if (!p->fixed_nic && text->endpoint == NULL && text->pubkey == NULL &&
	    text->label == NULL)
		return 0;
	return wg_fixed_check(p, why);
}

int wg_roster_update(struct wg_roster *r, const struct wg_entry_text *text,
		     struct wg_refusal *why)
{
	struct wg_entry *p = wg_roster_peer(r, text->name, why), new;
	int e = p == NULL ? -ENOENT : check_fixed(p, text, why);

	if (e < 0)
		return e;
	new = *p;
	e = set_values(&new, text, why);
	if (e == 0)
		e = check_key(r, &new, why);
	if (e == 0)
		e = check_endpoint(r, &new, why);
	if (e < 0) {
		if (new.label != p->label)
			free(new.label);
		return e;
	}
	wg_roster_restore(r, p, &new);
	if (new.label != p->label)
		free(new.label);
	return 0;
}

/* ---- in and out, with its links ---- */

void wg_roster_detach(struct wg_roster *r, struct wg_entry *p)
{
	wg_edges_drop(r, p);
	r->n_peers--;
	index_delete(r, p);
	HASH_DELETE(by_name, r->by_name, p);
}

void wg_roster_attach(struct wg_roster *r, struct wg_entry *p)
{
	wg_edges_back(r, p);
	r->n_peers++;
	HASH_ADD(by_name, r->by_name, name[0], strlen(p->name), p);
	index_add(r, p);
}
