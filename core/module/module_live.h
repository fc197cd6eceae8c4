/* SPDX-License-Identifier: MIT */
/* core/module/module_live.h - modules come, go and are replaced while the relay
 * runs. Main thread. A failure leaves everything as it was, unless it says
 * else.
 *
 * Files: module_life.c the steps, module_change.c one change after the other,
 * module_live.c load, module_unload.c, module_reload.c and module_swap.c
 * reload, module_streams.c the connections of a module, module_same.c its
 * tables, module_scan.c what a reload may not leave behind. */
#pragma once
#include "core/module/module_life.h"

/* hd_live_begin - workers have started. hd_live_end - they are about to stop:
 * what is asked for from now on is refused with -ESHUTDOWN.
 * @renew_tls  what modules put behind the certificates may have changed */
typedef int hd_renew_tls_fn(void *arg, struct hd_error *err);
void hd_live_begin(hd_renew_tls_fn *renew_tls, void *arg);
void hd_live_end(void);

/* A change under way; part of a larger struct of whoever asked for it. */
struct hd_change {
	const char *name; /* lives until done() */
	/* step - one of hd_module_live_...(). done - the result stands. */
	int (*step)(struct hd_change *c);
	bool force; /* unload: also what says who may log in */
	/* load, reload of one: the file as it is now, which has the section
	 * that counts and, to load, says where the module is; it lives until
	 * done(). NULL: as hd_modules_conf() has it */
	const struct hd_conf *edited;
	void (*done)(struct hd_change *c);
	int result;
	struct hd_error err;
	/* inside */
	struct hd_change *next;
	unsigned stage; /* of the step's own; 0: it begins */
	struct hd_module *mod;
	uint64_t until_us; /* no longer than this */
	bool hurried;	   /* what can end early was told to */
	uint64_t round_us; /* when connections are asked again to close */
	struct hd_reload *reload;
	unsigned at; /* of all modules */
};
/* hd_change_expect - one will come, when a child has tried its file: true; it
 * has: false. hd_change_begin - when those before it are done, step until the
 * result is not -EINPROGRESS. hd_changes_end - none is left; after
 * hd_live_end(). */
void hd_change_expect(bool comes);
void hd_change_begin(struct hd_change *c);
bool hd_changes_wait(void); /* one is under way, or expected */
void hd_changes_end(void);

/* Before load and reload a child should try the file: core/cmd/cmd_live.c.
 *
 * hd_module_live_file - where the file of an entry is, as for load.
 * @edited    as in struct hd_change
 * @ret_path  to be freed; NULL: built in
 * hd_module_live_load - by the name of an entry of load_module, else of a file
 * in module_path; or by an absolute path.
 * Returns 0; -EEXIST it is loaded; -ENOENT; -ENOEXEC; what load() says. */
int hd_module_live_file(const char *entry, const struct hd_conf *edited,
			char **ret_path, struct hd_error *err);
int hd_module_live_load(struct hd_change *c);
/* hd_module_live_unload - its peers are told, then closed.
 * Returns 0; -ENOENT it is not loaded; -EBUSY it is required, or its tasks do
 * not end within 5 s; -EPERM it is built in or resident, or says who may log
 * in and c->force is not set. With that one that was lost is given up. */
int hd_module_live_unload(struct hd_change *c);
/* hd_module_live_reload - from its file as it is now. Its connections stay
 * when state_version and sizes are the same, else they are closed; while they
 * stay, only options that are live may change.
 * name NULL: all that can be reloaded, until one fails. */
int hd_module_live_reload(struct hd_change *c);

/* ---- shared by the files ---- */

int hd_live_check_running(struct hd_error *err);
/* hd_live_find - a module that may be taken out. hd_live_quiet - no tasks of
 * it run any more, and none begin until mod->closing is cleared; again while
 * it returns -EINPROGRESS, from which on c->until_us is set. After hurry_ms
 * what can end early is told to; c->until_us may be later from then on. */
int hd_live_find(const char *name, struct hd_module **ret,
		 struct hd_error *err);
int hd_live_quiet(struct hd_change *c, unsigned hurry_ms);
/* hd_live_check_needs - what a file that was opened requires is loaded. */
int hd_live_check_needs(const struct hd_module_def *def, struct hd_error *err);
/* hd_live_refused - puts the module's name before the reason. Returns r. */
int hd_live_refused(int r, const char *name, struct hd_error *err);
/* hd_live_forget - hd_life_forget(), and a warning when its code stays. */
void hd_live_forget(struct hd_module *mod);
/* hd_live_event - for those who watch: what happened to a module. */
void hd_live_event(const char *name, const char *what);
/* hd_live_renew_tls - a failure is logged: the old chain is still served. */
void hd_live_renew_tls(void);

/* ---- module_streams.c ---- */

/* hd_module_close_streams - of c->mod: tell the peers, close, until all are
 * gone; again while it returns -EINPROGRESS. c->until_us is 0 at first.
 * Returns 0; -EBUSY they do not go. */
int hd_module_close_streams(struct hd_change *c);

enum { HD_PROTOS_MAX = 16 };
struct hd_protos { /* what the connections of a module speak, before and now */
	unsigned n;
	struct hd_proto_pair {
		const struct hd_proto *old, *now; /* now NULL: nothing */
		char name[32];
		uint32_t state_size;
		bool data, message; /* the old one took them */
	} v[HD_PROTOS_MAX];
};
/* hd_protos_note - those of the routes that a module has. hd_protos_match - by
 * name and size of state, to those that it has now. hd_protos_swap - in a
 * worker: its streams speak the new ones; what finds none is closed. */
void hd_protos_note(struct hd_protos *p, const struct hd_module *mod);
void hd_protos_match(struct hd_protos *p, const struct hd_module *mod);
void hd_protos_swap(const struct hd_protos *p, struct hd_module *mod,
		    struct hd_worker *w);

/* ---- module_swap.c: while all workers are parked ---- */

struct hd_reload {
	struct hd_module *mod;
	struct hd_module_file old, new; /* the one that is not in mod */
	const void *old_section;
	const struct hd_conf *edited; /* NULL: the section stays */
	struct hd_node *old_text; /* of it, once edited is taken */
	struct hd_protos protos;
	bool same_section;
	struct hd_life life; /* kept: streams keep their state too */
};

/* Every step is one round of all threads, and a busy machine makes each cost
 * more than what is done in it: so they are few.
 * hd_reload_settle - posts of the module that are under way end.
 * Returns 0; -EBUSY.
 * hd_reload_swap - from the old code to r->new; then they go on.
 * Returns 0; -ESTALE neither runs; else negative, the old one runs again. */
int hd_reload_settle(const struct hd_module *mod, struct hd_error *err);
int hd_reload_swap(struct hd_reload *r, struct hd_error *err);

/* ---- module_same.c ---- */

bool hd_options_same(const struct hd_option *a, const struct hd_option *b);

/* ---- module_scan.c ---- */

/* hd_module_scan - words in states and worker data that point into the image
 * that holds `code`: each is a "bug:" line. In a worker. Does nothing unless
 * built with --enable-debug-checks. */
void hd_module_scan(const struct hd_module *mod, struct hd_worker *w,
		    const void *code);
