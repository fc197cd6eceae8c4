/* SPDX-License-Identifier: MIT */
/* core/daemon/upgrade.h - a new binary takes over every connection.
 *
 *   old                                  new (a child, exec of the binary)
 *   spawn -------- HELLO, listeners ---> reads the configuration, loads
 *                                        modules, starts workers: parked
 *     <--------------- PREPARED -------
 *        -------- AHEAD, SECRETS, ----->  adopts a part of the connections;
 *                 DESCRIPTORS, END        touches no socket
 *     <--------------- TAKEN ----------
 *   and so on, while it serves; then
 *   parks its workers, settles
 *        -------- SNAPSHOT, SECRETS, --->
 *                 DESCRIPTORS, END       adopts what has changed since
 *     <--------------- READY ----------  (which ones it could not take)
 *   GO ------------------------------->  workers go on
 *   says goodbye to the rest, ends
 *
 * Until GO has been sent the old one has all it had, and after any failure it
 * goes on. From GO on it uses no descriptor and no key that it gave away. The
 * new one that finds the old one dead between READY and GO goes on, too.
 * doc/internals/upgrade.md.  Main thread.
 *
 * Files: upgrade_wire.c messages; upgrade_old.c the old one's main thread,
 * upgrade_spawn.c how it starts the new one, upgrade_files.c what it reads for
 * it, upgrade_look.c what it sees before, upgrade_ahead.c what goes ahead,
 * upgrade_hand.c while its workers stand, upgrade_give.c what they do;
 * upgrade_new.c the new one's, upgrade_arrive.c what comes to it,
 * upgrade_take.c and upgrade_stream.c what its workers do. */
#pragma once
#include <hyper-derp/base.h>
#include <pthread.h>
#include <sys/types.h>
#include "core/base/pack.h"
#include "core/cmd/cmd.h"
#include "core/module/module_pack.h"

struct hd_daemon;
struct hd_worker;

/* ---- the old process ---- */

/* hd_upgrade_begin - returns 0: asked->done() will be called; negative with
 * err: it will not. One at a time: -EBUSY.
 * hd_upgrade_init - at the start, while our file has the name that it had. */
int hd_upgrade_begin(const struct hd_upgrade_asked *asked,
		     struct hd_error *err);
void hd_upgrade_init(struct hd_daemon *d);
/* hd_upgrade_stop - this process is about to stop: one under way is over. */
void hd_upgrade_stop(void);

/* ---- the new process ---- */

/* hd_upgrade_hello - before anything is opened: takes the old one's listeners.
 * Does not return when that fails. @fd  of --take-over
 * hd_upgrade_take - the workers stand parked: take all over; they may go on.
 * Does not return when it fails: what the old one has is not ours.
 * hd_upgrade_taken - they do. hd_upgrade_failed - say why to the old one, and
 * end: before hd_upgrade_take() returns.
 * hd_upgrade_is_new - until hd_upgrade_take() has returned.
 * hd_upgrade_announces - the service manager hears of us when the old one has
 * ended: it would not listen before. */
void hd_upgrade_hello(int fd);
void hd_upgrade_take(struct hd_daemon *d);
void hd_upgrade_taken(void);
void hd_upgrade_failed(const struct hd_error *err) __attribute__((noreturn));
bool hd_upgrade_is_new(void);
bool hd_upgrade_announces(void);

/* ---- between the two: upgrade_wire.c ---- */

enum hd_upgrade_type {
	HD_UP_HELLO = 1, /* descriptors of listeners, of UDP sockets */
	HD_UP_CONTROL, /* the control socket's */
	HD_UP_HELLO_END,
	HD_UP_PREPARED, /* version, modules and their state: a snapshot */
	HD_UP_FAILED, /* a text */
	HD_UP_SNAPSHOT, /* a memfd; n: streams; data: struct hd_up_more */
	HD_UP_SECRETS, /* a part of them */
	HD_UP_DESCRIPTORS, /* of streams, then of modules */
	HD_UP_END,
	HD_UP_READY, /* a part of: a byte each stream, 0 taken, 1 refused */
	HD_UP_GO,
	HD_UP_AHEAD, /* as HD_UP_SNAPSHOT: some streams, while workers turn */
	HD_UP_TAKEN, /* those */
	HD_UP_HELLO_ANY, /* of one listener with port 0; data: its label */
	HD_UP_FILE, /* data: a path; the answer: what is in it, n bytes in all,
		       0: not known */
};

/* n of HD_UP_HELLO_END: bits, what the old one answers, before PREPARED. */
enum { HD_UP_ANSWERS_FILE = 1 };

