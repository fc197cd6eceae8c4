/* SPDX-License-Identifier: MIT */
/* core/daemon/cli_with.c - --with: what a configuration would be. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/whole.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/daemon/cli.h"

/* All of a file and a 0; NULL: it cannot be read, or is too long. */
static char *read_other(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = fd >= 0 ? calloc(1, HD_TRY_TEXT_MAX_BYTES + 1) : NULL;
	ssize_t n = -1;

	if (text != NULL)
		n = hd_read_whole(fd, text, HD_TRY_TEXT_MAX_BYTES);
	if (fd >= 0)
		close(fd);
	if (n >= 0 && n < HD_TRY_TEXT_MAX_BYTES)
		return text;
	free(text);
	return NULL;
}

/* Read now: a check by root goes on as somebody else. It is for once, and
 * stays in memory. */
int hd_cli_with(struct hd_conf_cli *conf, const char *arg)
{
	static struct hd_conf_instead all[HD_CONF_INSTEAD_MAX];
	const char *eq = strchr(arg, '=');
	struct hd_conf_instead *i = &all[conf->n_instead];
	char path[PATH_MAX];

	if (eq == NULL || eq - arg >= PATH_MAX ||
	    conf->n_instead == HD_CONF_INSTEAD_MAX)
		return -EINVAL;
	snprintf(path, sizeof(path), "%.*s", (int)(eq - arg), arg);
	i->path = realpath(path, NULL);
	i->text = read_other(eq + 1);
	if (i->path == NULL || i->text == NULL)
		return -EINVAL;
	i->len = strlen(i->text);
	conf->instead = all;
	conf->n_instead++;
	return 0;
}
