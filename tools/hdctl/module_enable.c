/* SPDX-License-Identifier: MIT */
/* tools/hdctl/module_enable.c - which modules are loaded at every start: a
 * file for each in modules-enabled, a link where the module's package has one
 * to link to. A relay that runs takes part at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/names.h"

enum { PATH_BYTES = 512, PRINTED_MAX_BYTES = 1 << 20 };

struct place {
	const char *name;
	char folder[PATH_BYTES]; /* of enabled */
	char enabled[PATH_BYTES + 80], available[PATH_BYTES];
};

static const char *folder(const char *variable, const char *usual)
{
	const char *dir = getenv(variable);

	return dir != NULL && *dir != '\0' ? dir : usual;
}

static int find_place(const char *name, struct place *p)
{
	const char *enabled = folder("HDCTL_MODULES_ENABLED",
				     HD_SYSCONF_DIR
				     "/hyper-derp/modules-enabled");
	const char *available = folder("HDCTL_MODULES_AVAILABLE",
				       HD_DATA_DIR
				       "/hyper-derp/modules-available");

	if (!is_module_name(name))
		return hdctl_fail(HDCTL_USAGE,
				  "%s: not a module's name: a-z, 0-9 and _",
				  name);
	snprintf(p->enabled, sizeof(p->enabled), "%s/%s.yaml", enabled, name);
	if (snprintf(p->folder, PATH_BYTES, "%s", enabled) >= PATH_BYTES ||
	    snprintf(p->available, PATH_BYTES, "%s/%s.yaml", available, name) >=
		    PATH_BYTES)
		return hdctl_fail(HDCTL_USAGE, "the path is too long");
	p->name = name;
	return HDCTL_OK;
}

