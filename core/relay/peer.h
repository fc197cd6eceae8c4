/* SPDX-License-Identifier: MIT */
/* core/relay/peer.h - connections of keys: login, admission, duplicates,
 * delivery.
 * Files: peer.c one connection, login.c its way home, admit.c who is let in,
 * relay.c packets, relay_gone.c who is told when a key has left, presence.h who
 * is told who is here, about_peers.c who is connected.
 * Context: the stream's worker; after admission that is the key's home. */
#pragma once
#include <hyper-derp/about.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/log.h>
#include "core/base/kind.h"
#include "core/loop/worker.h"
#include "core/relay/relay_table.h"
#include "core/stream/stream.h"

#define HD_PEER_MAGIC 0x48445045u

enum hd_peer_state {
	HD_PEER_PROVEN,  /* the protocol said so; on its way home */
	HD_PEER_PENDING, /* a module answers later */
	HD_PEER_UP,
	HD_PEER_DOWN, /* its stream is closing */
};

struct hd_way;

struct hd_peer {
	uint32_t magic;
	uint8_t state; /* enum hd_peer_state */
	struct hd_stream *stream;
	struct hd_entry *entry;    /* while UP */
	struct hd_peer *next;      /* of the same key, spoke before this one */
	/* the last destination, so that a conversation needs no look-up */
	struct hd_entry *last;
	struct hd_way *last_way; /* or it is at another relay; else NULL */
	struct hd_key last_key;
	uint64_t last_hash; /* its; 0: there is none */
	uint64_t packets_in, packets_out; /* that it sent, that it was given */
	bool moved; /* to its home worker */
	bool home; /* it is there: hooks know of it */
	bool admitted; /* stays when it is DOWN */
	bool last_to_notify; /* it is in entry->to_notify */
	bool datagrams; /* beside its stream: besides.c */
	uint32_t last_version; /* of the table, or ways, when it was found */
	/* PeerGone(not here): 1 a second, burst 3 */
	uint8_t not_here_tokens;
	uint64_t not_here_ms;
	uint64_t proven_us; /* when the protocol said so */
	/* admission: who was asked last, the how manieth of its hooks that was,
	 * and the number of the question, which an old answer has not */
	const struct hd_module *hook_asked;
	uint32_t asked_order, asked_hooks, asked_n;
	bool asks_again; /* when HD_DEADLINE_LOGIN has passed */
	uint64_t late_ms; /* that deadline until then; 0: none */
	struct hd_login login;
	struct hd_key_text name; /* of the key, for probes and logs */
	char *label; /* that a hook gave; NULL: none */
	char *late; /* why, after the time that a hook asked for; NULL: it has
		       login_timeout */
	char *refusal; /* why it was not admitted; NULL: nobody has said so */
	struct hd_peer_data *data; /* of modules: peer_data.h; NULL: none */
	uint16_t tenant; /* that a hook gave; held. In login.realm once UP */
	bool mesh_key; /* hd_login.mesh as its protocol said it */
	bool counted; /* it is one of its tenant's connections */
	struct hd_limits *limits; /* that hooks gave: HD_LIMITS_N; NULL: none */
	struct hd_stream_user user; /* of its stream */
	struct hd_watcher *watch; /* of who is here; NULL: none */
	uint32_t watches; /* that it has begun */
	struct hd_brought *brought; /* realms of its packets; NULL: its own */
};

extern const struct hd_stream_user_ops hd_peer_user;

/* hd_peer_of - who has logged in on a stream; NULL: nobody. */
static inline struct hd_peer *hd_peer_of(const struct hd_stream *s)
{
	return s->user != NULL && s->user->ops == &hd_peer_user
		       ? hd_container_of(s->user, struct hd_peer, user)
		       : NULL;
}

/* hd_peer_up_of - the same, once it is admitted and until it closes. */
static inline struct hd_peer *hd_peer_up_of(const struct hd_stream *s)
{
	struct hd_peer *p = hd_peer_of(s);

	return p != NULL && p->state == HD_PEER_UP ? p : NULL;
}

/* hd_login_drained - what was sent before has left, or the kernel has what it
 * takes: it moves home, or is at
 * home and the hooks are asked. The stream may be in another worker after it.
 * hd_login_ask - the admit hooks that have not been asked yet; then it is up,
 * denied, or waits for an answer.
 * hd_login_tell - its protocol may tell the client why.
 * hd_login_refuse - the same, and a line in the log, but each once a minute
 * (refused.h); then it closes. Counted.
 * hd_login_wait - a hook answers later. hd_login_waited - it has let it pass.
 * hd_login_ask_later - it cannot say now: it is asked once more.
 * hd_login_late - login_timeout is over, or the time that a hook asked for.
 * hd_login_hung_up - its other end has gone: nobody waits for an answer.
 * hd_login_kind - those that wait for a module's answer. In a worker. */
