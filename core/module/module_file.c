/* SPDX-License-Identifier: MIT */
/* core/module/module_file.c - from a file to running code.
 *
 * dlopen() first, for its messages and because RTLD_NOW refuses a module whose
 * symbols are missing; then libltdl, which also knows the modules that are
 * built in; then the first handle is dropped.
 *
 * The code runs from a copy in memory (memfd): who writes over the file of a
 * loaded module, cp(1) say, would else pull the pages away from under the
 * relay. In the build tree it runs from the file itself, where debuggers and
 * profilers find its symbols. */
#include "core/module/module_def.h"
#include "core/module/module_file.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* linux/memfd.h since 6.3 */
#endif

static int ltdl_init(struct hd_error *err)
{
	static bool done;

	if (done)
		return 0;
	if (lt_dlinit() != 0)
		return hd_error_set(err, -EIO, "libltdl: %s", lt_dlerror());
	done = true;
	return 0;
}

/* Built in: libtool lists the archive of a preloaded module as NAME.a. */
static lt_dlhandle open_builtin(const char *name)
{
	char archive[HD_MODULE_NAME_BYTES + 3];
	lt_dladvise advise;
	lt_dlhandle h = NULL;

	if (ltdl_init(NULL) < 0 || lt_dladvise_init(&advise) != 0)
		return NULL;
	snprintf(archive, sizeof(archive), "%s.a", name);
	if (lt_dladvise_preload(&advise) == 0)
		h = lt_dlopenadvise(archive, advise);
	lt_dladvise_destroy(&advise);
	return h;
}

bool hd_module_built_in(const char *name)
{
	lt_dlhandle h = open_builtin(name);

	if (h != NULL)
		lt_dlclose(h);
	return h != NULL;
}

static int copy_bytes(int to, int from)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || write(to, buf, (size_t)n) != n)
			return -EIO;
	}
	return 0;
}

/* Returns a memfd with the file's bytes; -1. */
static int copy_to_memory(const char *name, const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (from < 0)
		return -1;
	int to = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);
	if (to < 0 && errno == EINVAL)
		to = memfd_create(name, MFD_CLOEXEC);
	if (to >= 0 && copy_bytes(to, from) < 0) {
		close(to);
		to = -1;
	}
	close(from);
	return to;
}

