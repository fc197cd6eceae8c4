/* SPDX-License-Identifier: MIT */
/* modules/wg/parts.h - what the engine's files offer each other. Context of
 * all: the engine's worker. Included by state.h. */
#pragma once

struct wg_in { /* a datagram */
	struct wg_addr from, local;
	const uint8_t *data;
	uint32_t len;
};

/* ---- peers.c: who is registered ---- */
struct wg_peer *wg_peer(const struct wg_engine *e, uint32_t id);
struct wg_link *wg_link(const struct wg_engine *e, uint32_t id);
struct wg_peer *wg_peer_by_name(const struct wg_engine *e, const char *name);
struct wg_peer *wg_peer_by_key(const struct wg_engine *e, const uint8_t *key);
/* wg_link_between - two peers, by id; or NULL. */
struct wg_link *wg_link_between(const struct wg_engine *e, uint32_t a,
				uint32_t b);
/* wg_side - which of the link's two ends the peer is. */
static inline unsigned wg_side(const struct wg_link *l, uint32_t peer)
{
	return l->peer[1] == peer;
}
/* wg_other - the peer at the other end. */
static inline struct wg_peer *wg_other(const struct wg_engine *e,
				       const struct wg_link *l, uint32_t peer)
{
	return wg_peer(e, l->peer[!wg_side(l, peer)]);
}
int wg_peer_put(struct wg_engine *e, const struct wg_peer_conf *conf);
void wg_peer_drop(struct wg_engine *e, struct wg_peer *p);
int wg_link_put(struct wg_engine *e, struct wg_peer *a, struct wg_peer *b);
void wg_link_cut(struct wg_engine *e, struct wg_link *l);
void wg_link_drop(struct wg_engine *e, struct wg_link *l);

/* ---- places.c: where peers are, or may be ---- */
int wg_at_add(struct wg_engine *e, const struct wg_addr *addr, uint32_t peer);
void wg_at_drop(struct wg_engine *e, const struct wg_addr *addr,
		uint32_t peer);
struct wg_at_cursor { /* zeroed at first */
	uint32_t at;
	bool begun;
};
struct wg_peer *wg_at_next(const struct wg_engine *e,
			   const struct wg_addr *addr, struct wg_at_cursor *c);
bool wg_is_known(const struct wg_engine *e, const struct wg_addr *addr);
/* wg_is_host_known - the same for all ports of a host; looks at all peers. */
bool wg_is_host_known(const struct wg_engine *e, const struct wg_addr *source);
/* wg_peer_learn - its endpoint is there now.
 * wg_peer_move - and nobody is where it was: its sessions follow. */
void wg_peer_learn(struct wg_engine *e, struct wg_peer *p,
		   const struct wg_addr *addr, const struct wg_addr *local);
void wg_peer_move(struct wg_engine *e, struct wg_peer *p,
		  const struct wg_addr *addr, const struct wg_addr *local);
void wg_peer_forget(struct wg_engine *e, struct wg_peer *p);
void wg_candidate_note(struct wg_engine *e, struct wg_peer *to,
		       const struct wg_addr *addr);
/* wg_candidates - addresses that may be p, newest first. Returns how many. */
unsigned wg_candidates(const struct wg_engine *e, const struct wg_peer *p,
		       struct wg_addr ret[WG_CANDIDATES]);

/* ---- pending.c: initiations that may be answered ---- */
struct wg_pending *wg_pending_at(const struct wg_engine *e, uint32_t id);
struct wg_pending *wg_pending_new(struct wg_engine *e, uint32_t index,
				  const struct wg_peer *to,
				  const struct wg_addr *from, bool known);
/* wg_pending_next - those with this index; *at is the hash cursor. */
struct wg_pending *wg_pending_next(const struct wg_engine *e, uint32_t index,
				   struct wg_at_cursor *c);
/* wg_pending_answered - the one with this index that was sent there. */
struct wg_pending *wg_pending_answered(const struct wg_engine *e,
				       uint32_t index,
				       const struct wg_addr *from);
void wg_pending_drop(struct wg_engine *e, struct wg_pending *p);
/* wg_tries - how many of an address for a peer came to nothing yet.
 * wg_tries_all - in the last WG_PENDING_MS.
 * wg_tries_done - none of those so far did. */
unsigned wg_tries(const struct wg_engine *e, const struct wg_addr *from,
		  const struct wg_peer *to, enum wg_proof least);
unsigned wg_tries_all(const struct wg_engine *e, const struct wg_addr *from,
		      const struct wg_peer *to);
void wg_tries_done(struct wg_engine *e, const struct wg_addr *from,
		   const struct wg_peer *to);
