/* SPDX-License-Identifier: MIT */
/* hyper-derp/hook.h - questions that the core asks, in load order. The first
 * answer that is not HD_VERDICT_PASS stands. */
#pragma once
#include <hyper-derp/link.h>
#include <hyper-derp/presence.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- connections ---- */

/* Who connects; borrowed for the call. */
struct hd_arrival {
	const union hd_addr *from; /* the client, as the PROXY header has it */
	const union hd_addr *proxy; /* it came through this; NULL: none */
	const char *listener; /* its name in `listen:`; NULL: it has none */
	bool tls; /* a handshake would be next */
};

/* on_accept - a connection has come, and nothing has been read of it but a
 * PROXY header; in the worker that took it. HD_VERDICT_DENY closes it at once
 * and without a word; counted, and in the log of debug only. Addresses of
 * X-Forwarded-For and the like are not known yet: on_admit has them.
 * HD_VERDICT_PENDING denies, too: who has not even begun TLS must not be able
 * to have descriptors wait for an answer. Ask others in on_admit; here look up
 * what is known. */
typedef enum hd_verdict hd_accept_fn(struct hd_module *mod,
				     struct hd_worker *w,
				     const struct hd_arrival *who);

/* Who wants TLS; borrowed for the call. */
struct hd_hello {
	const union hd_addr *from; /* the client, as the PROXY header has it */
	const union hd_addr *proxy; /* it came through this; NULL: none */
	const char *listener; /* its name in `listen:`; NULL: it has none */
	const char *server_name; /* SNI (RFC 6066, 3), lower case; with
				    Encrypted Client Hello the outer one;
				    NULL: none */
};

/* on_hello - a ClientHello has come, on a TLS listener that speaks HTTP and
 * that no module has for itself, and the relay's own TLS has not begun; in the
 * worker that took the connection. Who returns a protocol takes it as it is:
 * opened() is called at once, then data() with all from the ClientHello's first
 * byte on, and what is written goes out as it is. Returns NULL: not for me.
 * The protocol is one of hd_module_def.dials, or of a route or service: so a
 * reload finds it. Costs a look at each ClientHello when a module asks. */
typedef const struct hd_proto *hd_hello_fn(struct hd_module *mod,
					   struct hd_worker *w,
					   const struct hd_hello *hello);

/* ---- logins ---- */

/* Who asks to be let in; borrowed for the call. */
struct hd_admission {
	const struct hd_login *login;
	struct hd_peer *peer; /* for hd_peer_data(); it is not admitted */
	const union hd_addr *from; /* the client */
	const char *proto; /* "derp" */
	const char *listener; /* its name in `listen:`; NULL: it has none */
	const char *server_name; /* SNI (RFC 6066, 3); NULL: none, or no TLS */
	const char *tenant; /* that a hook before has set; "" none */
};

/* hd_login_header, hd_login_query - what the client said in the HTTP request by
 * which it came to its protocol: the first header of a name, compared without
 * case, and the first parameter of the query, compared as it is, decoded; one
 * with a wrong escape or a NUL in it is left out. There while it logs in: in
 * on_admit, and as long as it waits for an answer; then the core wipes it, so
 * copy what you need. Passwords may be in it: do not log them. Borrowed; in the
 * peer's worker.
 * @peer  that of hd_admission, or that hd_about_logins() shows
 * Return NULL: it said no such thing; it came without HTTP, or before any
 * module had hd_hook_admit(); it is admitted. */
HD_API const char *hd_login_header(const struct hd_peer *peer,
				   const char *name);
HD_API const char *hd_login_query(const struct hd_peer *peer,
				  const char *name);

/* on_admit - a key has been proven; in its home worker. Once per login, and
 * again when the module was to answer and has been replaced meanwhile, or has
 * answered that it cannot know now.
 * @ticket  for HD_VERDICT_PENDING: answer later with hd_admit_answer(), else
 *          the login deadline denies. For HD_VERDICT_DENY say why with
 *          hd_admit_reason(). */
struct hd_ticket;
typedef enum hd_verdict hd_admit_fn(struct hd_module *mod, struct hd_worker *w,
				    const struct hd_admission *who,
				    struct hd_ticket *ticket);
/* on_packet - a packet between two keys, in the sender's home worker;
 * HD_VERDICT_DENY drops it. Costs one branch when nobody asks. Must not keep
 * the packet. */
typedef enum hd_verdict hd_packet_fn(struct hd_module *mod,
				     struct hd_worker *w,
				     const struct hd_packet *packet);

/* ---- the end ---- */

/* Who was here; borrowed for the call. The numbers are of the connection,
 * from its beginning. */
