/* SPDX-License-Identifier: MIT */
/* core/conf/conf.h - the configuration: YAML with line numbers in, typed
 * structs out. A loaded configuration never changes; a reload builds a new one.
 * Context: main thread; workers read the fields of the one they were given. */
#pragma once
#include <hyper-derp/config.h>
#include <stdio.h>
#include <sys/types.h>
#include "core/base/cert_files.h"
#include "core/base/prefix.h"

enum hd_backend { HD_BACKEND_AUTO, HD_BACKEND_IO_URING, HD_BACKEND_EPOLL };
enum hd_others { HD_OTHERS_REFUSE, HD_OTHERS_READ };
enum hd_trusted_header {
	HD_TRUSTED_X_FORWARDED_FOR,
	HD_TRUSTED_X_REAL_IP,
	HD_TRUSTED_FORWARDED
};

struct hd_listen_conf {
	const char *name; /* NULL: none; what it serves: listener.h */
	union hd_addr addr;
	bool tls;
	const char *protocol; /* of a module; NULL: HTTP */
	struct hd_list proxy_protocol; /* the proxies that speak it */
	struct hd_prefixes proxies; /* the same; none: nobody does */
	struct hd_place at_proxies, at_only;
	struct hd_list only_names;
	unsigned only; /* enum hd_pages, the same; 0: everything */
	const char *file; /* where it was set, for messages */
	unsigned line;
};

/* hd_pages_names - of the bits of enum hd_pages, from the lowest; NULL at the
 * end. */
extern const char *const hd_pages_names[];

struct hd_load_conf { /* an entry of load_module */
	const char *name; /* "derp" or an absolute path */
	bool optional;
	const char *file;
	unsigned line;
};

#define HD_OUTPUT_LIMIT_MIN_BYTES (128 * 1024)

struct hd_conf {
	/* workers */
	uint64_t workers; /* 0: one per allowed CPU */
	struct hd_list pin_cores;
	uint64_t event_backend; /* enum hd_backend */
	bool sqpoll;
	uint64_t coalesce_us;
	bool core_dumps;
	/* listeners */
	struct hd_listen_conf *listen;
	size_t n_listen;
	struct hd_list trusted_proxies;
	struct hd_prefixes trusted; /* the same */
	uint64_t trusted_header; /* enum hd_trusted_header */
	uint64_t sockbuf_bytes; /* SO_SNDBUF and SO_RCVBUF; 0: kernel's */
	const char *tcp_congestion; /* a name; "auto"; "kernel" */
	uint64_t max_accept_rate; /* connections per second; 0: no limit */
	uint64_t address_connections; /* of one; 0: any number */
	uint64_t address_rate; /* connections per second of one; 0: no limit */
	uint64_t address_bits; /* of IPv6 that make one address */
	/* streams */
	uint64_t peer_rate_limit; /* bytes per second; 0: no limit */
	uint64_t relay_rate_limit; /* the same, of all peers together */
	uint64_t login_timeout_ms;
	uint64_t write_timeout_ms;
	uint64_t drain_time_ms;
	/* bulk lane, beyond what is in flight; HD_OUTPUT_LIMIT_MIN_BYTES.. */
	uint64_t output_limit_bytes;
	uint64_t output_packets; /* may wait there whatever their size */
	uint64_t urgent_limit_bytes; /* urgent lane */
	/* modules */
	struct hd_load_conf *load_module;
	size_t n_load_module;
	struct hd_list module_path;
	/* tls */
	struct hd_cert_files *certificates;
	size_t n_certificates;
	bool self_signed; /* without certificates: one of our own */
	uint64_t ktls; /* enum hd_ktls: core/tls/ktls.h */
	uint64_t record_layer; /* enum hd_record_layer: core/tls/tls.h */
	uint64_t crypto; /* enum hd_crypto: core/tls/aead.h */
	/* log */
	const char *log_target; /* "stderr" or a path */
	uint64_t log_format; /* enum hd_log_format: core/base/log.h */
	uint64_t log_level; /* enum hd_log_level */
	/* audit */
	const char *audit_file; /* NULL: none */
	/* control */
	const char *control_socket; /* NULL: hd_control_open() knows */
	const char *control_group;
	uint64_t control_others; /* enum hd_others */
	/* process */
	const char *state_dir;
	const char *user, *group;
	bool dev;
	const char *path; /* the first file; NULL: none was read */
	struct hd_conf_private *priv; /* the parsed document, arenas */
};

#define HD_OLD_ARGS_MAX 32

struct hd_old_arg { /* a flag of the predecessor: core/conf/compat_flags.h */
	const struct hd_old_flag *flag;
	const char *value; /* NULL: it takes none */
};

/* Whether a section's name is that of a module that is loaded, or that could
 * be: from which folders. */
typedef bool hd_is_module_fn(const char *name,
			     const struct hd_list *module_path);

/* A text that is read where a file would be: one that is looked at before it
 * becomes the file. */
struct hd_conf_instead {
	const char *path; /* of the file, without links */
	const char *text;
	size_t len;
};
enum { HD_CONF_INSTEAD_MAX = 16 };

struct hd_conf_cli { /* flags, which override the file; NULL or -1: not given */
	const char *config_path; /* NULL with dev: an embedded default */
	bool dev;
	bool example; /* with dev: load every module that is installed */
	int port;
	int workers;
	const char *log_level;
	const char *module_path;
	const char *state_dir;
	const char *event_backend;
	struct hd_old_arg old[HD_OLD_ARGS_MAX];
	unsigned n_old;
	const struct hd_conf_instead *instead; /* borrowed; n_instead of them */
	size_t n_instead;
	hd_is_module_fn *is_module; /* NULL: load_module has all there are */
};

