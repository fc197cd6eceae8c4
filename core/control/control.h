/* SPDX-License-Identifier: MIT */
/* core/control/control.h - the control socket. Main thread, but for what
 * hd_call_*() say of themselves.
 *
 * Files: control.c the socket, control_client.c a connection and its lines,
 * control_request.c a line becomes a call, control_call.c the call's way
 * through the workers and back, control_event.c watchers,
 * control_audit.c lines for the audit log, control_role.c who
 * may what, control_table.c and control_args.c commands. The protocol:
 * doc/reference/control-protocol.md. */
#pragma once
#include <hyper-derp/control.h>
#include <sys/types.h>
#include "core/base/descriptors.h"
#include "core/base/json_text.h"
#include "core/conf/conf.h"
#include "core/control/control_table.h"
#include "core/loop/mainloop.h"

enum {
	HD_CONTROL_CLIENTS_MAX = 1000,
	HD_CONTROL_READERS_MAX = 500, /* who may only read, all together */
	HD_CONTROL_READER_CLIENTS_MAX = 16, /* of one such user */
	HD_CONTROL_LINE_MAX_BYTES = 64 * 1024,
	/* of one client at a time that may operate: a file, as JSON */
	HD_CONTROL_LONG_MAX_BYTES = 40 * 1024 * 1024,
	HD_CONTROL_VALUES_MAX = HD_CONTROL_LINE_MAX_BYTES, /* of JSON, a line */
	HD_CONTROL_ANSWER_MAX_BYTES = 64 * 1024 * 1024,
	HD_CONTROL_CALLS_MAX = 64, /* in workers, at a time */
	HD_CONTROL_UNREAD_MAX_BYTES = 256 * 1024 * 1024, /* of all clients */
	HD_CONTROL_WAITING_MAX_BYTES = 1024 * 1024, /* of events, for one */
	HD_CONTROL_STALL_MS = 10000, /* takes no byte for so long: closed */
	HD_CONTROL_EVENTS_MAX = 4096, /* on their way to the main thread */
	HD_CONTROL_FILTERS_MAX = 16,
	HD_CONTROL_ID_BYTES = 72,
};

/* ---- control.c ---- */

/* hd_control_open - bind the socket. Before privileges are dropped. Where it
 * cannot be bound, that is an error if the configuration names it, else a
 * warning. hd_control_start - take connections, once workers run.
 * hd_control_stop - close all; before the workers stop.
 * hd_control_free - after they have. */
int hd_control_open(const struct hd_conf *conf, struct hd_error *err);
int hd_control_start(struct hd_error *err);
void hd_control_stop(void);
void hd_control_free(void);
const char *hd_control_path(void); /* NULL: no socket */
/* hd_control_fd - the socket's; -1: none. hd_control_inherit - before
 * hd_control_open(): the process before this one has it open; taken. */
int hd_control_fd(void);
void hd_control_inherit(int fd);
void hd_control_ended(void); /* a client has: there is room */
/* hd_control_replaced - this process ends, and another one answers: everybody
 * gets a last line, whatever its filters, and who asks is told to ask that one.
 * Waits for who reads slowly, 5 s at most, and 1 s for who does not read. */
void hd_control_replaced(pid_t pid);

/* ---- control_role.c ---- */

struct hd_who { /* the other end */
	uid_t uid;
	pid_t pid;
	enum hd_role role;
};
struct hd_role_rules {
	gid_t group; /* whose members operate; (gid_t)-1: there is none */
	bool others_read;
};
/* hd_role_rules - from control.group and control.others. */
int hd_role_rules(const struct hd_conf *conf, struct hd_role_rules *ret,
		  struct hd_error *err);
/* hd_role_of - returns 0; -EACCES may not even ask; -errno. */
int hd_role_of(int fd, const struct hd_role_rules *rules, struct hd_who *ret);
static inline enum hd_fds hd_who_fds(const struct hd_who *who)
{
	return who->role < HD_ROLE_OPERATE ? HD_FDS_READER : HD_FDS_OPERATOR;
}
/* The decision itself. */
int hd_role_decide(uid_t uid, const gid_t *groups, size_t n,
		   const struct hd_role_rules *rules, enum hd_role *ret);

/* ---- control_client.c ---- */

