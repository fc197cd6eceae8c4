/* SPDX-License-Identifier: MIT */
/* t/unit/mesh_core.c - what of the core the module mesh alone uses, without
 * threads and time; dials and links are in mesh_help.c. */
#include <hyper-derp/control.h>
#include <hyper-derp/event.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/offer.h>
#include <hyper-derp/task.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include "core/base/clock.h"
#include "t/unit/mesh_help.h"

unsigned hd_workers(void)
{
	return 1;
}

unsigned hd_link_worker(const char *name)
{
	(void)name;
	return 0;
}

int hd_hook_wish(struct hd_module *mod, hd_wish_fn *fn, struct hd_error *err)
{
	(void)mod, (void)fn, (void)err;
	return 0;
}

unsigned hd_worker_index(const struct hd_worker *w)
{
	(void)w;
	return 0;
}

uint64_t hd_now_ms(const struct hd_worker *w)
{
	(void)w;
	return mesh_fake.now_ms;
}

uint64_t hd_now_ns(void)
{
	return 1000000 * mesh_fake.now_ms;
}

uint64_t hd_clock_ns(void)
{
	return hd_now_ns();
}

bool hd_module_kept(const struct hd_module *mod, const struct hd_worker *w)
{
	(void)mod, (void)w;
	return false;
}

void *hd_stream_state(struct hd_stream *s)
{
	return s->state;
}

const char *hd_close_text(const struct hd_module *mod, enum hd_close why)
{
	(void)mod;
	return why == HD_CLOSE_PEER ? "closed by peer" : "something else";
}

struct hd_timer *hd_timer_new(struct hd_module *mod, struct hd_worker *w,
			      hd_timer_fn *fn, void *arg)
{
	struct hd_timer *t = malloc(sizeof(*t));

	(void)mod, (void)w;
	*t = (struct hd_timer){ fn, arg };
	return t;
}

/* Not that of sources.c, which has no arg. */
void hd_timer_set(struct hd_timer *timer, uint32_t delay_ms)
{
	if (timer->arg != NULL)
		mesh_fake.timer_ms = delay_ms;
}

void hd_timer_free(struct hd_timer **timer)
{
	free(*timer);
	*timer = NULL;
}

int hd_family_add(struct hd_module *mod, const struct hd_family_def *def,
		  struct hd_family **ret_family, struct hd_error *err)
{
	(void)mod, (void)err;
	hd_assert(def->size == sizeof(struct mesh_numbers));
	*ret_family = NULL;
	return 0;
}

struct hd_series hd_series_open(struct hd_family *family,
				const char *const *values)
{
	(void)family;
	hd_assert(values[1] == NULL);
	return (struct hd_series){ 0 };
}

void hd_series_end(struct hd_family *family, struct hd_series *series)
{
	(void)family, (void)series;
}

void *hd_series_numbers(struct hd_family *family, struct hd_worker *w,
			struct hd_series series)
{
	(void)family, (void)w, (void)series;
	return &mesh_fake.numbers;
}

int hd_offered(const char *name, void *ret, size_t len_bytes)
{
	struct derp_identity id = { .has_mesh_key = true };
	size_t n;

	hd_assert(strcmp(name, DERP_IDENTITY) == 0 && len_bytes == sizeof(id));
	id.public_key = mesh_fake.public_key;
	memcpy(id.private_key, mesh_fake.private_key, sizeof(id.private_key));
	hd_assert(sodium_hex2bin(id.mesh_key.b, 32, MESH_KEY_TEXT, 64, NULL, &n,
				 NULL) == 0);
	memcpy(ret, &id, sizeof(id));
	return 0;
}

/* Commands are not given here: t/system/mesh.t. */
const char *hd_call_arg(const struct hd_call *call, const char *name)
{
	(void)call, (void)name;
	return NULL;
}

void hd_call_error(struct hd_call *call, const char *fmt, ...)
{
	(void)call, (void)fmt;
}

void hd_call_refuse(struct hd_call *call, const char *code, const char *fmt,
		    ...)
{
	(void)call, (void)code, (void)fmt;
}

uint64_t *hd_call_cursor(struct hd_call *call)
{
	(void)call;
	return NULL;
}

/* ---- other threads: nothing goes there ---- */

struct hd_worker *hd_worker_at(unsigned i)
{
	(void)i;
	return &fake.worker;
}

int hd_post(struct hd_module *mod, struct hd_worker *w, hd_post_fn *fn,
	    void *arg, hd_drop_fn *drop)
{
	(void)mod, (void)w, (void)fn;
	drop(arg);
	return -ESHUTDOWN;
}

int hd_task(struct hd_module *mod, struct hd_worker *w, hd_task_fn *work,
	    hd_post_fn *done, void *arg, hd_drop_fn *drop)
{
	(void)mod, (void)w, (void)work, (void)done;
	drop(arg);
	return -ESHUTDOWN;
}
