/* SPDX-License-Identifier: MIT */
/* hyper-derp/relay.h - packets to who is here. Knows keys and realms, not
 * protocols. Nothing here blocks.
 *
 * Every key has one home worker; everything about the key happens there. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HD_PACKET_MAX_BYTES 65536 /* of the payload, whatever the protocol */

struct hd_packet { /* every pointer is borrowed for the call */
	const struct hd_key *src, *dst;
	const uint8_t *data;
	uint32_t len_bytes; /* 0..HD_PACKET_MAX_BYTES */
	uint16_t realm;
	bool urgent;    /* disco and the like: a lane of its own */
	bool forwarded; /* it came from another relay: hd_relay_forward() */
};

/* hd_gone - why another key is not there: see gone() of struct hd_peer_ops. */
enum hd_gone { HD_GONE_DISCONNECTED, HD_GONE_NOT_HERE };

struct hd_presence; /* presence.h */
struct hd_peer_ops { /* all in the peer's worker */
	/* deliver - frame the packet and append it to the peer's stream. */
	void (*deliver)(struct hd_module *mod, struct hd_peer *peer,
			const struct hd_packet *packet);
	/* gone - DISCONNECTED: somebody whose packet reached this peer has
	 * left. NOT_HERE: nobody has the key that this peer sent an urgent
	 * packet to; at most 1 a second, burst 3, per peer. */
	void (*gone)(struct hd_module *mod, struct hd_peer *peer,
		     const struct hd_key *other, enum hd_gone why);
	/* drain - the relay will close this peer. May be NULL. */
	void (*drain)(struct hd_module *mod, struct hd_peer *peer,
		      uint32_t reconnect_in_ms, uint32_t try_for_ms);
	/* health - a problem to tell the peer; "" clears it. May be NULL.
	 * A login that is refused: why, 10 times a minute at most for a key
	 * and a reason, since a client may take any frame for a sign of life
	 * and come back at once. Each time where refuses_aloud, below, is set.
	 */
	void (*health)(struct hd_module *mod, struct hd_peer *peer,
		       const char *text);
	/* presence - a key that this peer watches (presence.h), or one that is
	 * not where hd_relay_forward_in() should bring a packet. May be NULL.
	 */
	void (*presence)(struct hd_module *mod, struct hd_peer *peer,
			 const struct hd_presence *what);
	bool refuses_aloud; /* the protocol has a frame for a refusal */
};

struct hd_login {
	struct hd_key key;
	uint16_t realm;
	/* It is trusted as another relay of ours: hooks of hd_hook_admit() are
	 * not asked, peer_rate_limit does not hold, and it may read nothing
	 * for 30 s. From admitted() on it is what hooks have said
	 * (hd_admit_mesh()). */
	bool mesh;
	bool prober;
	uint32_t flags;  /* the protocol's own, for presence */
	char agent[64];  /* what it calls itself, "" unknown; for the log */
};

/* hd_relay_login - the protocol has proven that the key is the client's own.
 * The core reads no more, moves the stream to the key's home worker, asks the
 * admit hooks, registers the key and calls proto->admitted() there, or closes.
 * From data() or message(), which then return at once: what was not used is
 * offered again after admitted(). Or later, from any other call in the stream's
 * worker: timer(), a post, the end of a task, an answer of hd_fetch(). They get
 * the stream by hd_stream_find(): it may have ended. Nothing happens when it
 * closes already. At most once for a stream.
 * @login  borrowed */
HD_API void hd_relay_login(struct hd_stream *s, const struct hd_login *login);

/* hd_relay_send - from an admitted peer to a key. The source is the peer's own
 * key: it cannot be forged. Copied before this returns; counts drops itself. */
HD_API void hd_relay_send(struct hd_peer *from, const struct hd_key *dst,
			  bool urgent, const uint8_t *data, uint32_t len_bytes);

/* hd_relay_send_all - the same packet to n keys, as by hd_relay_send() to one
 * after the other, and in order with those. What goes to another worker goes
 * there once, whoever gets it there.
 * @dst  n of them, borrowed */
HD_API void hd_relay_send_all(struct hd_peer *from, const struct hd_key *dst,
			      size_t n, bool urgent, const uint8_t *data,
			      uint32_t len_bytes);

/* hd_relay_forward - a packet that another relay has taken from src, for a key
 * that is here: it never leaves this relay again. Whether src may send it was
 * asked there: no packet hook is. If dst is not here, the relay is told by
 * gone(), 70 times a second at most, unless it watches who is (presence.h).
 * Copied before this returns; counts drops itself.
 * @link  the peer that brought it, admitted, in its worker: its protocol must
 *        know that it is a relay to be trusted with the source */
