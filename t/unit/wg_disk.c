/* SPDX-License-Identifier: MIT */
/* t/unit/wg_disk.c - the disk of wg_net.h: wg.state and the copy before it. */
#include <hyper-derp/state_file.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "t/unit/wg_net.h"

static struct net_disk *disk_of(const char *name)
{
	return strcmp(name, WG_STATE_FILE) == 0 ? &net.disk : &net.disk_before;
}

int hd_state_file_write(const char *name, const void *buf, size_t len,
			struct hd_error *err)
{
	struct net_disk *f = disk_of(name);

	(void)err;
	hd_assert(strcmp(name, WG_STATE_FILE) == 0 && len > 0);
	free(f->v);
	f->v = malloc(len);
	memcpy(f->v, buf, len);
	f->n = len;
	return 0;
}

int hd_state_file_update(const char *name, const void *buf, size_t len,
			 struct hd_error *err)
{
	free(net.disk_before.v);
	net.disk_before = net.disk;
	net.disk = (struct net_disk){ 0 };
	return hd_state_file_write(name, buf, len, err);
}

int hd_state_file_read(const char *name, void *buf, size_t size,
		       struct hd_error *err)
{
	const struct net_disk *f = disk_of(name);

	(void)err;
	if (f->v == NULL)
		return -ENOENT;
	if (f->n > size)
		return -EFBIG;
	memcpy(buf, f->v, f->n);
	return (int)f->n;
}

const char *hd_state_file_path(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "/state/%s", name);
	return buf;
}
