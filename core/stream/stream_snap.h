/* SPDX-License-Identifier: MIT */
/* core/stream/stream_snap.h - a stream goes to another process: the old one
 * writes it down and keeps it as it is until it is told that the new one has
 * it. Context: the stream's worker, parked. */
#pragma once
#include "core/base/snap.h"
#include "core/stream/stream.h"

struct hd_tls;

/* hd_stream_stays - why it cannot go, in words; NULL: it can, as far as streams
 * know. */
const char *hd_stream_stays(const struct hd_stream *s);
/* hd_stream_pack - the fields of the stream, in the item that is open. Nothing
 * may be under way; TLS: hd_tls_pack_secret() is still due.
 * hd_stream_given - the new process has it: every key of it is wiped here,
 * nobody finds it any more, nothing is read or sent. Its memory and its
 * descriptor stay: the relay's tables name it, and this process ends. */
void hd_stream_pack(const struct hd_stream *s, struct hd_snap *to);
void hd_stream_given(struct hd_stream *s);

/* ---- in the new process ---- */

struct hd_adopted { /* a stream that is being read */
	struct hd_stream *s; /* in no worker yet */
	struct hd_tls *tls; /* without keys */
	struct hd_snap_in state;
	char *module, *proto;
	uint64_t index, seen;
	struct hd_snap_in listener;
	uint64_t flags;
	bool handed; /* s->state is set */
};

/* hd_adopted_new - returns 0; -ENOMEM. hd_adopted_free - and what was not
 * taken of it; its descriptor, if it has one, is closed.
 * hd_adopted_take - one item of the stream. Returns 1 taken; 0 it is none of
 * the stream's; -EBADMSG; -ENOTSUP; -ENOMEM.
 * hd_adopted_finish - all items were taken: looks up listener and protocol.
 * @fd  taken, also on failure
 * Returns 0; -EBADMSG; -ENOENT there is no such listener, protocol or state
 * here: err says which.
 * hd_adopted_enter - it is a stream of w from now on; nothing is read or sent
 * before hd_adopted_begin(). Takes a->s. Returns 0; -errno.
 * hd_adopted_back - it is the old process's again: nothing is left of it here
 * but its descriptor, which is returned. Its user has gone before.
 * hd_adopted_begin - all have come: those go on that wait for nothing from
 * their socket. What is in sockets the kernel tells, which watches them since
 * they have entered. */
int hd_adopted_new(struct hd_adopted *a);
void hd_adopted_free(struct hd_adopted *a);
int hd_adopted_take(struct hd_adopted *a, struct hd_worker *w,
		    const struct hd_snap_item *item, struct hd_error *err);
int hd_adopted_finish(struct hd_adopted *a, int fd, struct hd_module *mod,
		      const struct hd_proto *proto,
		      const struct hd_listener *listener, struct hd_error *err);
int hd_adopted_enter(struct hd_adopted *a, struct hd_worker *w);
int hd_adopted_back(struct hd_stream **stream);
void hd_adopted_begin(struct hd_worker *w);
/* hd_adopted_listener - how a listener is named: its address and whether it has
 * TLS. @ret  HD_LISTENER_ID_BYTES */
#define HD_LISTENER_ID_BYTES 20
void hd_listener_id(const struct hd_listener *l,
		    uint8_t ret[static HD_LISTENER_ID_BYTES]);
