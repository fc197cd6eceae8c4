/* SPDX-License-Identifier: MIT */
/* tools/hdctl/module_new.c - the beginning of a module outside this tree, from
 * the texts in new/. */
#include <errno.h>
#include <hyper-derp/module.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/names.h"
#include "tools/hdctl/new_texts.h"

enum { PATH_BYTES = 128 };

static const struct {
	const char *file; /* behind the module's name, or a whole name */
	bool behind;
	const char *text; /* with @NAME@ and @ABI@ */
} files[] = {
	{ ".c", true, NEW_C },
	{ "Makefile", false, NEW_MAKE },
	{ "check.t", false, NEW_CHECK },
	{ "configure.ac", false, NEW_CONFIGURE },
	{ "config.mk.in", false, NEW_CONFIG },
};

static void put_text(FILE *f, const char *text, const char *name)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "@");

		fwrite(text, 1, n, f);
		text += n;
		if (strncmp(text, "@NAME@", 6) == 0) {
			fputs(name, f);
			text += 6;
		} else if (strncmp(text, "@ABI@", 5) == 0) {
			fprintf(f, "%d.%d", HD_ABI_MAJOR, HD_ABI_MINOR);
			text += 5;
		} else if (*text == '@') {
			fputc(*text++, f);
		}
	}
}

static int write_file(const char *path, const char *text, const char *name)
{
	FILE *f = fopen(path, "wx");

	if (f == NULL)
		return -errno;
	put_text(f, text, name);
	return fclose(f) == 0 ? 0 : -errno;
}

static int write_all(const char *name)
{
	for (size_t i = 0; i < HD_ARRAY_N(files); i++) {
		char path[PATH_BYTES];
		int r;

		snprintf(path, sizeof(path), "%s/%s%s", name,
			 files[i].behind ? name : "", files[i].file);
		r = write_file(path, files[i].text, name);
		if (r < 0)
			return hdctl_fail(HDCTL_REFUSED, "%s: %s", path,
					  strerror(-r));
	}
	return HDCTL_OK;
}

int run_module_new(struct hdctl *h, const char *const *words, size_t n)
{
	int r;

	(void)h;
	if (n != 1 || !is_module_name(words[0]))
		return hdctl_fail(HDCTL_USAGE,
				  "module new takes one name: a letter, then "
				  "letters, digits and _, at most %d, all "
				  "small",
				  MODULE_NAME_MAX_BYTES);
	if (mkdir(words[0], 0777) < 0)
		return hdctl_fail(HDCTL_REFUSED,
				  "%s: %s; choose another name or folder",
				  words[0], strerror(errno));
	r = write_all(words[0]);
	if (r == HDCTL_OK)
		printf("%s/ has a module, its Makefile and its test:\n"
		       "    cd %s && make check && sudo make install\n"
		       "    hdctl module load %s\n",
		       words[0], words[0], words[0]);
	return r;
}