/* hd_conf_check_tls - is there a certificate for listeners with TLS? Only after
 * the modules are known: one may bring it. Returns 0; -EINVAL. */
int hd_conf_check_tls(const struct hd_conf *conf, struct hd_error *err);

/* hd_conf_load - read, merge includes, apply flags, check every core key.
 * Sections of modules are checked later, by hd_conf_section_fill().
 * Returns 0, or negative with file:line, what is allowed and the nearest
 * known key in err. Warnings (compat keys without effect) go to the log. */
int hd_conf_load(const struct hd_conf_cli *cli, struct hd_conf **ret_conf,
		 struct hd_error *err);
void hd_conf_free(struct hd_conf **conf);

/* hd_conf_load_text - the same for a file in memory; it includes nothing. */
int hd_conf_load_text(const char *text, size_t len,
		      const struct hd_conf_cli *cli, struct hd_conf **ret_conf,
		      struct hd_error *err);

/* hd_conf_section_fill - fill a module's struct from the section `name:`.
 * @table     ends with name NULL; NULL: the section must not exist
 * @ret_conf  size bytes, owned by conf; defaults where nothing is set */
int hd_conf_section_fill(struct hd_conf *conf, const char *name,
			 const struct hd_option *table, size_t size,
			 void **ret_conf, struct hd_error *err);

/* hd_conf_section_put - the section of a module that is loaded again has this
 * table and this struct, which conf owns already. Returns 0; -ENOMEM.
 * hd_conf_section_drop - the module goes, and its table with it. */
int hd_conf_section_put(struct hd_conf *conf, const char *name,
			const struct hd_option *table, void *data);
void hd_conf_section_drop(struct hd_conf *conf, const char *name);

/* hd_conf_place_bytes - of the FILE:LINE of the section that text begins with
 * (hd_error_at()); 0: it does not. */
size_t hd_conf_place_bytes(const struct hd_conf *conf, const char *section,
			   const char *text);

/* hd_conf_section_text - a configuration that has only what the section's text
 * was, that loads module_file, and that has the state folder which is open; for
 * another process. Lines are where they were. The caller frees it. NULL: out
 * of memory.
 * @ret_file  where it was read from, for messages; NULL: nowhere */
char *hd_conf_section_text(const struct hd_conf *conf, const char *name,
			   const char *module_file, const char **ret_file);

/* hd_conf_section_take - the section of a module becomes what `from`, the file
 * as it is now, has; whoever has filled it before fills it again. Main thread.
 * @ret_old  borrowed from conf: what it was; NULL: there was none
 * Returns 0; -ENOMEM nothing has changed.
 * hd_conf_section_swap - put back what it was. Returns what was there. */
struct hd_node;
int hd_conf_section_take(struct hd_conf *conf, const struct hd_conf *from,
			 const char *name, struct hd_node **ret_old);
struct hd_node *hd_conf_section_swap(struct hd_conf *conf, const char *name,
				     struct hd_node *node);
/* hd_conf_section_same - both have the same text there.
 * hd_conf_section_fixed - an option of the table whose text differs and that is
 * not live; NULL: there is none. */
bool hd_conf_section_same(const struct hd_conf *a, const struct hd_conf *b,
			  const char *name);
const struct hd_option *hd_conf_section_fixed(const struct hd_conf *a,
					      const struct hd_conf *b,
					      const char *name,
					      const struct hd_option *table);
/* hd_conf_unlike - "log, workers": keys at the top whose text differs.
 * @except  but for this one, and load_module
 * Returns the length, 0 where there are none; buf has what fits. */
size_t hd_conf_unlike(const struct hd_conf *conf, const struct hd_conf *other,
		      const char *except, char *buf, size_t size);

/* hd_conf_left - fn for each section that no module has taken. */
void hd_conf_left(const struct hd_conf *conf,
		  void (*fn)(void *arg, const char *name), void *arg);

/* hd_conf_user - conf->user, which is set, and the group that goes with it.
 * Returns 0; -EINVAL with file and line: there is no such. */
int hd_conf_user(const struct hd_conf *conf, uid_t *ret_uid, gid_t *ret_gid,
		 struct hd_error *err);

/* hd_conf_finish - after every loaded module took its section: a section of a
 * known module that is not loaded warns, a restricting key whose module is
 * missing and anything else unknown is an error. */
int hd_conf_finish(struct hd_conf *conf, struct hd_error *err);

/* hd_conf_same_sections - of modules that have not taken them yet.
 * Returns 0; -EINVAL with the first that differs. */
int hd_conf_same_sections(const struct hd_conf *a, const struct hd_conf *b,
			  struct hd_error *err);

/* hd_conf_fixed - fn for each option that differs and needs a restart.
 * @section  NULL: at the top
 * hd_conf_live_only - whether changing from old to new needs no restart.
 * load_module may: it is what the next start loads.
 * Returns 0, or -EBUSY with the first key (file:line) that is not live. */
typedef void hd_conf_fixed_fn(void *arg, const char *section, const char *name);
void hd_conf_fixed(const struct hd_conf *old_conf,
		   const struct hd_conf *new_conf, hd_conf_fixed_fn *fn,
		   void *arg);
int hd_conf_live_only(const struct hd_conf *old_conf,
		      const struct hd_conf *new_conf, struct hd_error *err);

/* hd_conf_print - -T: the effective configuration as YAML, with defaults. */
int hd_conf_print(const struct hd_conf *conf, FILE *file);

/* hd_conf_example - every option of the core and of the modules that took
 * their section, commented out, with default and help: the example file. */
int hd_conf_example(const struct hd_conf *conf, FILE *file);
