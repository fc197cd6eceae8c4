/* SPDX-License-Identifier: MIT */
/* core/daemon/daemon_files.h - whether this process, as the user that the relay
 * runs as, reaches what a relay opens later. Main thread; it opens and makes
 * nothing. */
#pragma once
#include "core/conf/conf.h"

/* hd_files_check - the state folder, the control socket's folder, the log,
 * files that sections of modules name.
 * @by_root  root will start the relay: it makes folders, socket and log
 * Returns 0, perhaps with warnings in the log; negative, with what to do. */
int hd_files_check(const struct hd_conf *conf, bool by_root,
		   struct hd_error *err);

/* hd_files_warn_unread - a warning for each certificate and key, and for the
 * configuration, that this user cannot read. */
void hd_files_warn_unread(const struct hd_conf *conf);
