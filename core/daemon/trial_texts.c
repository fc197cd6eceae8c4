/* SPDX-License-Identifier: MIT */
/* core/daemon/trial_texts.c - the texts of a trial, and the files they stand
 * for. */
#include "core/daemon/trial_texts.h"
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/whole.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hd_trial_text(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

static bool file_is(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t n = strlen(text);
	char *buf = malloc(n + 1);
	struct stat st;
	bool same = fd >= 0 && buf != NULL && fstat(fd, &st) == 0 &&
		    S_ISREG(st.st_mode) && (size_t)st.st_size == n &&
		    hd_read_whole(fd, buf, n) == (ssize_t)n &&
		    memcmp(buf, text, n) == 0;

	if (fd >= 0)
		close(fd);
	free(buf);
	return same;
}

const char *hd_trial_unlike(const struct hd_trial *t, const char *which)
{
	const json_t *file;
	size_t i;

	json_array_foreach(json_object_get(t->json, "files"), i, file)
		if (!file_is(hd_trial_text(file, "path"),
			     hd_trial_text(file, which)))
			return hd_trial_text(file, "path");
	return NULL;
}

static bool add_file(struct hd_trial *t, const json_t *file)
{
	const char *text =
		json_string_value(json_object_get(file, "text"));
	const char *path = hd_trial_text(file, "path");

	if (text == NULL || path[0] != '/' || t->n == HD_CONF_INSTEAD_MAX ||
	    !json_is_string(json_object_get(file, "base")))
		return false;
	t->v[t->n++] = (struct hd_conf_instead){ path, text, strlen(text) };
	return true;
}

void hd_trial_release(struct hd_trial *t)
{
	json_decref(t->json);
	*t = (struct hd_trial){ .json = NULL };
}

int hd_trial_parse(struct hd_trial *t, const char *text, struct hd_error *err)
{
	const json_t *file;
	bool good;
	size_t i;

	*t = (struct hd_trial){ .json = json_loads(text, 0, NULL) };
	good = json_array_size(json_object_get(t->json, "files")) > 0;
	json_array_foreach(json_object_get(t->json, "files"), i, file)
		good = good && add_file(t, file);
	if (good)
		return 0;
	hd_trial_release(t);
	return hd_error_set(err, -EINVAL,
			    "this is not what `hdctl configure` sends: 1 to %d "
			    "files with path, base and text",
			    HD_CONF_INSTEAD_MAX);
}