struct hd_departure {
	const struct hd_peer *peer; /* for hd_peer_data(), in its last moment */
	const struct hd_login *login; /* its realm has the tenant if admitted */
	const char *name, *tenant; /* that an admit hook has set; "" none */
	const char *proto; /* "derp" */
	const union hd_addr *from; /* the client */
	const union hd_addr *proxy; /* it came through this; NULL: none */
	const char *listener; /* its name; NULL: it has none */
	uint64_t conn; /* that of struct hd_about_peer */
	uint64_t duration_ms; /* since it was accepted */
	uint64_t bytes_in, bytes_out; /* payload of TLS */
	uint64_t packets_in, packets_out; /* it sent; it was given */
	uint64_t drops; /* of those it was given, and did not take */
	bool admitted; /* false: it was refused, or ended before that */
	bool stays; /* it has not ended: the module goes, and would not hear
		       of it any more */
	enum hd_close why; /* not when it stays */
	const char *why_text; /* hd_close_text(); "" it stays */
	const char *refusal; /* that it was told; "" nobody refused it */
};

/* on_leave - a connection that had proven its key has ended; in the key's home
 * worker. Once for each that on_admit was or could have been asked about, and
 * for other relays of a mesh (login->mesh); after closed() of its protocol.
 * When the module is unloaded while it runs: for each that is there then, with
 * `stays`; a reload tells nobody. Everybody has left before stop() when the
 * relay ends, except who had not come home. */
typedef void hd_leave_fn(struct hd_module *mod, struct hd_worker *w,
			 const struct hd_departure *who);

/* ---- keys at other relays: for a module that finds them (a directory) ---- */

/* on_here - a key has come: a connection of it is admitted, be it one more; or
 * it has gone: its last one has closed. In the key's home worker, in order; no
 * other relays (login->mesh). Of who was here before the module came it hears
 * the end only: hd_about_peers() lists them. */
typedef void hd_here_fn(struct hd_module *mod, struct hd_worker *w,
			const struct hd_presence *what);

/* on_unknown - a peer here has sent a packet to a key that is not here and to
 * which no link has a way; in the home worker of that key. HD_VERDICT_PENDING:
 * it is looked for, so the packet waits, HD_HELD_MS at most, until the key logs
 * in, a link has a way to it (hd_link_wish()), or hd_relay_unknown() says that
 * nobody has it. Of HD_HELD_MAX packets in a worker the oldest is dropped; one
 * sender has an eighth of them at most, of its further ones none waits.
 * HD_VERDICT_PASS: not found by this module. Must not keep the packet. Costs
 * nothing for packets to keys that are known. */
#define HD_HELD_MS 2000
#define HD_HELD_MAX 256
typedef enum hd_verdict hd_unknown_fn(struct hd_module *mod,
				      struct hd_worker *w,
				      const struct hd_packet *packet);

/* on_there - a link has a way to a key from now on, be it one more; in the home
 * worker of that key. For each key that another relay tells: be quick. What
 * on_unknown let wait is on its way. */
typedef void hd_there_fn(struct hd_module *mod, struct hd_worker *w,
			 uint16_t realm, const struct hd_key *key);

/* on_wish - a module has called hd_link_wish(), which see; for a module that
 * makes links. In the worker that hd_link_worker() names. */
typedef void hd_wish_fn(struct hd_module *mod, struct hd_worker *w,
			const struct hd_link_wish *wish);

/* ---- in load() ---- */

/* Return 0; -ENOSPC more than HD_HOOKS_MAX. */
HD_API int hd_hook_accept(struct hd_module *mod, hd_accept_fn *fn,
			  struct hd_error *err);
HD_API int hd_hook_hello(struct hd_module *mod, hd_hello_fn *fn,
			 struct hd_error *err);
HD_API int hd_hook_leave(struct hd_module *mod, hd_leave_fn *fn,
			 struct hd_error *err);
HD_API int hd_hook_admit(struct hd_module *mod, hd_admit_fn *fn,
			 struct hd_error *err);
HD_API int hd_hook_packet(struct hd_module *mod, hd_packet_fn *fn,
			  struct hd_error *err);
/* hd_hook_admit_mesh - the same as hd_hook_admit(), of other relays: of logins
 * whose protocol says hd_login.mesh, about which hooks of that one are not
 * asked. */
HD_API int hd_hook_admit_mesh(struct hd_module *mod, hd_admit_fn *fn,
			      struct hd_error *err);
HD_API int hd_hook_here(struct hd_module *mod, hd_here_fn *fn,
			struct hd_error *err);
HD_API int hd_hook_unknown(struct hd_module *mod, hd_unknown_fn *fn,
			   struct hd_error *err);