struct hd_client {
	int fd;
	struct hd_who who;
	struct hd_client *next, *prev;
	char *in; /* from in_off on: what came of a line, and behind it */
	size_t in_off, in_len, in_size;
	size_t in_seen; /* up to here the next line does not end */
	struct hd_json out; /* what is to be written, from out_off on */
	size_t out_off;
	uint64_t stalled_ms; /* since when nothing is taken; 0: nothing waits */
	struct hd_call *call; /* the next line waits for its answer */
	bool skipping; /* a line that was too long: up to its end */
	bool working; /* hd_client_go_on() is under way */
	bool ended; /* wrote its last; close when nothing is left to do */
	bool gone; /* the other end is closed */
	bool broken; /* close at once */
	bool watching;
	char *filters[HD_CONTROL_FILTERS_MAX]; /* none: every event */
	uint64_t events_lost;
};

/* hd_client_new - takes fd, and its place in core/base/descriptors.h: reader or
 * operator. Returns NULL: out of memory, fd is closed. */
struct hd_client *hd_client_new(int fd, const struct hd_who *who);
/* hd_client_send - append a line; hd_client_take - all of out, without a copy.
 * They may mark the client as broken, not free it. */
void hd_client_send(struct hd_client *c, const char *line, size_t n);
void hd_client_take(struct hd_client *c, struct hd_json *out);
/* hd_client_go_on - write, take the next line, close: what is due. May free
 * it: nothing of it may be used afterwards. */
void hd_client_go_on(struct hd_client *c);
void hd_client_receive(struct hd_client *c); /* what it has sent; before */
unsigned hd_clients_n(void);
/* hd_clients_each - fn may mark, not free, and returns whether something is
 * due now. hd_clients_tick - close those that
 * stalled. hd_clients_deaf - what they send is not looked at: this process
 * ends, its workers stand; off: in one last turn, all of it.
 * hd_clients_close - all. */
void hd_clients_each(bool (*fn)(struct hd_client *c, void *arg), void *arg);
void hd_clients_tick(uint64_t now_ms);
void hd_clients_deaf(bool on);
void hd_clients_close(void);

/* ---- control_request.c ---- */

/* hd_client_request - a line, without its end. Answers it or begins a call. */
void hd_client_request(struct hd_client *c, const char *line, size_t n);
/* hd_requests_refuse - every line is answered "upgraded" from now on.
 * hd_client_refuse - a line that never became a call. @id  JSON, "null" unknown
 * hd_client_interrupt - its call has no end here: the client is told.
 */
void hd_requests_refuse(void);
void hd_client_interrupt(struct hd_client *c);
void hd_client_refuse(struct hd_client *c, const char *id, const char *code,
		      const char *why);

/* ---- control_call.c ---- */

struct hd_call {
	struct hd_main_post post; /* on its way back */
	struct hd_call *next, *prev;
	struct hd_client *client; /* NULL: it has gone */
	struct hd_who who;
	struct hd_command_entry entry;
	struct hd_arg_values values;
	char id[HD_CONTROL_ID_BYTES]; /* JSON */
	struct hd_json out;
	size_t out_begin; /* where the data begins */
	unsigned base; /* the depth that the command cannot leave */
	struct hd_error err; /* "" none */
	const char *code; /* of the error */
	void *data;
	void (*release)(void *data); /* what data points to; may be NULL */
	uint64_t cursor;
	bool held;
};

/* hd_call_begin - takes the call. hd_call_lost - its client has gone. */
struct hd_call *hd_call_new(struct hd_client *c, const char *id,
			    const struct hd_command_entry *e);
void hd_call_free(struct hd_call **call);
void hd_call_begin(struct hd_call **call);
void hd_call_lost(struct hd_call *call);
/* hd_call_fail - hd_call_error() with a code of the protocol. */
void hd_call_fail(struct hd_call *call, const char *code, const char *text);
/* hd_control_calls - how many calls of a module are under way. */
unsigned hd_control_calls(const struct hd_module *mod);

/* ---- control_audit.c ---- */

/* hd_control_audit - a command is over, or was refused: a line for the audit
 * log. @entry, @values  NULL: it did not come so far;
 * without an entry the log is told, too. Who may not: 20 lines a second are
 * written at most; the next says how many more there were. Main thread.
 * @why  "" there is nothing to say */
void hd_control_audit(const struct hd_who *who,
		      const struct hd_command_entry *entry,
		      const struct hd_arg_values *values, const char *result,
		      const char *why);

/* ---- control_event.c ---- */

void hd_watch_begin(struct hd_client *c, const char *filters);
void hd_watch_end(struct hd_client *c);
uint64_t hd_events_lost(void);
