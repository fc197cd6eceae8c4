/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/upgrade.c - a new process takes over: it connects to NATS
 * by itself, once it serves, and goes on as the same instance. So what the
 * directory has of this relay counts all the time; who has not come along is
 * deleted there.
 *
 * What others' keys and leases were is asked anew.
 *
 * Versions: 1, the first. */
#include <errno.h>
#include <hyper-derp/upgrade.h>
#include <stdlib.h>
#include <string.h>
#include "modules/mesh_nats/mesh_nats.h"

static int pack_keys(struct hd_pack *to, bool realms, const char *name)
{
	size_t n;
	uint8_t *keys = dir_here_image(realms, &n);

	if (keys == NULL)
		return -ENOMEM;
	hd_pack_bytes(to, name, keys, n);
	free(keys);
	return 0;
}

/* With dir.lock. */
static int pack_all(struct hd_pack *to)
{
	int r = pack_keys(to, false, "keys");

	if (r == 0)
		r = pack_keys(to, true, "realm_keys");
	if (r < 0)
		return r;
	hd_pack_text(to, "name", dir.conf->name);
	hd_pack_text(to, "region", dir.conf->region);
	hd_pack_text(to, "instance", dir.instance);
	hd_pack_number(to, "created", (uint64_t)dir.created);
	return 0;
}

static int pack(struct hd_module *mod, struct hd_pack *to, struct hd_error *err)
{
	int r = 0;

	(void)mod, (void)err;
	pthread_mutex_lock(&dir.lock);
	if (dir.conf != NULL) /* else it does nothing */
		r = pack_all(to);
	pthread_mutex_unlock(&dir.lock);
	return r;
}

static bool says(const struct hd_unpack *from, const char *what,
		 const char *text)
{
	char got[512];

	return text != NULL &&
	       hd_unpack_text(from, what, got, sizeof(got)) == 0 &&
	       strcmp(got, text) == 0;
}

static int take_keys(const struct hd_unpack *from, bool realms,
		     const char *name)
{
	const void *keys;
	size_t n;
	int r = hd_unpack_view(from, name, &keys, &n);

	return r == 0 ? dir_here_inherit(realms, keys, n) : r;
}

/* The thread has not begun. */
static int take(const struct hd_unpack *from)
{
	uint64_t created;
	int r;

	if (hd_unpack_text(from, "instance", dir.instance,
			   sizeof(dir.instance)) < 0 ||
	    strspn(dir.instance, "0123456789abcdef") !=
		    DIR_INSTANCE_BYTES - 1 ||
	    hd_unpack_number(from, "created", &created) < 0)
		return -EBADMSG;
	dir.created = (int64_t)created;
	r = take_keys(from, false, "keys");
	if (r == 0)
		r = take_keys(from, true, "realm_keys");
	return r == -ENOENT ? 0 : r; /* an older one knew no realms */
}

/* By another name it is another relay. */
static int unpack(struct hd_module *mod, struct hd_unpack *from,
		  struct hd_error *err)
{
	const struct dir_conf *conf = hd_module_conf(mod);
	int r = 0;

	(void)err;
	pthread_mutex_lock(&dir.lock);
	if (says(from, "name", conf->name) &&
	    says(from, "region", conf->region))
		r = take(from);
	pthread_mutex_unlock(&dir.lock);
	return r;
}

const struct hd_upgrade_def dir_upgrade = {
	.version = 1,
	.oldest = 1,
	.pack = pack,
	.unpack = unpack,
};
