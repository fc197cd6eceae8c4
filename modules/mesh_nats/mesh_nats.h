/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/mesh_nats.h - the inside of the module: a directory of
 * which key is at which relay, in JetStream key-value buckets of NATS.
 *
 *   REGION_keys    key (64 hex digits)  "relay instance login": put at the
 *                                       login, in ms by its clock, deleted at
 *                                       the logout, both by revision
 *   REGION_leases  relay (: is =)       JSON, put every 5 s, gone after 10 s
 *
 * Behind the key stands its realm, if it has one: `/hd`, `/hd/office`,
 * `//office` (names.c).
 * An instance is one life of a relay: what an earlier one has left behind does
 * not count. A process that takes over (`hdctl upgrade`) goes on as the same.
 * Nobody watches the keys; a relay asks for one that it does not know, and
 * hears of the leases of those relays that it has been led to.
 *
 *   workers --ops--> thread --requests--> NATS --answers, as ops--> thread
 *      ^                `--hd_post()--.
 *      `------------------------------'
 *
 * lookup.c is the workers' part, numbers.c what they show. thread.c has the one
 * thread in which all the rest happens: connect.c the connection and the
 * buckets, requests.c what was asked and not answered, here.c the keys that are
 * here, publish.c what the directory has of them, relays.c the others' leases.
 * libnats' own threads put what they have into the queue of ops.
 * state.lock is held by the thread while it works, but not while it waits for
 * the server, and by who shows what there is. */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/link.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <nats/nats.h>
#include <pthread.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define DIR_NAME_BYTES 256 /* of a relay: "host[:port]", NUL */
#define DIR_INSTANCE_BYTES 17
#define DIR_SUBJECT_BYTES 512
enum {
	DIR_LEASE_MS = 5000, /* between two of our own */
	DIR_TTL_MS = 10000, /* the server forgets one */
	DIR_FIRST_MS = 5000, /* one that was asked for, until the next comes:
				so a dead relay is trusted 15 s at most */
	DIR_ANSWER_MS = 2000, /* the server has so long */
	DIR_LATE_MS = 60000, /* a put may be answered late: requests.c */
};

struct dir_conf {
	struct hd_place at;
	const char *server, *user, *creds, *nkey;
	struct hd_secret password, token;
	const char *tlsca, *tlscert, *tlskey;
	const char *region, *name, *dial, *ca_file;
	struct hd_list relays;
	uint64_t cache_ms, refresh_ms, replicas;
};

/* dir_of - a key in a realm; hashed: no padding. */
struct dir_of {
	struct hd_key key;
	uint16_t realm; /* as packets have it, with the tenant */
};
_Static_assert(sizeof(struct dir_of) == HD_KEY_BYTES + sizeof(uint16_t),
	       "no padding");

/* ---- names.c: any thread ---- */

/* dir_hold - a realm's number that somebody holds, once more; until
 * hd_realm_drop(). */
void dir_hold(uint16_t realm);

/* dir_name_token - a relay's name as a key of a bucket. Returns whether it is a
 * name at all. dir_name_allowed - may a relay of this name be dialled? */
bool dir_name_token(const char *name, char ret[DIR_NAME_BYTES]);
bool dir_name_allowed(const struct dir_conf *conf, const char *name);
/* dir_dial_good - may be dialled: a host, an address, or "". */
bool dir_dial_good(const char *dial);
/* dir_subject - of a key's entry. @read  to ask for it; else to write it
 * @bucket  of keys, without KV_ */
void dir_subject(const char *bucket, const struct dir_of *of, bool read,
		 char ret[DIR_SUBJECT_BYTES]);
/* dir_names_check - for check(). */
int dir_names_check(const struct dir_conf *conf, struct hd_error *err);

/* ---- nkey.c ---- */

/* dir_nkey_public - the public key of a seed in a file. Returns 0; -errno. */
#define DIR_NKEY_BYTES 57
int dir_nkey_public(const char *path, char ret[DIR_NKEY_BYTES],
		    struct hd_error *err);

/* ---- ops ---- */

enum dir_op_kind {
	DIR_HERE,
	DIR_GONE,
	DIR_ASK,
	DIR_MSG,
	DIR_AGAIN,
	DIR_SEEN, /* a worker has named all who were here before */
};

struct dir_op {
	struct dir_op *next;
	enum dir_op_kind kind;
	struct dir_of of; /* its realm is held */
	uint64_t since_ms; /* DIR_HERE */
	natsMsg *msg; /* DIR_MSG */
};

/* dir_op_put - any thread. @msg  taken. Without memory it is lost: what was not
 * answered is asked again. After the thread's end, too. */
