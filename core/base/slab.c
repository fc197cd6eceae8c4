/* SPDX-License-Identifier: MIT */
/* core/base/slab.c - objects of one size, cut from blocks that stay mapped. */
#include <string.h>
#include <sys/mman.h>
#include "core/base/slab.h"

#define BLOCK_BYTES (64u * 1024)

static void cut(struct hd_slab *slab, uint8_t *block)
{
	for (uint32_t at = 0; at + slab->bytes <= BLOCK_BYTES;
	     at += slab->bytes) {
		memcpy(block + at, &slab->free, sizeof(slab->free));
		slab->free = block + at;
	}
}

static void grow(struct hd_slab *slab)
{
	void *block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return;
	if (slab->secret && madvise(block, BLOCK_BYTES, MADV_DONTDUMP) < 0) {
		munmap(block, BLOCK_BYTES);
		return;
	}
	cut(slab, block);
}

void *hd_slab_alloc(struct hd_slab *slab)
{
	void *object;

	pthread_mutex_lock(&slab->lock);
	if (slab->free == NULL)
		grow(slab);
	object = slab->free;
	if (object != NULL)
		memcpy(&slab->free, object, sizeof(slab->free));
	pthread_mutex_unlock(&slab->lock);
	if (object != NULL)
		memset(object, 0, slab->bytes);
	return object;
}

void hd_slab_free(struct hd_slab *slab, void **object)
{
	void *o = hd_steal(object);

	if (o == NULL)
		return;
	explicit_bzero(o, slab->bytes);
	pthread_mutex_lock(&slab->lock);
	memcpy(o, &slab->free, sizeof(slab->free));
	slab->free = o;
	pthread_mutex_unlock(&slab->lock);
}