/* What has become of a stream that went ahead: a byte of HD_SNAP_AHEAD. */
enum hd_since {
	HD_AHEAD_SAME,
	HD_AHEAD_AGAIN, /* it has changed: it comes once more */
	HD_AHEAD_GONE, /* it goes no more */
};

struct hd_up_more { /* of HD_UP_SNAPSHOT, HD_UP_AHEAD */
	uint64_t secrets_bytes, module_fds;
};

/* Which streams it takes while the old one still has them: HD_SNAP_TAKES_AHEAD.
 */
enum hd_ahead_goes {
	HD_AHEAD_NONE,
	HD_AHEAD_PLAIN, /* beside which no module packs anything */
	HD_AHEAD_PACKED, /* and those of modules with HD_MODULE_AHEAD */
};

#define HD_UP_DATA_BYTES 32768
#define HD_UP_FDS 128

struct hd_upgrade_message {
	uint32_t type;
	uint32_t len, n_fds;
	uint64_t n;
	uint8_t *data; /* of receive: HD_UP_DATA_BYTES that the caller has */
	int fds[HD_UP_FDS]; /* of receive: whoever gets them closes them */
};

/* hd_upgrade_send - within 5 s. Returns 0; -EPIPE the other one has gone;
 * -EAGAIN it does not take it; -errno.
 * hd_upgrade_receive - @until_ms of hd_clock_ms(). Returns 0; -EPIPE;
 * -ETIMEDOUT; -EBADMSG; -EMFILE its descriptors are too many for our limit.
 * hd_upgrade_bound - neither waits any longer than until then, from now on:
 * however many messages there are. hd_upgrade_is_late - it is past. */
int hd_upgrade_send(int fd, const struct hd_upgrade_message *m);
int hd_upgrade_receive(int fd, uint64_t until_ms, struct hd_upgrade_message *m);
void hd_upgrade_bound(uint64_t until_ms);
bool hd_upgrade_is_late(void);
/* hd_upgrade_say - no data, no descriptors. hd_upgrade_send_bytes - as many
 * messages as it takes. hd_upgrade_send_fds - the same. */
int hd_upgrade_say(int fd, enum hd_upgrade_type type, uint64_t n);
int hd_upgrade_send_bytes(int fd, enum hd_upgrade_type type, const uint8_t *p,
			  size_t n);
int hd_upgrade_send_fds(int fd, enum hd_upgrade_type type, const int *v,
			size_t n);

/* ---- in workers, which stand parked ---- */

struct hd_give { /* upgrade_give.c; of the old one */
	struct hd_upgrade_report *report;
	/* state versions of the new one's modules, by ours: PREPARED */
	uint64_t theirs[HD_MODULES_MAX];
	bool has[HD_MODULES_MAX]; /* it has loaded it */
	bool reads[HD_MODULES_MAX]; /* it knows what ours packs */
	enum hd_ahead_goes ahead_goes;
	struct hd_ahead *ahead; /* which have gone so; NULL: none */
	struct hd_snap *snaps; /* one each worker */
	struct hd_pack_fds fds; /* of modules */
	uint8_t *key; /* secret memory: fds.key */
	pthread_mutex_t lock;
	int error; /* the first of those that workers have met, and why */
	struct hd_error why;
	struct hd_stream **gifts; /* by index; NULL: it went ahead, and ended */
	size_t n, size;
	size_t secrets; /* of those that go now */
	const uint8_t *refused;
};

/* upgrade_look.c, upgrade_give.c
 *
 * hd_give_read - what PREPARED says. Returns 0; negative with err: this binary
 * cannot take over.
 * hd_give_await - nobody new is accepted: until those who are just coming have
 * logged in, or for limit_ms. While workers turn.
 * hd_give_count - how many could move, and why others cannot, now, while
 * workers turn; _parked: while they stand. hd_give_stays - why one cannot;
 * NULL: it can.
 * hd_give_settle - they are parked: until nothing is under way
 * between workers or to the kernel. Returns 0; -EBUSY.
 * hd_give_key - the key of secrets that modules pack, once. Returns -ENOMEM.
 * hd_give_pack - all that can go, and the report says what does not.
 * @ret  one snapshot; @ret_secrets  in memory of hd_secret_alloc()
 * @err  empty: -errno says it
 * hd_give_gone - it has been taken, but for those that @refused names: it is
 * not ours any more. hd_give_rest - the others get a goodbye. hd_give_free -
 * what this is made of. Return 0; -errno. */
