/* SPDX-License-Identifier: MIT */
/* hyper-derp/module.h - what a module is.
 *
 * A module file defines exactly one symbol, with HD_MODULE().
 *
 * ABI history; `t/abi BUILDDIR` keeps it honest
 * 1.0  first version
 * 1.1  flags (HD_RESIDENT); state_version is also the version of the data in
 *      workers, which a reload keeps with it; control.h: commands, events
 * 1.2  listen.h: listeners of modules
 * 1.3  about.h: what the relay is, for modules that show it
 * 1.4  HD_UDP_LARGE; hd_module_kept(); HD_LIST with choices: mappings
 * 1.5  control.h: hd_call_refuse(), arguments of the kind FILE; state files by
 *      absolute path
 * 1.6  metric.h: histograms
 * 1.7  about.h: peers
 * 1.8  http.h: hd_reply_body(); listen.h: hd_listen_tls(); about.h: more of a
 *      peer
 * 1.9  hd_state_file_update(), hd_state_file_path(); hook.h: hooks behind one
 *      that passes late are asked; relay.h: two flags that nothing set are
 *      reserved; module.h: events; near.h
 *
 * Why some shapes are as they are:
 * - load() takes a struct hd_error: the loader prints one sentence, with the
 *   module's name and file, instead of two unrelated log lines.
 * - serving() tells modules that the relay stops or starts serving; STUN must
 *   answer only while a client that chooses us would be served. */
#pragma once
#include <hyper-derp/base.h>
#include <hyper-derp/config.h>
#include <hyper-derp/metric.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HD_MODULE_MAGIC 0x48444d31u /* "HDM1" */
#define HD_ABI_MAJOR 1
#define HD_ABI_MINOR 9

/* The events that a module tells with hd_event(): `hdctl watch` takes these
 * names, and what they begin with. Ends with name NULL. */
struct hd_event_def {
	const char *name; /* "wg.moved": the module's name and a dot first */
	const char *help; /* "a peer has another address" */
};

struct hd_module_def {
	uint32_t magic;
	uint16_t abi_major, abi_minor; /* what the module was built against */
	uint32_t size; /* of this struct then: later fields read as zero */
	uint32_t state_version; /* of the state it keeps in streams and of its
				   data in workers; 0: no reload keeps them */
	const char *name, *version, *licence, *summary;
	const char *const *requires_; /* module names, NULL at the end */
	const struct hd_option *options; /* the section `name:` */
	const struct hd_metric *metrics;
	uint32_t conf_size;   /* filled by the core from the options */
	uint32_t worker_size; /* zeroed memory per worker */

	/* load - register routes, hooks, listeners. Main thread; may block.
	 * The configuration is there: hd_module_conf(mod). */
	int (*load)(struct hd_module *mod, struct hd_error *err);
	/* check - accept or refuse a new configuration; change nothing.
	 * Main thread. */
	int (*check)(struct hd_module *mod, const void *conf,
		     struct hd_error *err);
	/* start, changed, stop - in each worker: begin, see a new
	 * configuration, end. start returns 0 or negative errno. */
	int (*start)(struct hd_module *mod, struct hd_worker *w,
		     struct hd_error *err);
	void (*changed)(struct hd_module *mod, struct hd_worker *w,
			const void *old_conf);
	void (*stop)(struct hd_module *mod, struct hd_worker *w);
	/* unload - release what load() made outside the core. Main thread,
	 * after every worker has stopped the module. */
	void (*unload)(struct hd_module *mod);
	/* serving - new logins are welcome (true) or the relay drains. In
	 * each worker; called once with true after start. */
	void (*serving)(struct hd_module *mod, struct hd_worker *w, bool on);
	uint32_t flags; /* HD_RESIDENT */
	const struct hd_event_def *events; /* since 1.9; NULL: not listed, and
					      whoever watches takes any name
					      of this module */
};

/* HD_RESIDENT - something outside the core keeps pointers into the code (a
 * thread, an exit handler): it is never unloaded or reloaded. */
enum { HD_RESIDENT = 1 };

/* HD_MODULE(derp, .version = "1.0", …): the name must be the file's name.
 * The symbol is NAME_LTX_hd_module, as libltdl's static preloading wants it. */