void wg_pendings_sweep(struct wg_engine *e, uint32_t n);

/* ---- sessions.c ---- */
struct wg_session *wg_session(const struct wg_engine *e, uint32_t id);
/* wg_session_new - not confirmed yet.
 * @ends  addr, local and index of both
 * Returns NULL: out of memory. */
struct wg_session *wg_session_new(struct wg_engine *e, struct wg_link *l,
				  unsigned initiator,
				  const struct wg_end ends[2], unsigned proofs);
/* wg_session_find - to whom an index belongs. *ret_to is the end that the
 * packet is for; *ret_here whether it comes from the other end's address. */
struct wg_session *wg_session_find(const struct wg_engine *e, uint32_t index,
				   const struct wg_addr *from,
				   unsigned *ret_to, bool *ret_here);
/* wg_session_others - how many of other links have this index. */
unsigned wg_session_others(const struct wg_engine *e, uint32_t index,
			   const struct wg_link *l);
/* wg_session_fetch_slot, then wg_session_fetch - into the caches, for a packet
 * that comes soon. */
void wg_session_fetch_slot(const struct wg_engine *e, uint32_t index);
void wg_session_fetch(const struct wg_engine *e, uint32_t index);
/* The sessions of a link, newest first; none may end on the way. */
static inline struct wg_session *wg_session_at(const struct wg_engine *e,
					       uint32_t id)
{
	return id == WG_NONE ? NULL : wg_pool_at(&e->sessions, id);
}
#define wg_each_session(e, l, s)                        \
	for (s = wg_session_at(e, (l)->newest); s != NULL; \
	     s = wg_session_at(e, s->older))
/* wg_both_heard_ms - each of the two was, then or later. */
static inline uint64_t wg_both_heard_ms(const struct wg_session *s)
{
	return HD_MIN(s->heard_ms[0], s->heard_ms[1]);
}
/* wg_outproves - both ends of the one have shown a cookie, not of the other.
 * One alone says little: it may be an attacker's own, and the other forged. */
static inline bool wg_outproves(const struct wg_session *a,
				const struct wg_session *b)
{
	return a->proofs == 2 && b->proofs < 2;
}
void wg_session_move(struct wg_engine *e, struct wg_session *s, unsigned side,
		     const struct wg_addr *addr, const struct wg_addr *local);
void wg_session_end(struct wg_engine *e, struct wg_session *s,
		    const char *why);
void wg_sessions_sweep(struct wg_engine *e, uint32_t n);
/* wg_session_ask - may an initiation go to that end? Three times what came from
 * there, and no more. */
bool wg_session_ask(struct wg_engine *e, struct wg_session *s, unsigned side);
/* wg_session_fold - its numbers are in those of the link and the peers. */
void wg_session_fold(struct wg_engine *e, struct wg_session *s);

/* ---- seats.c: how many a link has ---- */
/* wg_room - for one more newcomer with these ends. Returns its `away`. */
unsigned wg_room(struct wg_engine *e, struct wg_link *l,
		 const struct wg_end ends[2]);
/* wg_seat - is there a place for this one to stand? One that is less may have
 * to leave its own. */
bool wg_seat(struct wg_engine *e, const struct wg_session *s);
/* wg_session_count - those between known addresses. */
unsigned wg_session_count(const struct wg_engine *e, const struct wg_link *l);

/* ---- standing.c: which sessions of a link stand ---- */
/* wg_session_sit - it does no longer. */
void wg_session_sit(struct wg_engine *e, struct wg_session *s);
static inline bool wg_spoke_both(const struct wg_session *s)
{
	return s->confirmed && s->heard_ms[!s->initiator] >= s->confirmed_ms;
}
void wg_session_confirm(struct wg_engine *e, struct wg_session *s);
/* wg_session_known - confirmed in an earlier run, or (stood) more. */
bool wg_session_known(struct wg_engine *e, struct wg_session *s, bool stood);
/* wg_session_judge - of a newcomer, or one with an end elsewhere: may it stand,
 * or must it go? Returns false: it is gone. */
bool wg_session_judge(struct wg_engine *e, struct wg_session *s);

/* ---- learn.c: what sessions show of where peers are ---- */
/* wg_session_learn - one that stands. wg_session_learn_end - one peer of it.
 * wg_session_unlearn - the peer is where `by` leads, as it was before. */
void wg_session_learn(struct wg_engine *e, struct wg_session *s);
void wg_session_learn_end(struct wg_engine *e, const struct wg_session *s,
			  unsigned side);
void wg_session_unlearn(struct wg_engine *e, const struct wg_session *s,
			unsigned side, const struct wg_session *by);