void hd_login_drained(struct hd_stream *s);
void hd_login_ask(struct hd_stream *s);
void hd_login_tell(struct hd_stream *s, const char *reason);
void hd_login_refuse(struct hd_stream *s, enum hd_close why,
		     const char *reason);
void hd_login_wait(struct hd_stream *s, const struct hd_ticket *t);
void hd_login_waited(struct hd_stream *s);
void hd_login_ask_later(struct hd_stream *s);
void hd_login_late(struct hd_stream *s);
void hd_login_hung_up(struct hd_stream *s);
extern const struct hd_kind hd_login_kind;

/* hd_peer_new - the user of a stream from now on, once that is set. Returns
 * NULL when out of memory.
 * hd_peer_up - enters the table. Returns 0; -ENOMEM. */
struct hd_peer *hd_peer_new(struct hd_stream *s, const struct hd_login *login);
int hd_peer_up(struct hd_peer *peer);
/* hd_peer_set_label - how people call it; "" changes nothing. Without memory it
 * has none. hd_peer_label - "" none. */
void hd_peer_set_label(struct hd_peer *peer, const char *label);
const char *hd_peer_label(const struct hd_peer *peer);
/* hd_peer_set_tenant - whom it may reach, once it is up. Returns 0; -EINVAL,
 * -ENOSPC as hd_tenant_hold(), and then it has none. */
int hd_peer_set_tenant(struct hd_peer *peer, const char *name);
/* hd_peer_down - leaves the table, if it is in it; PeerGone goes out. */
void hd_peer_down(struct hd_stream *s);
/* hd_peer_set_proto - hd_stream_set_proto(), and its peer counts as the new
 * module's. */
void hd_peer_set_proto(struct hd_stream *s, struct hd_module *mod,
		       const struct hd_proto *proto);

/* hd_peer_notify_gone - its protocol tells it of another key.
 * hd_peer_not_here - the same, of a key that nobody has; not too often.
 * hd_peer_not_here_in - the same in another realm than its own, of which a
 * relay is told by presence(). */
void hd_peer_notify_gone(struct hd_peer *peer, const struct hd_key *other,
			 enum hd_gone why);
void hd_peer_not_here(struct hd_peer *peer, const struct hd_key *dst);
void hd_peer_not_here_in(struct hd_peer *peer, uint16_t realm,
			 const struct hd_key *dst);

/* hd_gone_note - a packet of a key that is here has reached a receiver.
 * hd_gone_leave - the last connection of a key has closed; takes the entry.
 * hd_gone_begin - the same of one that is at no other relay and in no table.
 * hd_gone_back - the entry of a key that has left, if it still owes; it is in
 * the table `to` now. hd_gone_owe - one more that has left owes it.
 * hd_gone_before - a packet of the key's next life is about to be delivered.
 * hd_gone_run - a turn's share is told. Returns whether there is more. */
void hd_gone_note(struct hd_worker *w, struct hd_entry *source,
		  const struct hd_key *receiver);
void hd_gone_leave(struct hd_worker *w, struct hd_entry **entry);
void hd_gone_begin(struct hd_worker *w, struct hd_entry **entry);
struct hd_entry *hd_gone_back(struct hd_worker *w, struct hd_relay_table *to,
			      uint64_t hash, uint16_t realm,
			      const struct hd_key *key);
void hd_gone_owe(struct hd_worker *w, uint16_t realm,
		 const struct hd_key *source, const struct hd_key *receiver);
void hd_gone_before(struct hd_worker *w, uint16_t realm,
		    const struct hd_key *source, const struct hd_key *receiver);
bool hd_gone_run(struct hd_worker *w);

/* hd_relay_take - a record from another worker. hd_forward_take - one whose
 * packet another relay has brought.
 * hd_relay_drop - counts. @from  the sender's name, "" when it is another
 * worker's or another relay's. */
/* hd_relay_begins - a peer sends a packet: it is counted, and the packet hooks
 * are asked. Returns whether it may go. */
bool hd_relay_begins(struct hd_peer *from, const struct hd_packet *packet);
struct hd_xrecord;
void hd_relay_drop(struct hd_worker *w, enum hd_drop why,
		   const struct hd_packet *packet, const char *from);
void hd_relay_take(struct hd_worker *w, const struct hd_xrecord *record,
		   const uint8_t *data);
void hd_forward_take(struct hd_worker *w, const struct hd_xrecord *record,
		     const uint8_t *data);

/* hd_peer_ops_of - what can be told to the peer of a stream; NULL: nothing,
 * nobody has logged in. */
static inline const struct hd_peer_ops *
hd_peer_ops_of(const struct hd_stream *s)
{
	return hd_peer_up_of(s) != NULL ? s->proto->peer : NULL;
}

/* hd_peer_about - of a stream that has a peer; pointers are the stream's. */
void hd_peer_about(const struct hd_stream *s, struct hd_about_peer *ret);

/* hd_key_home - the index of the home worker. */
unsigned hd_key_home(uint64_t hash);