void dir_op_put(enum dir_op_kind kind, const struct dir_of *of, natsMsg *msg);
/* dir_op_login - the same of DIR_HERE. */
void dir_op_login(const struct dir_of *of, uint64_t age_ms);

/* ---- requests.c: the thread ---- */

enum dir_request_kind {
	DIR_R_READ, /* for here.c */
	DIR_R_PUT,
	DIR_R_DEL,
	DIR_R_ASK,
	DIR_R_LEASE,
	DIR_R_OWN
};

struct dir_request {
	uint64_t id;
	enum dir_request_kind kind;
	uint64_t sent_ms;
	struct dir_of of; /* READ, PUT, DEL, ASK; its realm is held */
	uint64_t revision; /* PUT, DEL */
	char relay[DIR_NAME_BYTES]; /* LEASE */
	UT_hash_handle hh;
};

struct dir_answer { /* what a request got; borrowed */
	natsMsg *msg; /* NULL: nothing, in time */
	const char *status; /* "404"; "" none */
	const char *text; /* the payload, NUL behind it */
	bool deleted; /* a marker */
	uint64_t revision; /* of an entry that was asked for */
};

/* dir_answer_says - the bucket has an entry, or none: not a server that cannot
 * tell now. */
static inline bool dir_answer_says(const struct dir_answer *a)
{
	return a->msg != NULL &&
	       (a->status[0] == '\0' || strcmp(a->status, "404") == 0);
}

/* dir_send - asks. @data  NULL: none. @op  the KV-Operation, NULL: put or get.
 * @expects  that the last entry has this revision; 0: that there is none.
 * Returns 0; -errno. */
struct dir_send {
	enum dir_request_kind kind;
	const struct dir_of *of;
	const char *relay, *subject, *data, *op;
	bool expects;
	uint64_t revision;
};
int dir_send(const struct dir_send *what);
/* dir_requests_late - ends those that nobody has answered.
 * dir_requests_msg - a message of the connection. dir_revision - the revision
 * in an answer to a put; 0: there is none, and why in ret_error.
 * dir_is_conflict - it has none since another entry than expected is there. */
void dir_requests_late(uint64_t now_ms);
void dir_requests_free(void);
void dir_requests_msg(natsMsg *msg);
uint64_t dir_revision(const struct dir_answer *a, char ret_error[128]);
bool dir_is_conflict(const struct dir_answer *a);

/* ---- here.c, publish.c: the thread ---- */

enum dir_lives { DIR_LIVES, DIR_DEAD, DIR_CANNOT_TELL, DIR_ASKED };

/* dir_here_came - a key has logged in, so long ago. dir_here_left.
 * dir_here_lives - an answer to dir_relay_lives(). */
void dir_here_came(const struct dir_of *of, uint64_t age_ms);
void dir_here_left(const struct dir_of *of);
void dir_here_lives(const struct dir_of *of, enum dir_lives answer);
void dir_here_answered(const struct dir_request *r, const struct dir_answer *a);
/* dir_here_late - a put that was given up has been done all the same.
 * dir_here_sync - publishes what is not known there, some at a time.
 * dir_here_forget - nothing is known there any more.
 * dir_here_seen - all who are here have been named: of those that another
 * process has published the others are gone. */
void dir_here_late(const struct dir_of *of, uint64_t revision);
void dir_here_sync(uint64_t now_ms);
void dir_here_forget(void);
void dir_here_seen(void);
void dir_here_free(void);

/* To another process: all keys that the directory has; those with a realm are
 * an image of their own.
 * dir_here_image - the caller's: free(); NULL: no memory. With dir.lock.
 * dir_here_inherit - before the thread begins. Returns 0; -EBADMSG, -ENOMEM. */
uint8_t *dir_here_image(bool realms, size_t *ret_bytes);
int dir_here_inherit(bool realms, const uint8_t *p, size_t n);

/* ---- relays.c: the thread ---- */

struct dir_relay {
	char name[DIR_NAME_BYTES], dial[DIR_NAME_BYTES];
	char instance[DIR_INSTANCE_BYTES];
	uint64_t until_ms; /* trusted until then; 0: not */
	bool asked; /* for its lease */
	natsSubscription *sub;
	struct dir_wait {
		struct dir_wait *next;
		struct dir_of of; /* its realm is held */
		char instance[DIR_INSTANCE_BYTES];
		bool here; /* here.c wants to know */
	} *waits; /* for that answer */
	UT_hash_handle hh;
};

/* dir_ask - where is a key? The worker hears of it.
 * dir_relay_lives - for here.c: does another relay's instance have a lease?
 * DIR_ASKED: dir_here_lives() comes later, of this key.
 * dir_asked - the answer about the key. dir_lease_asked - about a lease.
 * dir_lease_msg - a lease was put, or deleted.
 * dir_lease_put - ours; dir_lease_end - no more.
 * dir_relays_back - leases count from now on: nobody could renew one. */
