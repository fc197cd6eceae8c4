/* SPDX-License-Identifier: MIT */
/* modules/policy/account_old.c - files of months that nobody wants any more.
 * Context: the main thread. */
#include <dirent.h>
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <hyper-derp/state_file.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "modules/policy/account.h"

#define PREFIX "accounting."

static void remove_month(const char *name)
{
	const char *month = name + strlen(PREFIX);
	char path[512], json[48];

	hd_state_file_path(name, path, sizeof(path));
	if (unlink(path) < 0) {
		hd_log_warn("accounting: cannot remove an old month: file=%s "
			    "error=\"%s\"",
			    path, strerror(errno));
		return;
	}
	hd_log_notice("accounting: an old month is removed: month=%s", month);
	snprintf(json, sizeof(json), "{\"month\":\"%s\"}", month);
	hd_audit("policy.month_removed", json);
}

/* Only what has exactly the name of a month: not 2026-11.bad. */
static bool is_old(const char *name, unsigned now, unsigned keep)
{
	unsigned month;

	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
	       account_month_parse(name + strlen(PREFIX), &month) &&
	       month + keep < now;
}

void account_remove_old(unsigned now, unsigned keep)
{
	char folder[512];
	const struct dirent *e;
	DIR *d = opendir(hd_state_file_path(".", folder, sizeof(folder)));

	while (d != NULL && (e = readdir(d)) != NULL)
		if (is_old(e->d_name, now, keep))
			remove_month(e->d_name);
	if (d != NULL)
		closedir(d);
}
