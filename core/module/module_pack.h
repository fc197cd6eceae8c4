/* SPDX-License-Identifier: MIT */
/* core/module/module_pack.h - what modules have in memory goes to another
 * process: hyper-derp/upgrade.h. All workers stand parked. */
#pragma once
#include "core/base/pack.h"
#include "core/module/module.h"

/* hd_module_reads - whether code that reads the versions from oldest to newest
 * understands what this module packs. hd_module_unpacks - whether this module
 * understands that version. */
bool hd_module_reads(const struct hd_module *mod, uint64_t oldest,
		     uint64_t newest);
bool hd_module_unpacks(const struct hd_module *mod, uint64_t version);

/* ---- the old process ---- */

/* hd_modules_pack_here - of one worker, in it. hd_modules_pack - what they have
 * once; main thread, afterwards.
 * @reads  by index: the new process understands it; others pack nothing
 * Return 0; negative with the module's name and the reason in err. */
int hd_modules_pack_here(struct hd_worker *w, const bool *reads,
			 struct hd_snap *to, struct hd_pack_fds *fds,
			 struct hd_error *err);
int hd_modules_pack(const bool *reads, struct hd_snap *to,
		    struct hd_pack_fds *fds, struct hd_error *err);

/* ---- the new process ---- */

struct hd_unpack_from { /* a snapshot, and what is known of it */
	struct hd_snap_in in;
	/* of the old one's modules, by the index of ours; 0: packs nothing */
	uint64_t version[HD_MODULES_MAX];
	struct hd_unpack_fds fds;
};

/* hd_modules_unpack - main thread. hd_modules_unpack_here - in each worker,
 * afterwards. Return 0; negative with the reason in err.
 * hd_modules_taken - all is ours: main thread, workers stand. */
int hd_modules_unpack(struct hd_unpack_from *from, struct hd_error *err);
int hd_modules_unpack_here(struct hd_worker *w, struct hd_unpack_from *from,
			   struct hd_error *err);
void hd_modules_taken(void);