void dir_ask(const struct dir_of *of);
enum dir_lives dir_relay_lives(const char *name, const char *instance,
			       const struct dir_of *of);
void dir_asked(const struct dir_request *r, const struct dir_answer *a);
void dir_lease_asked(const struct dir_request *r, const struct dir_answer *a);
void dir_lease_msg(const char *token, const struct dir_answer *a);
void dir_lease_put(void);
void dir_lease_own(const struct dir_answer *a);
void dir_lease_end(void);
void dir_relays_back(uint64_t now_ms);
void dir_relays_late(uint64_t now_ms);
void dir_relays_free(void);

/* ---- connect.c: the thread ---- */

/* dir_connect - it is there, with its buckets, when this returns 0. It may
 * wait for the server; without state.lock.
 * dir_disconnect - for good. dir_is_up - answers can be expected. */
int dir_connect(struct hd_error *err);
void dir_disconnect(void);
bool dir_is_up(void);

/* ---- conf.c ---- */

/* With dir.lock.
 * dir_conf_take - dir.conf is a copy of the section. Returns 0; -ENOMEM.
 * dir_conf_drop - it is NULL again. */
int dir_conf_take(struct hd_module *mod);
void dir_conf_drop(void);

/* ---- thread.c ---- */

struct dir_state { /* one for the process: the module is resident */
	pthread_mutex_t lock;
	struct hd_module *mod;
	const struct dir_conf *conf;
	char instance[DIR_INSTANCE_BYTES];
	char token[DIR_NAME_BYTES]; /* our name's */
	char keys[128], leases[128]; /* the streams' names, without KV_ */
	natsConnection *nc;
	natsSubscription *inbox_sub;
	natsInbox *inbox;
	bool ready; /* connected, the buckets are there */
	bool prepare; /* look after the buckets */
	bool changed; /* another connection, perhaps */
	int64_t created; /* of the bucket of keys; 0: not known */
	uint64_t up_ms; /* since then */
	uint64_t lease_ms; /* our last one was taken then; 0: never */
	struct dir_relay *relays;
	struct dir_request *requests;
	struct dir_request *late; /* puts that were given up */
	unsigned n_here, n_published, n_elsewhere, n_relays;
	char error[256];
	uint64_t error_ms;
	/* atomic, for metrics */
	uint64_t puts, deletes, failures, connects;
};
extern struct dir_state dir;

uint64_t dir_now_ms(void);
/* dir_error - what is wrong: shown, and logged when it is new. */
void dir_error(const char *fmt, ...) HD_PRINTF(1, 2);
/* dir_thread_start, dir_thread_stop - main thread. Returns 0; -errno. */
int dir_thread_start(struct hd_module *mod, struct hd_error *err);
void dir_thread_stop(void);

/* ---- lookup.c: a worker ---- */

struct dir_entry;

struct dir_worker {
	struct dir_entry *table;
	struct hd_timer *timer;
	uint64_t at; /* hd_about_peers(): who was here before */
	uint64_t second_ms; /* the budgets are of this second */
	bool soon; /* the timer rings before the usual time */
	unsigned asked, asked_by[64];
	uint64_t shown[4];
};

struct dir_numbers {
	struct hd_counter asked, found, nobody, refused;
	struct hd_gauge connected, away, keys, published, elsewhere, relays;
	struct hd_counter puts, deletes, failures;
};

enum dir_says {
	DIR_SILENT, /* it could not be asked, or has not answered */
	DIR_NOBODY,
	DIR_AT,
};

struct dir_found { /* an answer on its way to a worker; freed there */
	struct dir_of of; /* its realm is held */
	enum dir_says says;
	char relay[DIR_NAME_BYTES], dial[DIR_NAME_BYTES];
};

int dir_lookup_load(struct hd_module *mod, struct hd_error *err);
int dir_lookup_start(struct hd_module *mod, struct hd_worker *w,
		     struct hd_error *err);
void dir_lookup_stop(struct hd_module *mod, struct hd_worker *w);
/* dir_lookup_answer - the thread: it goes to the key's home. @at  of DIR_AT */
void dir_lookup_answer(const struct dir_of *of, enum dir_says says,
		       const struct dir_relay *at);

/* ---- numbers.c: a worker ---- */

void dir_numbers_show(struct hd_module *mod, struct hd_worker *w);

/* ---- upgrade.c ---- */

extern const struct hd_upgrade_def dir_upgrade;

/* ---- commands.c ---- */

int dir_commands_add(struct hd_module *mod, struct hd_error *err);
