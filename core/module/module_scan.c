/* SPDX-License-Identifier: MIT */
/* core/module/module_scan.c - what stays over a reload must not point into the
 * code that goes. Seven bytes in a row that look like such an address by chance
 * are not to be feared: images lie at random places of 2^47. */
#include "core/module/module_live.h"

#ifdef HD_DEBUG_CHECKS

#include <link.h>
#include "core/base/bug.h"
#include "core/loop/worker.h"
#include "core/stream/stream.h"
#include "core/stream/stream_worker.h"

struct image {
	uintptr_t code, from, to;
};

static int find_image(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct image *image = arg;
	uintptr_t from = UINTPTR_MAX, to = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD)
			continue;
		from = HD_MIN(from, at);
		to = HD_MAX(to, at + ph->p_memsz);
	}
	if (image->code < from || image->code >= to)
		return 0;
	image->from = from;
	image->to = to;
	return 1;
}

static void scan(const struct hd_module *mod, const char *what,
		 const void *memory, size_t bytes, const struct image *image)
{
	const uintptr_t *v = memory;

	for (size_t i = 0; v != NULL && i < bytes / sizeof(*v); i++) {
		if (v[i] < image->from || v[i] >= image->to)
			continue;
		hd_bug_count();
		hd_log_write(HD_LOG_ERROR,
			     "bug: module %s keeps a pointer into its code: "
			     "%s, offset %zu, to image offset 0x%zx",
			     mod->name, what, i * sizeof(*v),
			     (size_t)(v[i] - image->from));
	}
}

void hd_module_scan(const struct hd_module *mod, struct hd_worker *w,
		    const void *code)
{
	struct image image = { .code = (uintptr_t)code };

	if (dl_iterate_phdr(find_image, &image) == 0)
		return;
	scan(mod, "worker data", w->mods[mod->index].data,
	     mod->def->worker_size, &image);
	for (const struct hd_stream *s = w->streams->first; s != NULL;
	     s = s->next)
		if (s->mod == mod)
			scan(mod, s->proto->name, s->state,
			     s->proto->state_size, &image);
}

#else

void hd_module_scan(const struct hd_module *mod, struct hd_worker *w,
		    const void *code)
{
	(void)mod;
	(void)w;
	(void)code;
}

#endif