int hd_give_read(struct hd_give *g, struct hd_snap_in in, struct hd_error *err);
void hd_give_head(struct hd_snap *to); /* also what PREPARED says */
void hd_give_await(uint64_t limit_ms);
void hd_give_count(struct hd_give *g);
void hd_give_count_parked(struct hd_give *g);
const char *hd_give_stays(const struct hd_give *g, const struct hd_stream *s);
int hd_give_settle(void);
int hd_give_key(struct hd_give *g);
int hd_give_pack(struct hd_give *g, struct hd_snap *ret,
		 struct hd_snap *ret_secrets, struct hd_error *err);
/* hd_give_fds - those that have not gone ahead, then those of modules.
 * @ret_n  how many. NULL: out of memory */
int *hd_give_fds(const struct hd_give *g, size_t *ret_n);
void hd_give_gone(struct hd_give *g, const uint8_t *refused);
void hd_give_rest(void);
void hd_give_free(struct hd_give *g);

/* hd_give_stream - the item of one stream. Returns 0; negative, err may say
 * why. */
int hd_give_stream(struct hd_give *g, struct hd_stream *s, uint64_t index,
		   struct hd_snap *to, struct hd_error *err);

/* upgrade_spawn.c. hd_spawn - the new process: its pid, and our end of the
 * socket pair. hd_spawn_end - wait for its own end that long, kill it, and wait
 * until it is dead. Returns its wait status. hd_spawn_signals - who signals us
 * now means the relay: it gets them, ends last. */
int hd_spawn(const char *binary, char *const *argv, pid_t *ret_pid, int *ret_fd,
	     struct hd_error *err);
int hd_spawn_end(pid_t pid, unsigned wait_ms);
void hd_spawn_signals(pid_t pid);

/* upgrade_files.c: certificates and keys that only root may read, which was
 * their reader when the old one began.
 * hd_files_give - the old one: the answer to an HD_UP_FILE. Returns 0; -errno.
 * hd_files_ask - the new one, up to PREPARED: what it may not read it asks for.
 * @data  HD_UP_DATA_BYTES of secret memory. hd_files_asked - not any more. */
int hd_files_give(const struct hd_daemon *d, int fd,
		  const struct hd_upgrade_message *m);
void hd_files_ask(int fd, uint8_t *data);
void hd_files_asked(void);

/* upgrade_hand.c */
/* hd_hand_sockets - HELLO, CONTROL, HELLO_END. Returns 0; -errno.
 * hd_hand_over - up to GO. Returns 0: GO was sent, the workers stand for ever;
 * negative with err: nothing has changed, they stand if *ret_parked. */
int hd_hand_sockets(const struct hd_daemon *d, int fd);
int hd_hand_over(struct hd_give *g, int fd, bool close_rest, bool *ret_parked,
		 struct hd_error *err);
/* hd_hand_memory - these bytes, sealed, as a descriptor. Returns -errno. */
int hd_hand_memory(const struct hd_snap *s);
/* hd_hand_failed - what did not work, and why, in err. Returns r. */
int hd_hand_failed(const char *what, int r, struct hd_error *err);

struct hd_taken { /* s is its worker's alone; w all look at */
	struct hd_stream *s; /* NULL: it has not come, or has gone back */
	const struct hd_worker *w;
};

struct hd_take { /* upgrade_take.c; of the new one */
	const uint8_t *snapshot, *secrets; /* of a part, or of the last */
	size_t snapshot_bytes, secrets_bytes;
	int *fds; /* by index, then those of modules; -1: taken */
	uint8_t *refused;
	struct hd_taken *taken; /* by index; NULL: nobody asks */
	size_t n; /* of streams that have come */
	size_t n_module_fds;
	size_t missing; /* descriptors that have not come yet */
	size_t n_ahead; /* of these, have come before */
	const uint8_t *since; /* in the last: enum hd_since for each of those */
	const struct hd_listener *listeners;
	size_t n_listeners;
};
/* hd_take_all - all that this version and these modules can take, by the home
 * workers; `refused`, all ones before, becomes 0 for what was taken.
 * Returns 0; negative with err: nothing is to be used.
 * @listeners  of this process
 * hd_take_part - the same, of streams n_ahead to n, which come ahead. */
int hd_take_all(struct hd_take *t, struct hd_error *err);
int hd_take_part(struct hd_take *t, struct hd_error *err);

/* upgrade_arrive.c: what the old one sends, until END.
 * @data  HD_UP_DATA_BYTES of secret memory
 * hd_arrive - returns HD_UP_AHEAD, HD_UP_SNAPSHOT: *t is ready to be taken;
 * -errno. hd_arrived_free - its bytes, not what is kept by index. */
int hd_arrive(struct hd_take *t, int fd, uint8_t *data);
void hd_arrived_free(struct hd_take *t);
