/* SPDX-License-Identifier: MIT */
/* hyper-derp/base.h - the few values and idioms that every header shares.
 *
 * Ownership, everywhere in this API: `x *` borrows until the call returns,
 * `x **` takes (and is NULL afterwards, also on failure), `ret_x` gives. The
 * exceptions are said where they are:
 * - `void *arg` beside a callback is only handed on. It stays the module's,
 *   which keeps it until the callback cannot come any more. With a hd_drop_fn
 *   beside it (task.h, fetch.h) it is taken, also on failure.
 * - What a module registers is copied, unless its docstring says that it must
 *   live as long as the module (tables, what they name, hd_command).
 * - void pointers are freed as such: hd_secret_free().
 * A length in bytes is called len_bytes, or n where it is clear that bytes are
 * meant; the room of a buffer is its size.
 * Errors are negative errno values; where a person reads the failure a
 * struct hd_error comes last and is filled whenever the result is < 0.
 * Modules and core are one process. What a docstring forbids (a length out of
 * its range, NULL where nothing says that it may be) is the module's bug: the
 * relay ends, with a line `bug:` where it is noticed. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* HD_API - what the relay shows to modules, and a module to the relay.
 * HD_PRINTF - the compiler checks the arguments as those of printf(). */
#define HD_API __attribute__((visibility("default")))
#define HD_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

struct hd_module;  /* a loaded module: owns everything it registers */
struct hd_worker;  /* a thread and its ring */
struct hd_stream;  /* a TCP connection, TLS or not */
struct hd_udp;     /* a UDP socket of one worker */
struct hd_peer;    /* an admitted connection, on its key's home worker */
struct hd_request; /* an HTTP request, during the call that answers it */

#define HD_KEY_BYTES 32 /* of a Curve25519 key */

struct hd_key { /* a Curve25519 public key */
	uint8_t b[HD_KEY_BYTES];
};

union hd_addr { /* an IPv4 or IPv6 address and port */
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Text of an address as 192.0.2.1:443 or [2001:db8::1]:443; IPv4-mapped
 * addresses print as IPv4. Returns buf. */
#define HD_ADDR_TEXT_BYTES 64
HD_API const char *hd_addr_text(const union hd_addr *addr,
				char buf[HD_ADDR_TEXT_BYTES]);

/* hd_verdict - what a hook says: ask the next module, refuse, or "I will answer
 * later" (hook.h). */
enum hd_verdict { HD_VERDICT_PASS, HD_VERDICT_DENY, HD_VERDICT_PENDING };

enum hd_close { /* why a stream ended; hd_close_text() names it in the log */
	HD_CLOSE_DONE,     /* our side had nothing more to say */
	HD_CLOSE_PROTOCOL, /* the peer broke its protocol */
	HD_CLOSE_DENIED,   /* not admitted */
	HD_CLOSE_TIMEOUT,  /* login deadline */
	HD_CLOSE_SLOW,     /* write timeout, or a control frame did not fit */
	HD_CLOSE_PEER,     /* the peer closed */
	HD_CLOSE_ERROR,    /* the socket or TLS failed */
	HD_CLOSE_DRAIN,    /* the relay drains or stops */
	HD_CLOSE_KICKED,   /* an operator or a trusted peer asked for it */
	HD_CLOSE_N,
	HD_CLOSE_MODULE = 64 /* the first of those that modules name */
};

/* struct hd_close_reason - a reason of a module's own: a row of
 * hd_module_def.reasons, which is the module's memory and never changes. It
 * narrows one of the core's. Row i is closed with HD_CLOSE_OWN(i):
 *
 *	enum { BAD_NAME, FLOOD };
 *	static const struct hd_close_reason reasons[] = {
 *		[BAD_NAME] = { .word = "bad_name", .like = HD_CLOSE_PROTOCOL },
 *		[FLOOD] = { .word = "flood", .like = HD_CLOSE_DENIED,
 *			    .ws_code = 4001, .ws_reason = "too fast" },
 *		HD_CLOSE_REASON_END,
 *	};
 *	hd_stream_close(s, HD_CLOSE_OWN(FLOOD));
 *
 * Every function that takes an enum hd_close takes it, for streams of this
 * module; closed() gets it. From version to version append rows only, remove
 * and move none: a reload may find connections that are closing, which have
 * the number of a row.
 * HD_CLOSE_REASON_END - the last row.
 * HD_CLOSE_REASONS_MAX - rows of a module. */
struct hd_close_reason {
	const char *word; /* of a-z, 0-9 and `_`, up to 31; none of the core's:
			     what the log, the trace and events say */
	enum hd_close like; /* the core's that it is a kind of: metrics count
			       that one, and HD_CLOSE_DONE is in no trace */
	uint16_t ws_code; /* in a WebSocket's Close frame, as hd_ws_close() has
			     it; 0: that of like */
	const char *ws_reason; /* its text, UTF-8, 123 bytes; NULL: none */
};
#define HD_CLOSE_REASONS_MAX 64
#define HD_CLOSE_REASON_END { .word = NULL }
/* HD_CLOSE_OWN - the reason in that row of the module's table. */
#define HD_CLOSE_OWN(row) ((enum hd_close)(HD_CLOSE_MODULE + (int)(row)))

/* hd_close_text - "slow receiver", as the log has it. Any thread.
 * @mod  whose stream it is: has the words of HD_CLOSE_OWN(); may be NULL
 * Returns "unknown" for what there is not. A module's word lives until it is
 * reloaded or unloaded. */
HD_API const char *hd_close_text(const struct hd_module *mod,
				 enum hd_close why);

struct hd_error { /* one sentence: what failed, where, what to do */
	char text[512];
};

/* hd_error_set - fill an error.
 * @err   may be NULL
 * @code  negative errno
 * Returns code, so that a failing function ends in `return hd_error_set(…)`. */
HD_API int hd_error_set(struct hd_error *err, int code, const char *fmt, ...)
	HD_PRINTF(3, 4);

/* hd_assert - stays on in releases; for our own bugs, never for input. */
HD_API void hd_assert_fail(const char *what, const char *file, int line)
	__attribute__((noreturn, cold));
#define hd_assert(what)                                                        \
	do {                                                                   \
		if (__builtin_expect(!(what), 0))                              \
			hd_assert_fail(#what, __FILE__, __LINE__);             \
	} while (0)

/* HD_CHECK_MAGIC - where a pointer comes from a slot or a void *. */
#define HD_CHECK_MAGIC(obj, want)                                              \
	hd_assert((obj) != NULL && (obj)->magic == (want))

/* HD_ARRAY_N - the elements of an array. HD_MIN and HD_MAX evaluate their
 * arguments twice. hd_container_of - the struct whose member ptr points to. */
#define HD_ARRAY_N(a) (sizeof(a) / sizeof(*(a)))
#define HD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define HD_MAX(a, b) ((a) > (b) ? (a) : (b))
#define hd_container_of(ptr, type, member)                                     \
	((type *)((char *)(ptr)-offsetof(type, member)))

#ifndef __cplusplus
/* HD_AUTO(x_free) struct x *x = NULL; - x_free(struct x **) runs at the end of
 * the scope. hd_steal(&x) hands the value on and leaves NULL behind. */
#define HD_AUTO(free_fn) __attribute__((cleanup(free_fn)))
#define hd_steal(ptr)                                                          \
	({                                                                     \
		__auto_type hd_p_ = (ptr);                                     \
		__auto_type hd_v_ = *hd_p_;                                    \
		*hd_p_ = NULL;                                                 \
		hd_v_;                                                         \
	})
#endif

#ifdef __cplusplus
}
#endif
