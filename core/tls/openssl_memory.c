/* SPDX-License-Identifier: MIT */
/* core/tls/openssl_memory.c - OpenSSL's allocator. Without core dumps malloc()
 * and a free() that wipes. With them, objects of a few sizes from slabs that no
 * dump has; each behind a head that tells its size. */
#include <errno.h>
#include <hyper-derp/module.h>
#include <hyper-derp/secret.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/slab.h"
#include "core/tls/openssl_memory.h"

/* ---- malloc ---- */

/* What is larger are records and certificates on their way: no keys. An SSL
 * object has some 6 KiB. */
#define WIPE_MAX_BYTES 8192

static void *wiping_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void wiping_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p == NULL) /* two of five are */
		return;
	size_t n = malloc_usable_size(p);

	if (n <= WIPE_MAX_BYTES)
		explicit_bzero(p, n);
	free(p);
}

static void *wiping_realloc(void *p, size_t n, const char *file, int line)
{
	void *to = malloc(n);

	if (to != NULL && p != NULL) {
		memcpy(to, p, HD_MIN(n, malloc_usable_size(p)));
		wiping_free(p, file, line);
	}
	return to;
}

/* ---- slabs ---- */

struct head {
	_Alignas(16) size_t bytes; /* behind the head */
};

static struct hd_slab slabs[] = {
	HD_SLAB(48, true),    HD_SLAB(64, true),    HD_SLAB(96, true),
	HD_SLAB(128, true),   HD_SLAB(192, true),   HD_SLAB(256, true),
	HD_SLAB(384, true),   HD_SLAB(512, true),   HD_SLAB(768, true),
	HD_SLAB(1024, true),  HD_SLAB(1536, true),  HD_SLAB(2048, true),
	HD_SLAB(3072, true),  HD_SLAB(4096, true),  HD_SLAB(6144, true),
	HD_SLAB(8192, true),  HD_SLAB(12288, true), HD_SLAB(16384, true),
	HD_SLAB(21824, true), HD_SLAB(32768, true), HD_SLAB(65536, true),
};

/* Returns NULL: larger than all of them. */
static struct hd_slab *slab_for(size_t n)
{
	for (size_t i = 0; i < HD_ARRAY_N(slabs); i++)
		if (n <= slabs[i].bytes - sizeof(struct head))
			return &slabs[i];
	return NULL;
}

static void *slab_malloc(size_t n, const char *file, int line)
{
	struct hd_slab *slab = slab_for(n);
	struct head *head;

	(void)file;
	(void)line;
	if (n > SIZE_MAX - sizeof(*head))
		return NULL;
	head = slab != NULL ? hd_slab_alloc(slab)
			    : hd_secret_alloc(sizeof(*head) + n);
	if (head == NULL)
		return NULL;
	head->bytes = n;
	return head + 1;
}

static void slab_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p == NULL)
		return;
	struct head *head = (struct head *)p - 1;
	struct hd_slab *slab = slab_for(head->bytes);

	if (slab != NULL)
		hd_slab_free(slab, (void **)&head);
	else
		hd_secret_free(head);
}

static void *slab_realloc(void *p, size_t n, const char *file, int line)
{
	void *to = slab_malloc(n, file, line);

	if (to != NULL && p != NULL) {
		memcpy(to, p, HD_MIN(n, ((struct head *)p - 1)->bytes));
		slab_free(p, file, line);
	}
	return to;
}

int hd_openssl_memory(bool core_dumps)
{
	int ok = core_dumps ? CRYPTO_set_mem_functions(slab_malloc,
						       slab_realloc, slab_free)
			    : CRYPTO_set_mem_functions(wiping_malloc,
						       wiping_realloc,
						       wiping_free);

	return ok == 1 ? 0 : -EALREADY;
}