/* wg_session_place - where to look for a peer: a tunnel of the link in which
 * the other one, `from`, is at that address: the first choice, or (second) one
 * that leads to another address than `not`. NULL: none. */
struct wg_session *wg_session_place(const struct wg_engine *e,
				    const struct wg_link *l, uint32_t from,
				    const struct wg_addr *from_addr,
				    const struct wg_addr *not);

/* ---- roam.c: ends that may have moved ---- */
/* wg_roam_data - from an address that is not the end's.
 * wg_roam_back - the end itself has spoken. */
void wg_roam_data(struct wg_engine *e, const struct wg_in *in,
		  struct wg_session *s, unsigned to);
void wg_roam_back(struct wg_engine *e, struct wg_session *s, unsigned side);
/* wg_counter_take - one more than a counter: is it above *next, the highest
 * from there? Whoever forges an address can make up a counter there. So one
 * that is further behind than WireGuard's window (8,128) begins anew: if the
 * highest had been genuine, nobody would take this one. */
#define WG_WINDOW 8192
static inline bool wg_counter_take(uint64_t *next, uint64_t now)
{
	if (now <= *next && *next - now <= WG_WINDOW)
		return false;
	*next = now;
	return true;
}
/* wg_roam_copy - what is for this end goes where it may be, too. Returns
 * whether it did: so many times what came from there and no more. */
bool wg_roam_copy(struct wg_engine *e, const struct wg_in *in,
		  struct wg_session *s, unsigned side);
/* wg_has_roamed - one end of a link may be elsewhere, by data alone.
 * wg_roam_doubt - the asker, at the other end, has no answer from there. */
bool wg_has_roamed(const struct wg_engine *e, const struct wg_link *l,
		   unsigned side);
void wg_roam_doubt(struct wg_engine *e, struct wg_link *l, unsigned side,
		   const struct wg_addr *asker);
void wg_roam_expire(struct wg_engine *e, struct wg_session *s);
/* wg_pass - data of a session, to its end. Returns whether it went. */
bool wg_pass(struct wg_engine *e, const struct wg_in *in, struct wg_session *s,
	     unsigned to);

/* ---- paths.c: what the kernel forwards ---- */
void wg_paths_put(struct wg_engine *e, struct wg_session *s);
void wg_paths_remove(struct wg_engine *e, struct wg_session *s);
void wg_paths_read(struct wg_engine *e, struct wg_session *s);
/* wg_paths_all - the fast path comes (put) or goes. */
void wg_paths_all(struct wg_engine *e, bool put);
/* wg_paths_count - what the driver dropped and left to us, into our numbers. */
void wg_paths_count(struct wg_engine *e);

/* ---- tell.c: log lines and events ---- */
void wg_tell_confirmed(const struct wg_engine *e, const struct wg_session *s);
void wg_tell_ended(const struct wg_engine *e, const struct wg_session *s,
		   const char *why);
void wg_tell_denied(const struct wg_engine *e, const struct wg_session *s);
void wg_tell_moved(const struct wg_engine *e, const struct wg_peer *p,
		   const struct wg_addr *old, const char *proof);

/* ---- cookie.c ---- */
void wg_cookie_rotate(struct wg_engine *e);
/* wg_cookie_verify - of an initiation or a response. */
bool wg_cookie_verify(const struct wg_engine *e, const struct wg_addr *from,
		      const uint8_t *message, size_t mac2_at);
/* wg_cookie_reply - in the name of `to`, for whom the message was.
 * @ret  WG_COOKIE_BYTES
 * Returns 0; -ENOMEM. */
int wg_cookie_reply(const struct wg_engine *e, const struct wg_peer *to,
		    const struct wg_addr *from, const uint8_t *message,
		    size_t mac1_at, uint8_t *ret);
/* wg_cookie_demand - the same, sent. */
void wg_cookie_demand(struct wg_engine *e, const struct wg_in *in,
		      const struct wg_peer *to, size_t mac1_at);

/* ---- limits.c ---- */
bool wg_bucket_take(struct wg_bucket *b, uint64_t per_s, uint64_t burst,
		    uint32_t n, uint64_t now_ms);
struct wg_source *wg_source_get(struct wg_engine *e,
				const struct wg_addr *from);
bool wg_source_take(struct wg_engine *e, const struct wg_addr *from);
bool wg_dest_take(struct wg_engine *e, struct wg_peer *to);
void wg_pressure_feel(struct wg_engine *e);
bool wg_pressure(const struct wg_engine *e);
void wg_suspect(struct wg_engine *e, const struct wg_addr *from);
bool wg_is_suspect(struct wg_engine *e, const struct wg_addr *from);
/* wg_caller_find - an address that is not asked for a cookie, or NULL. */
struct wg_caller *wg_caller_find(const struct wg_engine *e,
				 const struct wg_addr *addr);
