/* SPDX-License-Identifier: MIT */
/* core/relay/relay_ask.c - what others ask of peers: to end, who they are. */
#include <stdlib.h>
#include "core/relay/peer.h"
#include "core/relay/relay_worker.h"

struct kick {
	struct hd_key key;
	uint16_t realm;
	enum hd_close why;
};

static void kick_here(struct hd_worker *w, void *what, void *unused)
{
	struct kick *k = what;
	struct hd_entry *e = hd_relay_table_find(&w->relay->table,
						 hd_key_hash(k->realm, &k->key),
						 k->realm, &k->key);

	(void)unused;
	for (struct hd_peer *p = e ? e->active : NULL; p != NULL; p = p->next)
		hd_stream_close(p->stream, k->why);
	free(k);
}

void hd_relay_kick(uint16_t realm, const struct hd_key *key, enum hd_close why)
{
	struct kick *k = malloc(sizeof(*k));
	struct hd_worker *home =
		hd_worker_at(hd_key_home(hd_key_hash(realm, key)));

	if (k == NULL)
		return;
	*k = (struct kick){ *key, realm, why };
	if (hd_worker_post(home, kick_here, k, NULL) < 0)
		free(k);
}

struct hd_stream *hd_peer_stream(const struct hd_peer *p)
{
	return p->stream;
}

const struct hd_key *hd_peer_key(const struct hd_peer *p)
{
	return &p->login.key;
}

const struct hd_login *hd_peer_login(const struct hd_peer *p)
{
	return &p->login;
}
