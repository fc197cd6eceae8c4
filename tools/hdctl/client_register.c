/* SPDX-License-Identifier: MIT */
/* tools/hdctl/client_register.c - wg client-config --new-key: a key pair that
 * is made here is good for nothing before the relay and the linked peers know
 * its public half. */
#include <string.h>

#include "tools/hdctl/client_config.h"

#define NO_KEY "-" /* as `wg peer pubkey` takes it */

static int do_ask(struct hdctl *h, const char *const *words, size_t n,
		  json_t **ret)
{
	struct hd_error err;
	int r = ask(&h->ask, words, n, ret, &err);

	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

static const char *text_in(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static const json_t *find(const json_t *peers, const char *name)
{
	const json_t *p;
	size_t i;

	json_array_foreach(peers, i, p)
	{
		const char *text = text_in(p, "name");

		if (text != NULL && strcmp(text, name) == 0)
			return p;
	}
	return NULL;
}

static bool is_linked(const json_t *peer, const char *with)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(peer, "linked_to"), i, name)
		if (strcmp(json_string_value(name), with) == 0)
			return true;
	return false;
}

static int put_key(struct hdctl *h, const struct client_wish *w,
		   const json_t *peer, const char *public)
{
	const char *add[] = { "wg", "peer", "add", w->name, public };
	const char *update[] = { "wg", "peer", "pubkey", w->name, public };
	json_t *unused = NULL;
	int r = do_ask(h, peer != NULL ? update : add, HD_ARRAY_N(add),
		       &unused);

	json_decref(unused);
	return r;
}

static int put_links(struct hdctl *h, const struct client_wish *w,
		     const json_t *peer)
{
	int r = HDCTL_OK;

	for (size_t i = 0; r == HDCTL_OK && i < w->n_links; i++) {
		const char *words[] = { "wg", "link", "add", w->name,
					w->links[i] };
		json_t *unused = NULL;

		if (!is_linked(peer, w->links[i]))
			r = do_ask(h, words, HD_ARRAY_N(words), &unused);
		json_decref(unused);
	}
	return r;
}

static void tell_links(const struct client_wish *w, const json_t *peer)
{
	const char *before = "hdctl: new configurations are due for";
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(peer, "linked_to"), i, name)
	{
		fprintf(stderr, "%s %s", before, json_string_value(name));
		before = ",";
	}
	if (before[0] != ',')
		fprintf(stderr,
			"hdctl: %s is linked with nobody yet: `hdctl wg link "
			"add %s PEER`, then the configuration again; or "
			"--link PEER here",
			w->name, w->name);
	else
		fprintf(stderr, ", which know %s by its key: hdctl wg "
				"client-config PEER", w->name);
	fputc('\n', stderr);
}

static int tell(struct hdctl *h, const struct client_wish *w,
		const json_t *before, const char *public)
{
	const char *words[] = { "wg", "peer", "list", w->name };
	const char *old = text_in(before, "pubkey");
	json_t *now = NULL;
	int r = do_ask(h, words, HD_ARRAY_N(words), &now);

	if (r != HDCTL_OK)
		return r;
	fprintf(stderr, "hdctl: %s: public key %s registered%s%s\n", w->name,
		public, old != NULL ? "; no longer valid: " : "",
		old != NULL ? old : "");
	tell_links(w, json_array_get(now, 0));
	json_decref(now);
	return HDCTL_OK;
}

/* What would be refused in the end must be before the old key is gone. */
static int check(struct hdctl *h, const struct client_wish *w,
		 const json_t *peers, const json_t *peer)
{
	json_t *config = NULL;
	int r = peer != NULL ? client_ask_config(h, w, &config) : HDCTL_OK;

	json_decref(config);
	if (r != HDCTL_OK)
		return r;
	for (size_t i = 0; i < w->n_links; i++)
		if (find(peers, w->links[i]) == NULL)
			return hdctl_fail(HDCTL_REFUSED,
					  "--link %s: there is no such peer; "
					  "`hdctl wg peer list` has them; "
					  "nothing has changed",
					  w->links[i]);
	return HDCTL_OK;
}

int client_register(struct hdctl *h, const struct client_wish *w,
		    const struct wg_key_pair *pair,
		    char ret_old[WG_KEY_TEXT_BYTES])
{
	const char *words[] = { "wg", "peer", "list" };
	json_t *peers = NULL;
	const json_t *peer;
	const char *old;
	int r = do_ask(h, words, HD_ARRAY_N(words), &peers);

	peer = find(peers, w->name);
	old = text_in(peer, "pubkey");
	if (old == NULL)
		old = peer != NULL ? NO_KEY : "";
	snprintf(ret_old, WG_KEY_TEXT_BYTES, "%s", old);
	if (r == HDCTL_OK)
		r = check(h, w, peers, peer);
	if (r == HDCTL_OK)
		r = put_key(h, w, peer, pair->public);
	if (r == HDCTL_OK)
		r = put_links(h, w, peer);
	if (r == HDCTL_OK)
		r = tell(h, w, peer, pair->public);
	json_decref(peers);
	return r;
}

static const char *became(const char *old)
{
	if (old[0] == '\0')
		return "the peer is removed again";
	return strcmp(old, NO_KEY) == 0
		       ? "it has none again"
		       : "the one before it is registered again";
}

int client_unregister(struct hdctl *h, const struct client_wish *w,
		      const char *old)
{
	const char *back[] = { "wg", "peer", "pubkey", w->name, old };
	const char *gone[] = { "wg", "peer", "remove", w->name };
	bool had = old[0] != '\0';
	json_t *unused = NULL;
	int r = do_ask(h, had ? back : gone,
		       had ? HD_ARRAY_N(back) : HD_ARRAY_N(gone), &unused);

	json_decref(unused);
	if (r != HDCTL_OK)
		return r;
	return hdctl_fail(HDCTL_REFUSED,
			  "%s: the new key could not be written down, so %s",
			  w->name, became(old));
}
