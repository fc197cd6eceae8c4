/* SPDX-License-Identifier: MIT */
/* core/base/offer.c - a list of names and bytes. Written by the main thread,
 * read by any: a lock, since a handful are read a few times a minute. */
#include "core/base/offer.h"
#include <errno.h>
#include <hyper-derp/secret.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct offer {
	struct offer *next;
	const struct hd_module *mod;
	char *name;
	void *data; /* hd_secret_alloc() */
	size_t len_bytes;
};

static struct offer *offers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void offer_free(struct offer *o)
{
	if (o == NULL)
		return;
	hd_secret_free(o->data);
	free(o->name);
	free(o);
}

static struct offer *offer_new(const struct hd_module *mod, const char *name,
			       const void *data, size_t len_bytes)
{
	struct offer *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->mod = mod;
	o->len_bytes = len_bytes;
	o->name = strdup(name);
	o->data = hd_secret_alloc(len_bytes);
	if (o->name == NULL || o->data == NULL) {
		offer_free(o);
		return NULL;
	}
	memcpy(o->data, data, len_bytes);
	return o;
}

static const struct offer *find(const char *name)
{
	const struct offer *o = offers;

	while (o != NULL && strcmp(o->name, name) != 0)
		o = o->next;
	return o;
}

int hd_offer(struct hd_module *mod, const char *name, const void *data,
	     size_t len_bytes, struct hd_error *err)
{
	struct offer *o;

	if (find(name) != NULL)
		return hd_error_set(err, -EEXIST, "%s is offered already",
				    name);
	o = offer_new(mod, name, data, len_bytes);
	if (o == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	pthread_mutex_lock(&lock);
	o->next = offers;
	offers = o;
	pthread_mutex_unlock(&lock);
	return 0;
}

int hd_offered(const char *name, void *ret, size_t len_bytes)
{
	const struct offer *o;
	int r = -ENOENT;

	pthread_mutex_lock(&lock);
	o = find(name);
	if (o != NULL)
		r = o->len_bytes == len_bytes ? 0 : -EINVAL;
	if (r == 0)
		memcpy(ret, o->data, len_bytes);
	pthread_mutex_unlock(&lock);
	return r;
}

static void withdraw(const struct hd_module *mod)
{
	struct offer **at = &offers;

	pthread_mutex_lock(&lock);
	while (*at != NULL) {
		struct offer *o = *at;

		if (o->mod != mod) {
			at = &o->next;
			continue;
		}
		*at = o->next;
		offer_free(o);
	}
	pthread_mutex_unlock(&lock);
}

const struct hd_kind hd_offer_kind = {
	.name = "what modules offer each other",
	.withdraw = withdraw,
};
