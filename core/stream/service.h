/* SPDX-License-Identifier: MIT */
/* core/stream/service.h - the services of all modules: what listeners may speak
 * from the first byte. */
#pragma once
#include <hyper-derp/service.h>
#include "core/base/entries.h"
#include "core/base/kind.h"
#include "core/conf/conf.h"

struct hd_service_entry {
	struct hd_entry_link link;
	const struct hd_service *service; /* in the module */
};

/* hd_services_add - those of the module's definition; before its load().
 * Returns 0; -EEXIST a name is taken, with the name of the owner; -ENOMEM. */
int hd_services_add(struct hd_module *mod, struct hd_error *err);
extern const struct hd_kind hd_service_kind;

/* Main thread. hd_services_check - whether each listener of the configuration
 * has one that modules offer. Returns 0; -EINVAL with file, line and remedy.
 * hd_services_check_listens - the same for the listeners of a module.
 * hd_services_log_lost - the module goes: which listeners are left without.
 * hd_service_is_of - whether the module offers it. */
int hd_services_check_listens(const struct hd_module *mod,
			      struct hd_error *err);
int hd_services_check(const struct hd_conf *conf, struct hd_error *err);
void hd_services_log_lost(const struct hd_conf *conf,
			  const struct hd_module *mod);
bool hd_service_is_of(const struct hd_module *mod, const char *name);

/* Any thread, within a turn: hd_service_find() by name, NULL: nobody offers it.
 * hd_service_next() after one, NULL: the first. */
const struct hd_service_entry *hd_service_find(const char *name);
const struct hd_service_entry *
hd_service_next(const struct hd_service_entry *entry);
