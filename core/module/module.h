/* SPDX-License-Identifier: MIT */
/* core/module/module.h - the modules that are loaded: order, sections, their
 * steps in workers. What lower rooms know of a module is
 * core/base/module_id.h; what a worker has of it, core/loop/worker_module.h. */
#pragma once
#include "core/base/module_id.h"
#include "core/conf/conf.h"

struct hd_hooks;

/* hd_modules_load - load all of conf->load_module in order of requirement,
 * fill their sections and call load(). Main thread, before workers start.
 * On failure everything is unloaded again. Each refusal says what to do. */
int hd_modules_load(struct hd_conf *conf, struct hd_error *err);
/* hd_modules_probe - the same without load(): nothing outside this process
 * changes. For -t and -T; ends in hd_modules_unload() too. */
int hd_modules_probe(struct hd_conf *conf, struct hd_error *err);
/* hd_modules_check_left - after hd_modules_probe(): sections of modules that
 * are in module_path and not loaded; what is wrong in them is a warning. */
void hd_modules_check_left(struct hd_conf *conf);
/* hd_modules_unload - in reverse order; after the workers have ended. */
void hd_modules_unload(void);

/* In load order. Main thread, and workers while it asks them. */
unsigned hd_modules_n(void);
struct hd_module *hd_modules_at(unsigned i);
struct hd_module *hd_modules_find(const char *name); /* or NULL */
bool hd_modules_flagged(uint32_t flag); /* has one of them this flag? */
/* hd_modules_slot - by index: NULL unless it is listed. Any worker, within a
 * turn; any other thread between hd_modules_hold() and hd_modules_release(). */
struct hd_module *hd_modules_slot(unsigned index);
void hd_modules_hold(void);
void hd_modules_release(void);
const struct hd_hooks *hd_modules_hooks(void);

/* hd_modules_check - fill the sections of a new configuration and ask every
 * module's check(). The results hang on conf until hd_modules_adopt(). */
int hd_modules_check(struct hd_conf *conf, struct hd_error *err);
/* hd_modules_adopt - the main thread's view becomes the new sections. */
void hd_modules_adopt(struct hd_conf *conf);
/* hd_modules_conf - the configuration that they were loaded with, or the one
 * that was adopted last. */
struct hd_conf *hd_modules_conf(void);
/* The section of a module in a configuration that was loaded or checked. */
const void *hd_modules_section(const struct hd_conf *conf,
			       const struct hd_module *mod);

/* hd_modules_expect - before any worker begins: what modules post to this one
 * waits for start().
 * hd_modules_start - in a worker: zero the data, call every start() in order;
 * on failure stop() those that started. */
void hd_modules_expect(struct hd_worker *w);
int hd_modules_start(struct hd_worker *w, struct hd_error *err);
void hd_modules_stop(struct hd_worker *w);
/* hd_modules_free - their data and metrics, once no worker runs any more: the
 * others read the metrics to the last. */
void hd_modules_free(struct hd_worker *w);
/* hd_modules_changed - in a worker: swap to the sections of conf. */
void hd_modules_changed(struct hd_worker *w, const struct hd_conf *conf);
void hd_modules_serving(struct hd_worker *w, bool on);