HD_API int hd_hook_there(struct hd_module *mod, hd_there_fn *fn,
			 struct hd_error *err);
HD_API int hd_hook_wish(struct hd_module *mod, hd_wish_fn *fn,
			struct hd_error *err);
#define HD_HOOKS_MAX 16

/* hd_hook_peer_data - in load(), once: the module wants memory of its own in
 * each peer. Zeroed; there from on_admit to on_leave; those that are here
 * already when the module is loaded have it, zeroed, when serving() is called.
 * It stays when a reload keeps the module's state and asks for the same size,
 * and is freed by the core: it must be plain memory in which nothing is to be
 * freed. A peer for which there is no memory is closed.
 * @size_bytes  1..HD_PEER_DATA_MAX_BYTES
 * Returns 0; -EINVAL another size; -EEXIST asked before; -ENOSPC.
 * hd_peer_data - that memory, aligned for everything. In the peer's worker.
 * Costs a look at the block of each module that asks, so not for each packet.
 * Returns NULL: the module does not ask, or the peer came while it left. */
#define HD_PEER_DATA_MAX_BYTES 65536u
HD_API int hd_hook_peer_data(struct hd_module *mod, uint32_t size_bytes,
			     struct hd_error *err);
HD_API void *hd_peer_data(const struct hd_module *mod,
			  const struct hd_peer *peer);

/* ---- what on_admit may say ---- */

/* hd_admit_reason - why it is denied: for the log and for the client, by
 * health() of its protocol and in the Close frame of a WebSocket. UTF-8;
 * copied, cut off at 123 bytes, between two characters.
 * hd_admit_name - how people call this key: shown beside it. Copied, cut off at
 * 63 bytes, between two characters; what is no UTF-8, and what cannot be shown
 * in a line, becomes ?. Of several hooks the last one's stands.
 * hd_admit_tenant - whom it may reach: see hd_tenant_of(). Of several hooks
 * the last one's stands. A name that is none, and one more than the relay can
 * have, denies the login: in another tenant it would meet strangers.
 * hd_admit_limits - how much it may send, over all connections of its key; or
 * all of its tenant together, which is that of hd_admit_tenant(), and has the
 * limits of whoever logged in last with some, while anybody is in it. Borrowed.
 * Of several hooks the last one's stand. hd_relay_limit() changes them.
 * hd_admit_mesh - whether it is trusted as another relay from now on, in place
 * of what its protocol says: such a one may say of any packet from whom it is.
 * Of several hooks the last one's stands. Denies the login where its protocol
 * has no presence().
 * All during on_admit, or with a ticket that is held. */
HD_API void hd_admit_reason(struct hd_ticket *ticket, const char *text);
HD_API void hd_admit_name(struct hd_ticket *ticket, const char *name);
HD_API void hd_admit_tenant(struct hd_ticket *ticket, const char *name);
HD_API void hd_admit_limits(struct hd_ticket *ticket, enum hd_limits_of of,
			    const struct hd_limits *limits);
HD_API void hd_admit_mesh(struct hd_ticket *ticket, bool mesh);
/* hd_admit_wait - during on_admit, before it returns HD_VERDICT_PENDING: the
 * answer may take so long, from now on, in place of the rest of login_timeout:
 * a person decides. When it is over the client is refused with what
 * hd_admit_reason() said. The next hook has login_timeout from its question on.
 * A client that waits holds memory, a descriptor and a place of its listener:
 * bound how many there are. */
HD_API void hd_admit_wait(struct hd_ticket *ticket, uint32_t timeout_ms);
/* hd_admit_hold - keep the ticket past on_admit, when returning
 * HD_VERDICT_PENDING. It is plain memory: a reload that keeps the module's
 * state keeps it. Returns NULL when out of memory. hd_admit_answer - any
 * thread, exactly once; releases the ticket, or nothing if it is NULL.
 * HD_VERDICT_PASS: the hooks behind this one are asked, and may deny or wait in
 * their turn; so does a drain that has begun meanwhile.
 * HD_VERDICT_PENDING: it cannot be known now; on_admit is asked once more, with
 * a new ticket, 50 ms later; after a reload the new code is. So answer when
 * hd_fetch() was cancelled or refused: the module goes, or is replaced.
 * HD_VERDICT_DENY: refused.
 * Nothing happens when nobody waits for it any more: the client has gone, the
 * deadline has passed, or on_admit returned another verdict. */
HD_API struct hd_ticket *hd_admit_hold(struct hd_ticket *ticket);
HD_API void hd_admit_answer(struct hd_ticket **ticket, enum hd_verdict verdict,
			    const char *reason);

#ifdef __cplusplus
}
#endif