/* dlerror() names the file first, in its own words; the reason follows. */
static const char *reason(const char *path)
{
	const char *text = dlerror();
	size_t n = strlen(path);

	if (text == NULL)
		return "unknown";
	if (strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		return text + n + 2;
	return text;
}

static const struct {
	const char *text, *remedy;
} load_remedies[] = {
	{ "undefined symbol", "it was built for another version of the relay, "
			      "or uses more than the public API" },
	{ "invalid ELF header", "it is not a module; install it again" },
	{ "file too short", "it is not a module; install it again" },
	{ "Permission denied", "make it readable for the relay's user" },
	{ "cannot open shared object", "install the library it needs" },
};

static int load_error(const char *path, struct hd_error *err)
{
	const char *why = reason(path);
	const char *remedy = "install a module for this relay";

	for (unsigned i = 0; i < HD_ARRAY_N(load_remedies); i++)
		if (strstr(why, load_remedies[i].text) != NULL) {
			remedy = load_remedies[i].remedy;
			break;
		}
	return hd_error_set(err, -ENOEXEC, "%s; %s", why, remedy);
}

static int open_code(const char *at, lt_dlhandle *ret, struct hd_error *err)
{
	lt_dladvise advise;
	void *first = dlopen(at, RTLD_NOW | RTLD_LOCAL);

	if (first == NULL)
		return load_error(at, err);
	*ret = NULL;
	if (lt_dladvise_init(&advise) == 0) {
		lt_dladvise_local(&advise);
		*ret = lt_dlopenadvise(at, advise);
		lt_dladvise_destroy(&advise);
	}
	dlclose(first);
	if (*ret == NULL)
		return hd_error_set(err, -EIO, "libltdl: %s", lt_dlerror());
	return 0;
}

enum { COPY_PATH_BYTES = 32 };

static void copy_path(int fd, char ret[static COPY_PATH_BYTES])
{
	snprintf(ret, COPY_PATH_BYTES, "/proc/self/fd/%d", fd);
}

/* The descriptor of the copy stays open while the module is loaded: glibc
 * takes two modules with one path for the same. */
static int open_copy(const char *name, const char *path,
		     struct hd_module_file *file, struct hd_error *err)
{
	char at[COPY_PATH_BYTES];
	lt_dlhandle h = NULL;
	int fd = copy_to_memory(name, path);

	if (fd < 0)
		return hd_error_set(err, -EIO,
				    "no copy in memory: %s; restart "
				    "the relay to load it",
				    strerror(errno));
	copy_path(fd, at);
	int r = open_code(at, &h, err);
	if (r < 0) {
		close(fd);
		return r;
	}
	file->copy_fd = fd;
	file->handle = h;
	return 0;
}

static int open_file(const char *name, const char *path,
		     struct hd_module_file *file, struct hd_error *err)
{
	lt_dlhandle h = NULL;

	if (!hd_module_in_build_tree(path) &&
	    open_copy(name, path, file, NULL) == 0)
		return 0;
	int r = open_code(path, &h, err);

	file->handle = h;
	return r;
}

static const struct hd_module_def *find_def(lt_dlhandle h, const char *name)
{
	char symbol[HD_MODULE_NAME_BYTES + 16];
	const struct hd_module_def *def = lt_dlsym(h, "hd_module");

	if (def != NULL)
		return def;
	/* the copy's path does not tell libltdl the module's name */
	snprintf(symbol, sizeof(symbol), "%s_LTX_hd_module", name);
	return lt_dlsym(h, symbol);
}

static int check_path(const char *path, struct hd_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return hd_error_set(err, -errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return hd_error_set(err, -ENOEXEC,
				    "not a file; name the "
				    "module's .so file");
	return 0;
}

static int open_checked(const char *name, const char *path,
			int (*open_it)(const char *, const char *,
				       struct hd_module_file *,
				       struct hd_error *),
			struct hd_module_file *ret, struct hd_error *err)
{
	int r = ltdl_init(err);

	*ret = (struct hd_module_file){ .copy_fd = -1 };
	if (r == 0 && path != NULL)
		r = check_path(path, err);
	if (r < 0)
		return r;
	if (path == NULL)
		ret->handle = open_builtin(name);
	else
		r = open_it(name, path, ret, err);
	if (r < 0)
		return r;
	hd_assert(ret->handle != NULL);
	const struct hd_module_def *def = find_def(ret->handle, name);
	if (def == NULL)
		r = hd_error_set(err, -ENOEXEC,
				 "no symbol %s_LTX_hd_module: it is not a "
				 "module, or its file was renamed",
				 name);
	else
		r = hd_module_def_check(def, name, &ret->def, err);
	if (r == 0 && path != NULL && (ret->path = strdup(path)) == NULL)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		hd_module_file_close(ret);
	return r;
}

int hd_module_file_open(const char *name, const char *path,
			struct hd_module_file *ret, struct hd_error *err)
{
	return open_checked(name, path, open_file, ret, err);
}

int hd_module_file_open_beside(const char *name, const char *path,
			       struct hd_module_file *ret, struct hd_error *err)
{
	return open_checked(name, path, open_copy, ret, err);
}

static bool is_mapped(const struct hd_module_file *file)
{
	char copy[COPY_PATH_BYTES];
	const char *at = file->path;

	if (file->copy_fd >= 0) {
		copy_path(file->copy_fd, copy);
		at = copy;
	}
	void *still = at != NULL ? dlopen(at, RTLD_NOW | RTLD_NOLOAD) : NULL;

	if (still != NULL)
		dlclose(still);
	return still != NULL;
}

bool hd_module_file_close(struct hd_module_file *file)
{
	if (file->handle != NULL && lt_dlclose(file->handle) != 0)
		hd_log_warn("module was not closed: file=%s error=\"%s\"",
			    file->path != NULL ? file->path : "built in",
			    lt_dlerror());
	bool gone = file->handle == NULL || !is_mapped(file);

	if (file->copy_fd >= 0)
		close(file->copy_fd);
	free(file->path);
	*file = (struct hd_module_file){ .copy_fd = -1 };
	return gone;
}
