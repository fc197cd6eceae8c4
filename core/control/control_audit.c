/* SPDX-License-Identifier: MIT */
/* core/control/control_audit.c - what operators did, for the audit log. */
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <string.h>
#include "core/base/clock.h"
#include "core/control/control.h"

enum {
	VALUE_BYTES = 512, /* of an argument; the rest is cut off */
	REFUSED_PER_SECOND = 20,
};

static struct { /* lines about those who may not */
	uint64_t window_s;
	unsigned count, more; /* more: not written since the last one */
} refused;

/* Any local user can be refused as often as he likes: that must neither fill
 * the disk nor push out what operators did. */
static bool may_write(void)
{
	uint64_t now = hd_clock_ns() / 1000000000;

	if (refused.window_s != now)
		refused.count = 0;
	refused.window_s = now;
	if (refused.count == REFUSED_PER_SECOND) {
		refused.more++;
		return false;
	}
	refused.count++;
	return true;
}

/* Of a file only how long it was: it may hold a secret. */
static void put_arg(struct hd_json *j, const struct hd_arg *a,
		    const char *value)
{
	char text[VALUE_BYTES];

	if (hd_arg_is_file(a))
		snprintf(text, sizeof(text), "(%zu bytes)", strlen(value));
	else
		snprintf(text, sizeof(text), "%s", value);
	hd_json_string(j, a->name, text);
}

static void put_command(struct hd_json *j, const struct hd_command_entry *e,
			const struct hd_arg_values *values)
{
	hd_json_string(j, "command", e->command->words);
	if (values == NULL)
		return;
	hd_json_open(j, "args", '{');
	for (unsigned i = 0; i < e->n_args; i++)
		if (values->v[i] != NULL)
			put_arg(j, &e->args[i], values->v[i]);
	hd_json_close(j);
}

void hd_control_audit(const struct hd_who *who,
		      const struct hd_command_entry *entry,
		      const struct hd_arg_values *values, const char *result,
		      const char *why)
{
	bool is_refused = strcmp(result, "not_permitted") == 0;
	struct hd_json j = { 0 };

	if (entry == NULL)
		hd_log_notice("audit: uid=%u pid=%d result=%s",
			      (unsigned)who->uid, (int)who->pid, result);
	if (is_refused && !may_write())
		return;
	hd_json_open(&j, NULL, '{');
	hd_json_uint(&j, "uid", who->uid);
	hd_json_int(&j, "pid", who->pid);
	hd_json_string(&j, "role", entry != NULL ? hd_role_text(who->role) :
						   "none");
	if (entry != NULL)
		put_command(&j, entry, values);
	hd_json_string(&j, "result", result);
	if (why[0] != '\0')
		hd_json_string(&j, "why", why);
	if (is_refused && refused.more > 0)
		hd_json_uint(&j, "more", refused.more);
	hd_json_close(&j);
	hd_json_put(&j, "", 1);
	hd_audit("command", j.error == 0 ? j.text : NULL);
	hd_json_free(&j);
	if (is_refused)
		refused.more = 0;
}