struct wg_caller *wg_caller_prove(struct wg_engine *e,
				  const struct wg_addr *addr,
				  const struct wg_addr *local);
/* wg_caller_proof - of an address, or NULL for one that has none. */
enum wg_proof wg_caller_proof(const struct wg_engine *e,
			      const struct wg_caller *c);
void wg_caller_credit(struct wg_caller *c);
bool wg_caller_take(const struct wg_engine *e, struct wg_caller *c);
void wg_caller_has_cookie(struct wg_engine *e, const struct wg_addr *addr);
/* wg_caller_spared - may it, once more, come without our cookie? */
void wg_caller_spare(struct wg_engine *e, const struct wg_addr *addr);
bool wg_caller_spared(struct wg_engine *e, const struct wg_addr *addr);

/* ---- blocks.c ---- */
void wg_strike(struct wg_engine *e, const struct wg_addr *from);
bool wg_is_blocked(const struct wg_engine *e, const struct wg_addr *from);
/* wg_block_spare - a peer is there now: the kernel cannot tell who is known. */
void wg_block_spare(struct wg_engine *e, const struct wg_addr *addr);
void wg_blocks_sweep(struct wg_engine *e);
/* @peer  whose packet it was, or NULL */
void wg_drop(struct wg_engine *e, enum wg_drop why, const struct wg_addr *from,
	     struct wg_peer *peer);

/* ---- search.c: whom a handshake message is for ---- */
enum wg_found { WG_FOUND, WG_NOBODY, WG_LATER, WG_BUSY };
/* wg_find_receiver - of an initiation. WG_LATER: wg_init_found() will be
 * called, or nobody has the key. WG_BUSY: there is no time to look. */
enum wg_found wg_find_receiver(struct wg_engine *e, const struct wg_in *in,
			       enum wg_proof proof, struct wg_peer **ret);
/* wg_find_initiator - among the links of the responder. */
enum wg_found wg_find_initiator(struct wg_engine *e, const struct wg_in *in,
				const struct wg_pending *p,
				struct wg_peer **ret);
void wg_search_run(struct wg_engine *e);

/* ---- init.c, response.c, cookies.c, data.c: one message type each ---- */
void wg_on_init(struct wg_engine *e, const struct wg_in *in);
void wg_init_found(struct wg_engine *e, const struct wg_in *in,
		   struct wg_peer *to, enum wg_proof proof);
void wg_on_response(struct wg_engine *e, const struct wg_in *in);
void wg_response_found(struct wg_engine *e, const struct wg_in *in,
		       struct wg_pending *p, struct wg_peer *initiator);
void wg_on_cookie(struct wg_engine *e, const struct wg_in *in);
void wg_on_data(struct wg_engine *e, const struct wg_in *in);

/* ---- route.c ---- */
void wg_route(struct wg_engine *e, const struct hd_datagram *dg);
void wg_route_all(struct wg_engine *e, const struct hd_datagram *v,
		  unsigned n);
/* wg_forward - Returns whether the kernel took it. Counts. */
bool wg_forward(struct wg_engine *e, const struct wg_in *in,
		const struct wg_addr *to, const struct wg_addr *local);

/* ---- persist.c: what was learned outlives the process ---- */
struct wg_saved; /* bytes of the state file, as read, without their seal */
/* wg_saved_read - the file, or the copy before it where that is damaged, which
 * is logged. Returns 0; -ENOENT there is none; -EBADMSG; other -errno. */
int wg_saved_read(struct wg_saved **ret, struct hd_error *err);
void wg_saved_free(struct wg_saved **saved);
/* wg_restore - returns false, and has changed nothing: it is damaged, or of
 * another version. */
bool wg_restore(struct wg_engine *e, const struct wg_saved *saved);
void wg_save_tick(struct wg_engine *e);
/* wg_save_run - the next slice. wg_saving_free - it ends unwritten. */
void wg_save_run(struct wg_engine *e);
void wg_saving_free(struct wg_engine *e);
/* wg_save_all - for unload(), which may write. NULL: out of memory. */
struct wg_saved *wg_save_all(struct wg_engine *e);
/* wg_saved_write - once: it gets its seal. */
int wg_saved_write(struct wg_saved *saved, struct hd_error *err);

/* ---- setup.c: life cycle ---- */
int wg_engine_new(struct hd_module *mod, struct hd_worker *w,
		  struct wg_engine **ret);
void wg_engine_free(struct wg_engine **engine);
void wg_engine_plan(struct wg_engine *e, const struct wg_plan *plan);