HD_API void hd_relay_forward(struct hd_peer *link, const struct hd_key *src,
			     const struct hd_key *dst, bool urgent,
			     const uint8_t *data, uint32_t len_bytes);

/* hd_relay_forward_in - the same, in a realm that the other relay has named as
 * hd_realm_text() does. If dst is not here, the relay is told by presence(), as
 * absent there, where the realm is not its own. A realm that nobody has been
 * in: the packet is dropped, and nobody is told. */
HD_API void hd_relay_forward_in(struct hd_peer *link, const char *realm,
				size_t realm_bytes, const struct hd_key *src,
				const struct hd_key *dst, bool urgent,
				const uint8_t *data, uint32_t len_bytes);

/* hd_relay_unknown - nobody has a key: packets to it that on_unknown (hook.h)
 * let wait are dropped, and counted. In the key's home worker. */
HD_API void hd_relay_unknown(struct hd_worker *w, uint16_t realm,
			     const struct hd_key *key);

/* hd_peer_active - it spoke: the active one among duplicates. Cheap. */
HD_API void hd_peer_active(struct hd_peer *peer);

/* hd_peer_received - an admitted peer has sent something beside its stream, in
 * datagrams: counted as what comes by the stream, and charged to the same
 * limits. Nobody holds datagrams back as TCP does: what is too much is dropped.
 * hd_peer_sent - it was sent something beside it: counted.
 * hd_peer_by_datagrams - whether its packets go that way now: for who looks.
 * In its worker.
 * @packets  those in it: hd_limits.packet_bytes
 * Returns 0 it may be used; -EBUSY its limits hold it back; -ESHUTDOWN its
 * stream closes. */
HD_API int hd_peer_received(struct hd_peer *peer, uint32_t len_bytes,
			    uint32_t packets);
HD_API void hd_peer_sent(struct hd_peer *peer, uint32_t len_bytes);
HD_API void hd_peer_by_datagrams(struct hd_peer *peer, bool on);

/* hd_peer_stream, hd_peer_key, hd_peer_login - of an admitted peer; they live
 * as long as it does. In its worker. */
HD_API struct hd_stream *hd_peer_stream(const struct hd_peer *peer);
HD_API const struct hd_key *hd_peer_key(const struct hd_peer *peer);
HD_API const struct hd_login *hd_peer_login(const struct hd_peer *peer);

/* hd_peer_has_mesh_key - hd_login.mesh as its protocol said it at the login,
 * whatever hooks have said since: of any peer that a module is given, in its
 * worker.
 * hd_peer_set_flags - in admitted(): hd_login.flags, where they depend on what
 * hooks have said. */
HD_API bool hd_peer_has_mesh_key(const struct hd_peer *peer);
HD_API void hd_peer_set_flags(struct hd_peer *peer, uint32_t flags);

/* hd_peer_find - who has a key and is admitted: of several connections of it
 * the one that spoke last. In the key's home worker, hd_relay_home(): others
 * have nobody. Any module may ask: of a peer whose protocol is another's, look
 * only. Keep the key, not the pointer: that is good until closed() of its
 * protocol.
 * @realm  that of hd_peer_login(), of packets and of about.h, with the tenant
 * Returns NULL when nobody has it. */
HD_API struct hd_peer *hd_peer_find(struct hd_worker *w, uint16_t realm,
				    const struct hd_key *key);

/* hd_relay_kick - close all connections of a key. Any thread.
 * @why  HD_CLOSE_OWN() only for keys of the module's own protocol */
HD_API void hd_relay_kick(uint16_t realm, const struct hd_key *key,
			  enum hd_close why);

/* hd_relay_put_out - close one connection, an admitted one or a login that
 * waits, and tell the client why, where its protocol can. In its worker.
 * @conn    hd_about_peer.conn; nothing happens when it has gone
 * @reason  for the client, and for the log */
HD_API void hd_relay_put_out(struct hd_worker *w, uint64_t conn,
			     const char *reason);

/* ---- limits ----
 *
 * Who sends more than it may is not read for a while: nothing is dropped, TCP
 * holds it back. Of those who share a limit each gets the same, in bytes. */

/* hd_limits - of a key or a tenant. All 0: none of its own; a key without
 * bytes_per_s has `peer_rate_limit` of the configuration. */
