/* SPDX-License-Identifier: MIT */
/* core/module/module_list.c - which modules are loaded. A slot stays while a
 * module is loaded, since workers know modules by its number; a hole is used
 * again. Workers only find what is listed: a slot is filled before that, and
 * emptied when no worker has it any more, so neither can race with a reader.
 * Context: main thread, but for hd_modules_slot(). */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "core/module/module_private.h"

static struct hd_module slots[HD_MODULES_MAX];
static struct hd_module *listed[HD_MODULES_MAX]; /* atomic; NULL: not */
static struct hd_module_private privates[HD_MODULES_MAX];
static struct hd_module *in_order[HD_MODULES_MAX];
static unsigned n_modules, loads;

/* For readers that are neither workers nor the main thread. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
/* This thread changes it: what it calls of a module, load() say, may read. */
static _Thread_local bool changing;

unsigned hd_modules_n(void)
{
	return n_modules;
}

struct hd_module *hd_modules_at(unsigned i)
{
	hd_assert(i < n_modules);
	return in_order[i];
}

struct hd_module *hd_modules_find(const char *name)
{
	for (unsigned i = 0; i < n_modules; i++)
		if (strcmp(in_order[i]->name, name) == 0)
			return in_order[i];
	return NULL;
}

bool hd_modules_flagged(uint32_t flag)
{
	for (unsigned i = 0; i < n_modules; i++)
		if (in_order[i]->def->flags & flag)
			return true;
	return false;
}

struct hd_module *hd_modules_slot(unsigned index)
{
	hd_assert(index < HD_MODULES_MAX);
	return __atomic_load_n(&listed[index], __ATOMIC_ACQUIRE);
}

/* Who holds the list now may have read the slot before it was empty. */
static void wait_for_holders(void)
{
	if (changing)
		return;
	hd_module_lock();
	hd_module_unlock();
}

void hd_module_list(struct hd_module *mod, bool on)
{
	__atomic_store_n(&listed[mod->index], on ? mod : NULL,
			 __ATOMIC_RELEASE);
	if (!on)
		wait_for_holders();
}

void hd_modules_hold(void)
{
	if (!changing)
		pthread_rwlock_rdlock(&lock);
}

void hd_modules_release(void)
{
	if (!changing)
		pthread_rwlock_unlock(&lock);
}

void hd_module_lock(void)
{
	pthread_rwlock_wrlock(&lock);
	changing = true;
}

void hd_module_unlock(void)
{
	changing = false;
	pthread_rwlock_unlock(&lock);
}

void hd_module_set_file(struct hd_module *mod, struct hd_module_file *file)
{
	mod->priv->file = *file;
	*file = (struct hd_module_file){ .copy_fd = -1 };
	mod->path = mod->priv->file.path;
}

static unsigned free_slot(void)
{
	unsigned i = 0;

	while (i < HD_MODULES_MAX && slots[i].def != NULL)
		i++;
	return i;
}

struct hd_module *hd_module_place(struct hd_module_file *file)
{
	unsigned i = free_slot();

	if (i == HD_MODULES_MAX)
		return NULL;
	struct hd_module *mod = &slots[i];
	struct hd_module_private *priv = &privates[i];

	/* core memory: the name in the file goes with the code */
	snprintf(priv->name, sizeof(priv->name), "%s", file->def.name);
	*mod = (struct hd_module){
		.def = &priv->file.def,
		.name = priv->name,
		.index = i,
		.order = loads++,
		.priv = priv,
	};
	hd_module_set_file(mod, file);
	in_order[n_modules++] = mod;
	return mod;
}

bool hd_module_remove(struct hd_module *mod)
{
	unsigned i = 0;

	while (in_order[i] != mod)
		i++;
	n_modules--;
	memmove(&in_order[i], &in_order[i + 1],
		(n_modules - i) * sizeof(*in_order));
	hd_module_list(mod, false);
	mod->def = NULL;
	return hd_module_file_close(&mod->priv->file);
}
