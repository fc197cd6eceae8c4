/* SPDX-License-Identifier: MIT */
/* tools/hdctl/installed.c - is there such a module? */
#include "tools/hdctl/installed.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/hdctl/program.h"
#include "tools/hdctl/yaml_tree.h"

enum { PATH_BYTES = 1024 };

static bool has_file(const json_t *conf, const char *name)
{
	const json_t *folders = tree_get(conf, "module_path"), *folder;
	char path[PATH_BYTES];
	size_t i;

	if (name[0] == '/')
		return access(name, R_OK) == 0;
	json_array_foreach(folders, i, folder)
	{
		(void)snprintf(path, sizeof(path), "%s/%s.so",
			       json_string_value(folder), name);
		if (access(path, R_OK) == 0)
			return true;
	}
	(void)snprintf(path, sizeof(path), HD_MODULE_DIR "/%s.so", name);
	return folders == NULL && access(path, R_OK) == 0;
}

/* The program itself knows: it is asked with a file that lists nothing else. */
static bool is_built_in(const char *name)
{
	char path[4096], file[32];
	int fd = memfd_create("hdctl", 0), status = -1;

	if (fd < 0 || program_find("hyper-derp", path) == NULL)
		return false;
	(void)snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	dprintf(fd, "load_module: [\"%s\"]\n", name);
	free(program_output((char *const[]){ path, (char *)"-t", (char *)"-c",
					     file, NULL },
			    false, &status));
	close(fd);
	return status == 0;
}

bool installed(const json_t *conf, const char *name)
{
	return has_file(conf, name) || is_built_in(name);
}
