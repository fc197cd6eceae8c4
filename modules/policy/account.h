/* SPDX-License-Identifier: MIT */
/* modules/policy/account.h - who has used the relay how much.
 *
 *   each worker, every 0.9 s         main thread              a helper thread
 *   peers' counters, who has left -> account_take() -> ledger -> journal
 *
 * Files: account_count.c in workers; account.c the ledger, of a month;
 * account_file.c the months' files; account_main.c the way between them;
 * account_old.c months that are
 * removed; account_show.c hdctl; account_top.c metrics of keys; journal.c the
 * files' format. */
#pragma once
#include <hyper-derp/control.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/upgrade.h>
#include <stdatomic.h>
#include "modules/policy/journal.h"
#include "modules/policy/quota.h"

/* Beside each peer. */
struct account_peer {
	struct account_counts seen; /* that are in a batch */
	struct hd_series series;
	uint64_t quota_bytes; /* of the rule that allows it; 0: none */
	bool quota_untold; /* the main thread does not know that */
	bool begun; /* seen is right: a peer that was here before us has its
		       numbers from the time before */
	bool has_series;
};

/* ---- account.c ---- */

struct account {
	struct account *chain; /* of the same hash */
	struct account *next; /* of all */
	struct account_tenant *tenant;
	struct hd_key key; /* all 0: many, for which there was no room */
	char *name; /* NULL: none */
	struct account_counts sum; /* of the month */
	struct account_counts unsaved; /* the part of it that is in no file */
	uint32_t id; /* in the file; ACCOUNT_NO_ID */
	bool is_unsaved, name_unsaved; /* it is in the list; for its name */
	enum policy_quota_level level; /* that has been said */
	uint32_t marks; /* of rules' quotas that it has passed */
	uint64_t quota_bytes; /* of the rule that allows it; 0: not known */
	uint32_t quota_look; /* when that was told; of quota_keys_watch.c */
	struct account *unsaved_next;
};
#define ACCOUNT_NO_ID UINT32_MAX

struct account_tenant {
	struct account_tenant *next; /* of all */
	struct account_tenant *chain; /* of the same hash */
	struct account_counts sum;
	size_t n; /* of accounts */
	char name[]; /* "" the one without */
};

enum {
	LEDGER_TENANT_PLACES = 1024,
	LEDGER_TENANTS_MAX = 4096, /* and one for each account, if more */
};

struct ledger { /* of a month */
	uint64_t number; /* no other one has had it, also at this address */
	struct account **table;
	size_t size, n; /* size: a power of two */
	uint8_t salt[16]; /* of the hash */
	struct account *first, *unsaved, **unsaved_last;
	struct account **by_id; /* of the file; it may name one twice */
	uint32_t n_ids, ids_size;
	struct account_tenant *tenants; /* the newest first */
	size_t n_tenants;
	struct account_tenant *by_name[LEDGER_TENANT_PLACES];
};

/* ledger_new - NULL when out of memory. ledger_free - NULL is allowed. */
struct ledger *ledger_new(void);
void ledger_free(struct ledger **l);
/* ledger_account - the account of a key in a tenant.
 * @name  "" leaves the one it has
 * @max   when there are as many, others count together: as key 0 of their
 *        tenant; of new tenants, too, as services may name any number: of ""
 * Returns NULL when out of memory. ledger_tenant - NULL: it has none. */
struct account *ledger_account(struct ledger *l, const char *tenant,
			       const struct hd_key *key, const char *name,
			       size_t max);
struct account_tenant *ledger_tenant(const struct ledger *l, const char *name);
/* ledger_add - to an account and its tenant; it is to be saved. */
void ledger_add(struct ledger *l, struct account *a,
		const struct account_counts *more);
/* ledger_read - the bytes of its file, into an empty one.
 * @ret_good  as journal_read()
 * Returns 0; -EPROTO it is none; -ENOMEM: part of it is in.
 * ledger_merge - all that another one has, as unsaved. Returns 0; -ENOMEM: part
 * of it is in. */
int ledger_read(struct ledger *l, const uint8_t *data, size_t n,
		size_t *ret_good);
int ledger_merge(struct ledger *l, const struct ledger *from);
/* ledger_journal - what is not saved, as the file's next records; it is saved
 * then. ledger_whole - what is saved, as a whole file with the same ids.
 * Return 0; -ENOMEM: nothing has changed. */
int ledger_journal(struct ledger *l, struct journal *j);
int ledger_whole(const struct ledger *l, struct journal *j);
void account_counts_add(struct account_counts *to,
			const struct account_counts *more);

/* ---- account_file.c, account_write.c ---- */

enum account_write { /* of a job */
		     ACCOUNT_IDLE,
		     ACCOUNT_BUSY, /* a helper thread has it */
		     ACCOUNT_DONE,
};

struct account_job { /* bytes on their way to the disk */
	struct journal bytes; /* none: there is nothing to do */
	uint64_t at; /* where they go in the file */
	bool whole; /* in place of the file */
	bool sync; /* wait until the disk has it */
	int fd, new_fd; /* new_fd: of the file in its place; -1 */
	int error; /* negative errno */
	atomic_int state; /* enum account_write */
};

struct account_book { /* a month: its ledger and its file */
	struct account_book *next; /* older in this list, not in time */
	unsigned month; /* 12 * year + 0..11 */
	struct ledger *ledger;
	char path[512], name[32];
	int fd; /* -1: not open yet */
	int wake_fd; /* an eventfd, when a job is done; -1: none */
	uint64_t good; /* bytes of the file */
	uint64_t whole_from; /* as long it must be to be tried again */
	uint64_t synced_ms;
	struct account_job job;
};