static int failed(const char *path)
{
	int e = errno;

	return hdctl_fail(e == EACCES || e == EPERM ? HDCTL_NOT_PERMITTED
						    : HDCTL_REFUSED,
			  "%s: %s", path, strerror(e));
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int put_file(const struct place *p)
{
	FILE *f = fopen(p->enabled, "wx");

	if (f == NULL)
		return failed(p->enabled);
	(void)fchmod(fileno(f), 0644); /* the relay's user reads it */
	fprintf(f, "load_module: [%s]\n", p->name);
	return fclose(f) == 0 ? HDCTL_OK : failed(p->enabled);
}

static int put_link(const struct place *p)
{
	if (!is_there(p->available))
		return put_file(p);
	return symlink(p->available, p->enabled) == 0 ? HDCTL_OK
						      : failed(p->enabled);
}

/* ---- will the next start read it? ---- */

/* @text  a configuration as `config show` and -T print it */
static bool is_listed(const char *text, const char *name)
{
	const char *list = strstr(text, "load_module:\n");
	char bare[96], file[96];

	snprintf(bare, sizeof(bare), "  - {name: %s, ", name);
	snprintf(file, sizeof(file), "/%s.so, ", name);
	for (list = list != NULL ? strchr(list, '\n') + 1 : "";
	     strncmp(list, "  - ", 4) == 0; list = strchr(list, '\n') + 1) {
		const char *end = strchr(list, '\n');
		const char *at = strstr(list, file);

		if (strncmp(list, bare, strlen(bare)) == 0 ||
		    (at != NULL && at < end))
			return true;
		if (end == NULL)
			break;
	}
	return false;
}

/* What -T prints of a file; "" if it does not. The caller frees it. */
static char *print_file(const char *file)
{
	char *text = calloc(1, PRINTED_MAX_BYTES + 1);
	int fds[2], status = 1;
	size_t n = 0;
	ssize_t r = 1;

	if (text == NULL || pipe(fds) < 0)
		return text;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(fds[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		_exit(exec_relay("-T", file));
	}
	close(fds[1]);
	while (pid > 0 && n < PRINTED_MAX_BYTES && r > 0) {
		r = read(fds[0], text + n, PRINTED_MAX_BYTES - n);
		n += r > 0 ? (size_t)r : 0;
	}
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		text[0] = '\0';
	return text;
}

/* What `status` says of a relay that has none: "built in (--dev)". */
static bool is_built_in(const char *config)
{
	return config == NULL || strncmp(config, "built in", 8) == 0;
}

/* How the two come together. @config  the relay's file, as `status` has it */
static int not_included(const struct place *p, const char *config)
{
	if (is_built_in(config))
		return hdctl_fail(HDCTL_REFUSED,
				  "this relay reads no configuration (--dev); "
				  "until it ends: hdctl module load %s",
				  p->name);
	return hdctl_fail(HDCTL_REFUSED,
			  "%s does not include %s: add this line to it (or "
			  "the entry, where `include` has others), and try "
			  "again\n"
			  "  include: [\"%s/*.yaml\"]",
			  config, p->folder, p->folder);
}

/* No relay to ask: the file beside the folder is what it would read. */
static int check_file(const struct place *p)
{
	char config[PATH_BYTES + 32];
	const char *slash = strrchr(p->folder, '/');

	snprintf(config, sizeof(config), "%.*s/hyper-derp.yaml",
		 slash != NULL ? (int)(slash - p->folder) : 1,
		 slash != NULL ? p->folder : ".");
	if (!is_there(config))
		return HDCTL_OK;
	char *text = print_file(config);
	int r = HDCTL_OK;

	if (text != NULL && text[0] == '\0')
		puts("the configuration has a mistake; see: hyper-derp -t");
	else if (text != NULL && !is_listed(text, p->name))
		r = not_included(p, config);
	free(text);
	return r;
}

/* ---- a relay that runs ---- */

/* Returns whether one does; says nothing. */
static bool relay_runs(struct hdctl *h)
{
	struct hd_error err;

	return h->ask.fd >= 0 || ask_open(&h->ask, h->socket, &err) == HDCTL_OK;
}

static int tell_relay(struct hdctl *h, const char *what, const char *name)
{
	const char *words[] = { "module", what, name };
	struct hd_error err;
	json_t *data = NULL;
	int r = ask(&h->ask, words, HD_ARRAY_N(words), &data, &err);

	json_decref(data);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

static const char *name_of(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));

	return name != NULL ? name : "";
}

static int is_loaded(struct hdctl *h, const char *name, bool *ret)
{
	json_t *all, *row;
	size_t i;
	int r = hdctl_ask(h, "module status", &all);

	*ret = false;
	json_array_foreach(all, i, row)
		*ret |= strcmp(name_of(row), name) == 0;
	json_decref(all);
	return r;
}

/* The first load_module takes the place of the default list. */
static int tell_unlisted(struct hdctl *h)
{
	json_t *all, *row;
	size_t i;
	int r = hdctl_ask(h, "module status", &all);

	json_array_foreach(all, i, row)
		if (json_is_false(json_object_get(row, "listed")))
			printf("%s is loaded, but load_module does not list "
			       "it: it is gone at the next start, unless: "
			       "hdctl module enable %s\n",
			       name_of(row), name_of(row));
	json_decref(all);
	return r;
}

static int reload(struct hdctl *h)
{
	json_t *data;
	int r = hdctl_ask(h, "reload", &data);

	json_decref(data);
	return r;
}

/* A relay may read another file than the usual one. */
static int check_relay(struct hdctl *h, const struct place *p)
{
	json_t *text, *status = NULL;
	int r = hdctl_ask(h, "config show", &text);

	if (r == HDCTL_OK && !is_listed(json_string_value(text), p->name)) {
		r = hdctl_ask(h, "status", &status);
		const char *config = json_string_value(
			json_object_get(status, "config"));

		if (r == HDCTL_OK)
			r = not_included(p, config);
		json_decref(status);
	}
	json_decref(text);
	return r;
}

/* The configuration first: it may have the module's section. */
static int bring_in(struct hdctl *h, const struct place *p)
{
	bool loaded;
	int r = reload(h);

	if (r == HDCTL_OK)
		r = check_relay(h, p);
	if (r == HDCTL_OK)
		r = is_loaded(h, p->name, &loaded);
	if (r == HDCTL_OK && !loaded)
		r = tell_relay(h, "load", p->name);
	return r == HDCTL_OK ? tell_unlisted(h) : r;
}

static int take_out(struct hdctl *h, const struct place *p)
{
	bool loaded;
	int r = is_loaded(h, p->name, &loaded);

	return r == HDCTL_OK && loaded ? tell_relay(h, "unload", p->name) : r;
}

/* ---- the commands ---- */

static int one_name(const char *const *words, size_t n, const char *what,
		    struct place *p)
{
	if (n != 1)
		return hdctl_fail(HDCTL_USAGE, "module %s takes one name",
				  what);
	return find_place(words[0], p);
}

/* Nothing was installed there. */
static int no_folder(struct hdctl *h, const struct place *p)
{
	json_t *status = NULL;
	int r = relay_runs(h) ? hdctl_ask(h, "status", &status) : HDCTL_OK;
	const char *config =
		json_string_value(json_object_get(status, "config"));

	if (r == HDCTL_OK && status != NULL && is_built_in(config))
		r = not_included(p, config);
	else if (r == HDCTL_OK)
		r = hdctl_fail(HDCTL_REFUSED,
			       "%s: there is no such folder; where the relay's "
			       "configuration is elsewhere (%s), list %s in "
			       "its load_module, or set HDCTL_MODULES_ENABLED "
			       "to the folder modules-enabled beside it",
			       p->folder, config != NULL ? config : "-c FILE",
			       p->name);
	json_decref(status);
	return r;
}

static int make_folder(struct hdctl *h, const struct place *p)
{
	if (mkdir(p->folder, 0755) == 0 || errno == EEXIST)
		return HDCTL_OK;
	return errno == ENOENT ? no_folder(h, p) : failed(p->folder);
}

/* What a running relay refuses would stop the next start. */
static int enable(struct hdctl *h, const struct place *p)
{
	bool runs = relay_runs(h), was = is_there(p->enabled);
	int r = was ? HDCTL_OK : make_folder(h, p);

	if (r == HDCTL_OK && !was)
		r = put_link(p);
	if (r != HDCTL_OK)
		return r;
	r = runs ? bring_in(h, p) : check_file(p);
	if (r == HDCTL_OK) {
		puts(runs ? "ok"
			  : "ok: loaded at the next start; no relay runs now");
	} else if (!was && unlink(p->enabled) == 0) {
		if (runs)
			reload(h);
		hdctl_fail(r, "%s is not enabled", p->name);
	}
	return r;
}

int run_module_enable(struct hdctl *h, const char *const *words, size_t n)
{
	struct place p;
	int r = one_name(words, n, "enable", &p);

	return r == HDCTL_OK ? enable(h, &p) : r;
}

int run_module_disable(struct hdctl *h, const char *const *words, size_t n)
{
	struct place p;
	int r = one_name(words, n, "disable", &p);

	if (r != HDCTL_OK)
		return r;
	if (!is_there(p.enabled))
		return hdctl_fail(HDCTL_REFUSED,
				  "%s is not enabled there; load_module "
				  "in the configuration may list it, too",
				  p.enabled);
	bool runs = relay_runs(h);

	if (runs)
		r = take_out(h, &p);
	if (r != HDCTL_OK)
		return r;
	if (unlink(p.enabled) < 0)
		return failed(p.enabled);
	if (runs)
		r = reload(h);
	if (r == HDCTL_OK)
		puts(runs ? "ok" : "ok: no relay runs now");
	return r;
}
