/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_rule.h - what a rule wants of a list of devices.
 * devices.h has the lists. */
#pragma once
#include <hyper-derp/base.h>
#include "modules/policy/conf.h"

/* ---- devices_path.c: where something stands in JSON ---- */

enum {
	POLICY_PATH_BYTES = 128, /* with its NUL */
	POLICY_STEPS_MAX = 8,
	POLICY_EACH = 0xff, /* [*] */
};

struct policy_path { /* plain memory */
	uint8_t n; /* steps; 0: there is no path */
	uint8_t at[POLICY_STEPS_MAX]; /* its name in text, or POLICY_EACH */
	char text[POLICY_PATH_BYTES];
};

/* policy_path_parse - "devices[*].nodeKey". Returns 0; -EINVAL.
 * policy_path_step - a name; NULL: [*].
 * policy_path_item - the step behind the last [*]; 0: it has none.
 * policy_path_beside - whether the other begins as this one does, up to the
 * last [*] of both: so both lead into the same entries. */
int policy_path_parse(const char *text, struct policy_path *ret);
const char *policy_path_step(const struct policy_path *p, unsigned i);
unsigned policy_path_item(const struct policy_path *p);
bool policy_path_beside(const struct policy_path *of,
			const struct policy_path *other);

struct policy_devices_paths {
	struct policy_path key, name, where; /* n is 0: none */
};

/* ---- devices_rule.c ---- */

struct policy_devices_rule {
	struct hd_key id; /* of the list: a hash of all that is here */
	char *url; /* NULL: the rule wants none */
	char *token_path; /* NULL: none is shown */
	struct policy_devices_paths paths;
};

/* policy_devices_take - of a rule of the configuration. Returns 0; negative
 * with the place in err. Main thread: it reads the file of the token.
 * policy_devices_token - the token of a file. Returns 0; negative with the
 * file in err, and nothing in buf. Wipe it. */
enum { POLICY_DEVICES_TOKEN_BYTES = 2048 };
int policy_devices_take(const struct policy_rule_conf *c,
			struct policy_devices_rule *ret, struct hd_error *err);
void policy_devices_rule_free(struct policy_devices_rule *r);
int policy_devices_token(const char *path, char *buf, size_t size,
			 struct hd_error *err);

/* ---- devices.c ---- */

struct policy_devices; /* devices.h */

enum policy_listed {
	POLICY_LISTED_NO,
	POLICY_LISTED_YES,
	POLICY_LISTED_UNKNOWN, /* the list has never been loaded */
};

/* policy_devices_ask - whether the key is in the rule's list. @set  may be
 * NULL. @ret_name  when it is: "" none; as long as the set lives.
 * policy_devices_hold, policy_devices_drop - NULL is allowed. */
enum policy_listed policy_devices_ask(const struct policy_devices *set,
				      const struct policy_devices_rule *rule,
				      const struct hd_key *key,
				      const char **ret_name);
struct policy_devices *policy_devices_hold(struct policy_devices *set);
void policy_devices_drop(struct policy_devices **set);
