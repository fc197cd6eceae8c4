/* SPDX-License-Identifier: MIT */
/* modules/policy/devices.h - lists of devices that others keep: the API of
 * Tailscale, or whatever answers a GET with JSON in which keys stand.
 *
 *   devices_poll.c asks, on the main thread --answer--> devices_json.c finds
 *   the keys, in a helper thread --text, as a file of keys--> state_dir, and a
 *   new list; devices.c has the lists, which workers are given beside the rules
 *
 * Files: devices_wanted.c which lists, and when; devices_job.c the helper's
 * work; devices_path.c where a key stands in JSON; devices_rule.c what a rule
 * wants; devices_show.c hdctl. */
#pragma once
#include "modules/policy/policy.h"

/* ---- devices_json.c ---- */

struct policy_devices_found {
	size_t n; /* keys */
	size_t left_out; /* devices_where is not true there */
	size_t skipped; /* no key stands there */
};

/* policy_devices_read - the keys of an answer, as the text of a file of keys
 * (policy_keys_parse). Any thread: it takes long.
 * @ret_text  given: free() it
 * Returns 0; -EPROTO it is no JSON, or has nothing where the path leads;
 * -ENOMEM. */
int policy_devices_read(const struct policy_devices_paths *paths,
			const char *json, size_t n, char **ret_text,
			struct policy_devices_found *found,
			struct hd_error *err);

/* ---- devices.c ---- */

struct policy_device_list { /* never changes; owned by all who hold it */
	atomic_uint holders;
	struct hd_key id;
	struct policy_keys keys;
};

struct policy_devices { /* the same; those that have been loaded once */
	atomic_uint holders;
	size_t n;
	struct policy_device_list *v[];
};

/* policy_device_list_new - one holder. @keys  taken, also on failure.
 * Returns NULL when out of memory. policy_device_list_same - the same keys with
 * the same names. */
struct policy_device_list *policy_device_list_new(const struct hd_key *id,
						  struct policy_keys *keys);
struct policy_device_list *
policy_device_list_hold(struct policy_device_list *list);
void policy_device_list_drop(struct policy_device_list **list);
bool policy_device_list_same(const struct policy_device_list *a,
			     const struct policy_device_list *b);

/* policy_devices_with - a copy with this list in place of an older one of its
 * id. Returns NULL when out of memory. @old  may be NULL */
struct policy_devices *policy_devices_with(const struct policy_devices *old,
					   struct policy_device_list *list);
/* policy_devices_named - a copy with those lists only that one of two sets of
 * rules names. @also  may be NULL. Returns NULL when out of memory. */
struct policy_devices *policy_devices_named(const struct policy_devices *old,
					    const struct policy_rules *rules,
					    const struct policy_rules *also);
/* policy_devices_find - NULL: it was never loaded. @set  may be NULL */
struct policy_device_list *policy_devices_find(const struct policy_devices *set,
					       const struct hd_key *id);

/* policy_device_list_load - what the last relay has left in state_dir.
 * Returns 0; -ENOENT; negative with the file in err.
 * policy_device_list_save - writes it there. @text  of a file of keys
 * Main and helper threads: they block. */
int policy_device_list_load(const struct policy_devices_rule *rule,
			    struct policy_device_list **ret,
			    struct hd_error *err);
int policy_device_list_save(const struct hd_key *id, const char *text,
			    struct hd_error *err);

/* ---- publish.c ---- */

/* policy_devices_publish - workers get this list beside those there are, and
 * look who may no longer be here. Takes it. Main thread.
 * Returns 0; -ENOMEM: it stays as it was.
 * policy_devices_keep - the same of workers that have not begun, or begin to
 * use other rules in a moment.
 * policy_devices_tidy - lists that no rule names any more are given back. */
int policy_devices_publish(struct policy_device_list **list);
void policy_devices_keep(struct policy_device_list **list);
void policy_devices_tidy(void);

/* ---- devices_wanted.c: the main thread ---- */

struct policy_devices_poll { /* one that is asked for; for those who show it */
	const struct policy_rule *rule;
	const struct policy_device_list *list; /* NULL: never loaded */
	const char *state;
	struct policy_devices_found found;
	uint64_t ok_s_ago, next_s; /* ok_s_ago UINT64_MAX: not yet */
	const char *error; /* of the last time; NULL: none */
};

typedef void policy_devices_each_fn(void *arg,
				    const struct policy_devices_poll *p);
void policy_devices_each(policy_devices_each_fn *fn, void *arg);

/* ---- devices_show.c ---- */

extern const struct hd_command policy_devices_commands[];