#define HD_MODULE(ident, ...)                                                  \
	HD_API extern const struct hd_module_def ident##_LTX_hd_module;        \
	const struct hd_module_def ident##_LTX_hd_module = {                   \
		.magic = HD_MODULE_MAGIC,                                      \
		.abi_major = HD_ABI_MAJOR,                                     \
		.abi_minor = HD_ABI_MINOR,                                     \
		.size = sizeof(struct hd_module_def),                          \
		.name = #ident,                                                \
		__VA_ARGS__                                                    \
	}

/* hd_module_conf - the module's filled options. Main thread.
 * hd_module_worker_conf - the same as worker w sees it: constant until
 * changed() runs there. Never NULL when conf_size > 0. */
HD_API const void *hd_module_conf(struct hd_module *mod);
HD_API const void *hd_module_worker_conf(struct hd_module *mod,
					 struct hd_worker *w);
/* hd_module_worker_data - worker_size bytes, zeroed before start(); after a
 * reload with the same state_version and size as the old code left them. */
HD_API void *hd_module_worker_data(struct hd_module *mod, struct hd_worker *w);

/* hd_module_kept - in stop(): new code takes over the worker's data, and all
 * memory that it points to (plain memory without pointers into this code).
 * Else stop() frees that. */
HD_API bool hd_module_kept(const struct hd_module *mod,
			   const struct hd_worker *w);

HD_API unsigned hd_workers(void);
HD_API struct hd_worker *hd_worker_at(unsigned i);
HD_API unsigned hd_worker_index(const struct hd_worker *w);
/* hd_worker_self - NULL in the main and helper threads. */
HD_API struct hd_worker *hd_worker_self(void);
/* hd_worker_serving - whether new logins are welcome. */
HD_API bool hd_worker_serving(const struct hd_worker *w);

/* hd_now_ms - monotonic, read once per loop turn. */
HD_API uint64_t hd_now_ms(const struct hd_worker *w);

/* hd_post - run fn(mod, w, arg) in worker w, soon, in order. Any thread.
 * Returns 0; -ENOMEM; -ESHUTDOWN when the worker has ended. */
typedef void hd_post_fn(struct hd_module *mod, struct hd_worker *w, void *arg);
HD_API int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
		   void *arg);

/* hd_task - blocking work: run work(arg) in a helper thread, then
 * done(mod, w, arg) back in worker w (NULL: in no worker, done is not called).
 * Returns 0; -ENOMEM; -EBUSY when too many wait. */
HD_API int hd_task(struct hd_module *mod, struct hd_worker *w,
		   void (*work)(void *arg), hd_post_fn *done, void *arg);

/* hd_state_file_read - bytes of state_dir/name into buf.
 * @name  or, since ABI 1.5, an absolute path in a folder that is there
 * Returns the length; -ENOENT; -EFBIG longer than size; other -errno.
 * hd_state_file_write - replace it: temporary file, fsync, rename, mode 0600.
 * hd_state_file_update - likewise, and what it was stays beside it, as
 * NAME.before, where the file system has hard links. Since ABI 1.9.
 * Main or helper threads: they block. */
HD_API int hd_state_file_read(const char *name, void *buf, size_t size,
			      struct hd_error *err);
HD_API int hd_state_file_write(const char *name, const void *buf, size_t len,
			       struct hd_error *err);
HD_API int hd_state_file_update(const char *name, const void *buf, size_t len,
				struct hd_error *err);
/* hd_state_file_path - how messages call the file: its whole path, cut off
 * where buf ends. Since ABI 1.9. Main thread. Returns buf. */
HD_API const char *hd_state_file_path(const char *name, char *buf, size_t size);

/* hd_secret_alloc - zeroed memory that is left out of core dumps and locked, so
 * that it is never swapped; a warning says where the limit of locked memory
 * forbids that. hd_secret_free wipes it. Main thread. Returns NULL when out of
 * memory. */
HD_API void *hd_secret_alloc(size_t len_bytes);
HD_API void hd_secret_free(void *secret);

/* hd_tls_chain_append - a certificate that is served behind every chain, as
 * DERP's meta certificate is. Replaces the module's earlier one. Main thread.
 * @der  borrowed
 * Returns 0; -EINVAL not a certificate; -ENOMEM. */
HD_API int hd_tls_chain_append(struct hd_module *mod, const uint8_t *der,
			       size_t len_bytes, struct hd_error *err);

#ifdef __cplusplus
}
#endif