/* account_month_now - by the clock, UTC. account_month_text - "2026-11", for
 * months of years 0 to 9999. account_month_parse - returns whether it is one.
 */
unsigned account_month_now(void);
const char *account_month_text(unsigned month, char ret[16]);
bool account_month_parse(const char *text, unsigned *ret);

/* account_book_new - NULL when out of memory. account_book_free - what is not
 * written is lost. */
struct account_book *account_book_new(unsigned month);
void account_book_free(struct account_book **book);
/* account_book_tick - a step further: open the file, see what became of what
 * was to be written, give more to a helper thread. Returns 0; negative, and err
 * says what does not work. Blocks to read the file, once.
 * account_book_saved - all is in the file, and nothing on its way.
 * account_book_end - all is written by this thread. Returns as tick. */
int account_book_tick(struct hd_module *mod, struct account_book *b,
		      struct hd_error *err);
bool account_book_saved(const struct account_book *b);
int account_book_end(struct account_book *b, struct hd_error *err);
/* account_book_flush - all is in the file, for whoever reads it now; the disk
 * may still be at it. Returns 0; 1 a helper thread is at it; negative. */
int account_book_flush(struct account_book *b, struct hd_error *err);
/* account_file_read - another month's file, as it is. Returns 0, -ENOENT, or
 * negative. Any thread. */
int account_file_read(const char *path, struct ledger **ret,
		      struct hd_error *err);

/* account_book_open - its file. account_book_error - what went wrong with it.
 * account_file_replace - the bytes as a file in place of another, on the disk.
 * Returns its descriptor; negative errno. */
int account_book_open(struct account_book *b, struct hd_error *err);
int account_book_error(struct hd_error *err, const struct account_book *b,
		       int e);
int account_file_replace(const char *path, const struct journal *j);

/* account_lock - nobody else writes the files from now on. Returns 0; -EBUSY
 * another relay does; negative errno. account_unlock - nothing if it is not. */
int account_lock(struct hd_error *err);
void account_unlock(void);
/* account_lock_pack - a new process has the lock, too: it stays when this one
 * ends. account_lock_unpack - that one; nothing where there is none, or where
 * the files are others now. */
void account_lock_pack(struct hd_pack *to);
void account_lock_unpack(const struct hd_unpack *from);

/* ---- account_count.c: in workers ---- */

struct policy_worker;

struct account_item { /* what one connection has added */
	struct hd_key key;
	char tenant[ACCOUNT_NAME_BYTES], name[ACCOUNT_NAME_BYTES];
	struct account_counts more;
	uint64_t quota_bytes; /* of struct account_peer */
};

struct account_batch {
	struct account_batch *next;
	size_t n, size;
	struct account_item v[];
};

struct account_worker { /* a part of struct policy_worker */
	struct hd_timer *timer;
	struct account_batch *batch;
	uint64_t at; /* hd_about_peers() */
};

/* account_hooks - in load(). account_start, account_serving, account_stop - the
 * module's; account_begin - of a login: all it does counts. account_quota - of
 * the rule that allows it now. */
int account_hooks(struct hd_module *mod, struct hd_error *err);
int account_start(struct policy_worker *pw);
void account_serving(struct policy_worker *pw);
void account_stop(struct policy_worker *pw);
void account_begin(struct hd_module *mod, const struct hd_peer *peer);
void account_quota(struct hd_module *mod, const struct hd_peer *peer,
		   uint64_t bytes);
/* account_collect - all that has been counted here goes to the main thread.
 * account_pack_peer, account_unpack_peer - struct hd_upgrade_def. */
void account_collect(struct policy_worker *pw);
int account_pack_peer(struct hd_module *mod, struct hd_worker *w,
		      const struct hd_peer *peer, struct hd_pack *to,
		      struct hd_error *err);
int account_unpack_peer(struct hd_module *mod, struct hd_worker *w,
			struct hd_peer *peer, struct hd_unpack *from,
			struct hd_error *err);

/* ---- account_main.c: the main thread ---- */

/* account_load - returns 0; negative with the reason in err. account_unload -
 * all is written.
 * account_take - from a worker; takes the batch. */
int account_load(struct hd_module *mod, struct hd_error *err);
void account_unload(struct hd_module *mod);
void account_take(struct account_batch **batch);
/* account_pack - what has come from workers is in the files, and the new
 * process gets their lock. Returns 0; negative with the reason in err: what is
 * counted would be lost. account_unpack - returns 0. */
int account_pack(struct hd_pack *to, struct hd_error *err);
int account_unpack(const struct hd_unpack *from);
/* account_remove_old - files of months that are more than so many before. */
void account_remove_old(unsigned now, unsigned keep);
/* account_now - this month's ledger; NULL: nothing is counted. */
const struct ledger *account_now(unsigned *ret_month);

/* ---- account_top.c: the main thread ---- */

enum { ACCOUNT_TOP_MAX = 100 };

/* account_top - the accounts with the most bytes, in and out together, the
 * first most; none where there are no bytes. @l  NULL: none
 * Returns how many.
 * account_top_load - returns 0; negative with the reason in err.
 * account_top_unload - also of what was not loaded. */
size_t account_top(const struct ledger *l, const struct account *ret[],
		   size_t max);
int account_top_load(struct hd_module *mod, struct hd_error *err);
void account_top_unload(void);

/* ---- account_show.c ---- */

extern const struct hd_command account_commands[]; /* words NULL at the end */
