/* SPDX-License-Identifier: MIT */
/* core/base/slab.h - objects of one size in memory of their own, zeroed when
 * given and wiped when taken back. Any thread: a lock, so not for packet
 * paths. */
#pragma once
#include <hyper-derp/base.h>
#include <pthread.h>

struct hd_slab {
	pthread_mutex_t lock;
	uint32_t bytes; /* of an object, rounded up */
	bool secret;    /* not in core dumps */
	void *free;     /* the first one, which points to the next */
};
#define HD_SLAB(size, is_secret)                                               \
	{                                                                      \
		.lock = PTHREAD_MUTEX_INITIALIZER,                             \
		.bytes = ((size) + 15) & ~15u, .secret = is_secret             \
	}

/* hd_slab_alloc - returns NULL when out of memory. */
void *hd_slab_alloc(struct hd_slab *slab);
/* hd_slab_free - NULL is fine; the memory stays the slab's. */
void hd_slab_free(struct hd_slab *slab, void **object);