struct hd_limits {
	uint64_t bytes_per_s;
	uint64_t burst_bytes; /* what may come at once; 0: the core's choice.
				 Of a key at least one largest packet */
	uint32_t packet_bytes; /* each packet counts as so much more */
	uint32_t connections; /* of a key: beyond it the one that has been
				 silent longest closes; of a tenant: more are
				 not let in. 0: any number */
	uint64_t reserved[2]; /* 0 */
};

/* hd_limits_of - whose. */
enum hd_limits_of { HD_LIMITS_KEY, HD_LIMITS_TENANT, HD_LIMITS_N };

/* hd_relay_limit - what hd_admit_limits() said of a connection has changed: of
 * an admitted one or a login that waits. What counts for a tenant is to be said
 * of each of its connections. In its worker.
 * @conn    hd_about_peer.conn; nothing happens when it has gone
 * @limits  borrowed; all 0: none any more */
HD_API void hd_relay_limit(struct hd_worker *w, uint64_t conn,
			   enum hd_limits_of of,
			   const struct hd_limits *limits);

/* hd_relay_home - the worker where everything about a key happens: packets from
 * it are asked about there, it logs in there, whether it is here or not. With
 * hd_post() a module keeps what it knows of a key in that worker, without a
 * lock. The same for the whole life of the relay. Any thread.
 * Returns NULL while there are no workers: in load() and unload() when the
 * relay starts and ends. */
HD_API struct hd_worker *hd_relay_home(uint16_t realm,
				       const struct hd_key *key);

/* hd_realm - the number of a name, given on first use; main thread, in load().
 * "" is 0, the realm that protocols with proof of the key share. At most 31
 * others: names in the code, not in the configuration, since one more ends the
 * relay. No `/` may stand in a name, and at most 31 bytes.
 * hd_realms_n - how many have a number: those below it. Grows while modules are
 * loaded, and numbers stay. hd_realm_name - of one of them, as long as the
 * relay runs. Any thread. */
HD_API uint16_t hd_realm(const char *name);
HD_API unsigned hd_realms_n(void);
HD_API const char *hd_realm_name(uint16_t realm);

/* ---- tenants ----
 *
 * Peers of different tenants are not there for each other: a packet to a key of
 * another tenant is one to a key that nobody has. The tenant of a peer is what
 * an admit hook said (hd_admit_tenant()); without that it is the one without a
 * name, which is a tenant like others. A key may be in several tenants at once:
 * then these are different peers. There can be 2047 at once.
 *
 * The realm of an admitted peer, of its packets and of what about.h shows, has
 * the tenant in it: a number to hand on, to compare with such numbers, and not
 * with what hd_realm() gave. */
#define HD_TENANT_BYTES 64 /* of a name, with its NUL */

struct hd_tenant { /* a name; "" none */
	char s[HD_TENANT_BYTES];
};

/* hd_tenant_of - the name of a realm's tenant, "" none: of a realm whose peers
 * are here. Any thread.
 * hd_tenant_is_used - whether somebody is of the tenant now, here or at a relay
 * that a link leads to. Any thread.
 * hd_tenant_is_name - letters, digits, `.`, `_` and `-`, 1 to 63 bytes. */
HD_API struct hd_tenant hd_tenant_of(uint16_t realm);
HD_API bool hd_tenant_is_used(const char *name);
HD_API bool hd_tenant_is_name(const char *text);

/* ---- realms of other relays ----
 *
 * A realm's number is this relay's own. Between relays it goes as text: the
 * name, and behind a `/` the tenant, if there is one: "hd", "hd/office",
 * "/office". */
#define HD_REALM_TEXT_BYTES 96 /* with its NUL */

struct hd_realm_text {
	char s[HD_REALM_TEXT_BYTES];
};

/* hd_realm_text - of a realm as hd_tenant_of() takes it. Any thread.
 * hd_realm_hold - the number, of which the tenant is kept for the caller until
 * hd_realm_drop(). What has the number by then (a way, a peer) keeps it itself.
 * @text  of len_bytes bytes, from another relay: whatever it is
 * @make  a tenant that nobody here is in gets a number, too
 * Returns 0; -EINVAL that is no realm; -ENOENT no module here has it, or nobody
 * is in that tenant; -ENOSPC there are too many tenants: those that others make
 * leave 512 for who logs in here. Any thread. */
HD_API struct hd_realm_text hd_realm_text(uint16_t realm);
HD_API int hd_realm_hold(const char *text, size_t len_bytes, bool make,
			 uint16_t *ret_realm);
HD_API void hd_realm_drop(uint16_t realm);

#ifdef __cplusplus
}
#endif
