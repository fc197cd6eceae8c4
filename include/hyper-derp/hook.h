/* SPDX-License-Identifier: MIT */
/* hyper-derp/hook.h - questions that the core asks, in load order. The first
 * answer that is not HD_VERDICT_PASS stands. */
#pragma once
#include <hyper-derp/relay.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who asks to be let in; borrowed for the call. */
struct hd_admission {
	const struct hd_login *login;
	const union hd_addr *from; /* the client */
	const char *proto; /* "derp" */
	const char *listener; /* its name in `listen:`; NULL: it has none */
	const char *server_name; /* SNI (RFC 6066, 3); NULL: none, or no TLS */
	const char *tenant; /* that a hook before has set; "" none */
};

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

/* In load(). Return 0; -ENOSPC more than HD_HOOKS_MAX. */
HD_API int hd_hook_admit(struct hd_module *mod, hd_admit_fn *fn,
			 struct hd_error *err);
HD_API int hd_hook_packet(struct hd_module *mod, hd_packet_fn *fn,
			  struct hd_error *err);
#define HD_HOOKS_MAX 16

/* hd_admit_reason - why it is denied: for the log and for the client, by
 * health() of its protocol and in the Close frame of a WebSocket. UTF-8;
 * copied, cut off at 123 bytes, between two characters.
 * hd_admit_name - how people call this key: shown beside it. Copied, cut off at
 * 63 bytes, between two characters; what is no UTF-8, and what cannot be shown
 * in a line, becomes ?. Of several hooks the last one's stands.
 * hd_admit_tenant - whom it may reach: see hd_tenant_of(). Of several hooks
 * the last one's stands. A name that is none, and one more than the relay can
 * have, denies the login: in another tenant it would meet strangers.
 * All during on_admit, or with a ticket that is held. */
HD_API void hd_admit_reason(struct hd_ticket *ticket, const char *text);
HD_API void hd_admit_name(struct hd_ticket *ticket, const char *name);
HD_API void hd_admit_tenant(struct hd_ticket *ticket, const char *name);
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
