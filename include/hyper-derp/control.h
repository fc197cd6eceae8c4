/* SPDX-License-Identifier: MIT */
/* hyper-derp/control.h - commands that operators give over the control
 * socket. hdctl learns them from the daemon: a module's command needs no
 * change in any tool. doc/reference/control-protocol.md describes the socket.
 *
 * Why some shapes are as they are:
 * - done(): what every worker has collected is often one answer (the one peer
 *   with a key); it is made after the last worker, on the main thread.
 * - hd_call_cursor(): a worker with 10,000 peers is asked in portions, since
 *   each() runs between packets.
 * - hd_call_hold(): an answer that takes time (another process, a helper
 *   thread) does not hold the main thread up. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hd_call; /* one request on its way */

enum hd_role { /* whoever has a role has those before it */
	       HD_ROLE_READ,
	       HD_ROLE_OPERATE, /* commands from here on go to the audit log */
	       HD_ROLE_ADMIN,
};

/* The arguments of a command, as help shows them and as they are checked:
 *   NAME            needed          [NAME]       may be left out
 *   --for DURATION  in brackets     [--exit]     a flag
 *   NAME...         last: one or more words, joined by spaces
 * A NAME decides what is allowed: KEY 4 to 64 hexadecimal digits (nodekey:
 * before them and base64 are taken, and become digits), DURATION
 * as in the configuration (30s), N a number, LEVEL a log level, FILE
 * the text of a file of up to 32 MiB that hdctl reads and sends, so that the
 * relay never opens a file for an operator; else any text. */
struct hd_command {
	const char *words; /* "peer close" */
	const char *args; /* "KEY [--why TEXT]"; "" none */
	const char *help; /* "close the connections of a key" */
	enum hd_role role;
	/* run - main thread; must not block. */
	void (*run)(struct hd_module *mod, struct hd_call *call);
	/* each, then done (may be NULL) - instead of run: in every worker in
	 * turn, then on the main thread. Without done, the answer is a list
	 * and each puts its rows, with the name NULL. With done, each puts
	 * nothing, and collects in hd_call_data(). */
	void (*each)(struct hd_module *mod, struct hd_call *call,
		     struct hd_worker *w);
	void (*done)(struct hd_module *mod, struct hd_call *call);
	/* For tools that print an array of objects to people: the members that
	 * become columns, "key addr bytes_in"; NULL: all. */
	const char *columns;
};

/* hd_command_add - in load(); gone after unload.
 * @command  not copied: it and what it names live as long as the module, as
 *           a static const does. (A route or listener is copied since it is
 *           often made from the configuration; a command never is.)
 * Returns 0; -EEXIST the words are taken; -EINVAL arguments that nobody could
 * read; -ENOMEM. */
HD_API int hd_command_add(struct hd_module *mod,
			  const struct hd_command *command,
			  struct hd_error *err);

/* ---- during a call; wherever the call is ---- */

/* hd_call_arg - "key" for KEY, "for" for --for DURATION; a flag is "true".
 * Returns NULL when it was left out, or when args names no such thing, which is
 * logged as a bug. hd_call_arg_ms - a DURATION. */
HD_API const char *hd_call_arg(const struct hd_call *call, const char *name);
HD_API uint64_t hd_call_arg_ms(const struct hd_call *call, const char *name,
			       uint64_t def_ms);
/* hd_call_arg_key - a KEY that must be whole: 64 digits, since to do something
 * to another key that begins alike would be worse than more to type.
 * Returns whether it is; false too, without a refusal, when it was left out.
 * Else the call has been refused (bad_argument). */
HD_API bool hd_call_arg_key(struct hd_call *call, const char *name,
			    struct hd_key *ret_key);
/* hd_call_error - the answer is a refusal: a sentence with the remedy. The
 * first one stands. */
HD_API void hd_call_error(struct hd_call *call, const char *fmt, ...)
	HD_PRINTF(2, 3);
/* hd_call_refuse - the same with a code of the module's own, for programs:
 * a word in lower case that lives as long as the module. */
HD_API void hd_call_refuse(struct hd_call *call, const char *code,
			   const char *fmt, ...) HD_PRINTF(3, 4);
/* hd_call_data - zeroed memory that lives as long as the call. The first call
 * makes it. Returns NULL when out of memory; the answer says so. */
HD_API void *hd_call_data(struct hd_call *call, size_t size);
/* hd_call_cursor - 0 at first in each worker. If each() leaves another value,
 * it is called again in the same worker's next turn. */
HD_API uint64_t *hd_call_cursor(struct hd_call *call);
/* hd_call_hold - in run() or done(): the answer comes later.
 * hd_call_answer - it is complete. Any thread, exactly once. */
HD_API void hd_call_hold(struct hd_call *call);
HD_API void hd_call_answer(struct hd_call **call);

/* ---- the answer: JSON, written in order ---- */

/* @name  the member's name; NULL in an array, and for the whole answer
 * Text that is no UTF-8 has U+FFFD in its place. */
HD_API void hd_out_open(struct hd_call *call, const char *name, char kind);
HD_API void hd_out_close(struct hd_call *call); /* kind was '{' or '[' */
HD_API void hd_out_string(struct hd_call *call, const char *name,
			  const char *text); /* NULL: null */
HD_API void hd_out_uint(struct hd_call *call, const char *name, uint64_t n);
HD_API void hd_out_int(struct hd_call *call, const char *name, int64_t n);
HD_API void hd_out_bool(struct hd_call *call, const char *name, bool on);
HD_API void hd_out_double(struct hd_call *call, const char *name, double v);
HD_API void hd_out_key(struct hd_call *call, const char *name,
		       const struct hd_key *key);

#ifdef __cplusplus
}
#endif
