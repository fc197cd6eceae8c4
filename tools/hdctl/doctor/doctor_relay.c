/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_relay.c - the relay that runs, and who starts it
 * after a boot. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

#define WANTED                                                                 \
	"/etc/systemd/system/multi-user.target.wants/hyper-derp.service"

void doctor_check_unit(struct doctor *d)
{
	char exec[256];

	if (!doctor_unit(d, "ExecStart", exec, sizeof(exec))) {
		doctor_say(d, DOCTOR_SKIP, "none is for this configuration");
	} else if (access(WANTED, F_OK) < 0) {
		doctor_say(d, DOCTOR_WARN, "the relay is not started at boot");
		doctor_remedy(d, "systemctl enable --now hyper-derp");
	} else {
		doctor_say(d, DOCTOR_OK, "systemd starts the relay at boot");
	}
}

static void not_running(struct doctor *d)
{
	if (strstr(d->no_relay.text, "not permitted") != NULL) {
		doctor_say(d, DOCTOR_SKIP, "%s", d->no_relay.text);
		return;
	}
	doctor_say(d, DOCTOR_SKIP, "none runs: its health was not checked");
	doctor_remedy(d, access("/run/systemd/system", F_OK) == 0
				 ? "systemctl start hyper-derp"
				 : "hyper-derp, or hyper-derp -c FILE");
}

static void look_at_state(struct doctor *d)
{
	const json_t *lost = json_object_get(d->status, "lost_modules"), *m;
	const char *state = tree_text(d->status, "state", "?");
	size_t i;

	json_array_foreach(lost, i, m) {
		doctor_say(d, DOCTOR_FAIL, "the module %s is lost",
			   json_string_value(m));
		doctor_remedy(d, "hdctl module load %s, or: hdctl module "
				 "unload %s --force", json_string_value(m),
			      json_string_value(m));
	}
	if (strcmp(state, "serving") == 0) {
		doctor_say(d, DOCTOR_OK, "serving, %" JSON_INTEGER_FORMAT
			   " peers, pid %d",
			   json_integer_value(
				   json_object_get(d->status, "peers")),
			   (int)d->pid);
	} else {
		doctor_say(d, DOCTOR_WARN, "the relay is %s: it takes no "
			   "logins", state);
		doctor_remedy(d, strcmp(state, "locked") == 0
					 ? "load the lost module again"
					 : "hdctl undrain");
	}
}

static void look_at_version(struct doctor *d)
{
	const char *version = tree_text(d->status, "version", "?");

	if (strcmp(version, PACKAGE_VERSION) == 0)
		return;
	doctor_say(d, DOCTOR_WARN, "it is version %s still, and %s is "
		   "installed", version, PACKAGE_VERSION);
	doctor_remedy(d, "restart it: systemctl restart hyper-derp");
}

static void look_at_file(struct doctor *d)
{
	const char *file = tree_text(d->status, "config", "?");
	char ours[4096], theirs[4096];

	if (realpath(d->config, ours) == NULL ||
	    realpath(file, theirs) == NULL || strcmp(ours, theirs) == 0)
		return;
	doctor_say(d, DOCTOR_WARN, "the relay that runs reads %s, not %s", file,
		   d->config);
	doctor_remedy(d, "hdctl doctor -c %s", file);
}

static void look_at_losses(struct doctor *d)
{
	json_int_t n = json_integer_value(
		json_object_get(d->status, "log_lines_lost"));

	if (n == 0)
		return;
	doctor_say(d, DOCTOR_WARN, "%" JSON_INTEGER_FORMAT " lines of the log "
		   "are lost", n);
	doctor_remedy(d, "the disk, or whoever reads stderr, is too slow");
}

static void look_at_modules(struct doctor *d)
{
	json_t *all = doctor_ask(d, "module status");
	const json_t *m;
	size_t i;

	json_array_foreach(all, i, m)
	{
		json_int_t n = json_integer_value(json_object_get(m, "errors"));
		const char *name = tree_text(m, "name", "?");

		if (n > 0) /* scanners make some, too */
			doctor_say(d, DOCTOR_OK, "the module %s counts %"
				   JSON_INTEGER_FORMAT " errors: hdctl module "
				   "status %s", name, n, name);
		if (json_is_false(json_object_get(m, "listed"))) {
			doctor_say(d, DOCTOR_WARN, "the module %s is loaded, "
				   "and the next start will not", name);
			doctor_remedy(d, "hdctl module enable %s", name);
		}
	}
	json_decref(all);
}

void doctor_check_relay(struct doctor *d)
{
	if (d->status == NULL) {
		not_running(d);
		return;
	}
	look_at_state(d);
	look_at_version(d);
	look_at_file(d);
	look_at_modules(d);
	look_at_losses(d);
}
