/* SPDX-License-Identifier: MIT */
/* core/module/module_try.c - try a module's file before a running relay takes
 * it: in a fresh process, since its code may crash or hang. */
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/log.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/base/child.h"
#include "core/base/dry.h"
#include "core/base/log.h"
#include "core/base/state_file.h"
#include "core/module/module_life.h"

#define TRY_LIMIT_MS 5000
/* What messages call the text of a configuration: core/conf/conf.c. */
#define TEXT_NAME "text:"

/* ---- in the child ---- */

static int run(struct hd_conf *conf, struct hd_module_file *file,
	       struct hd_error *err)
{
	struct hd_life l = { .mod = hd_module_place(file) };
	int r = hd_module_section_load(conf, l.mod, err);

	if (r == 0)
		r = hd_life_in(&l, err);
	hd_life_forget(l.mod);
	return r;
}

static int load_conf(const char *path, const struct hd_conf_cli *cli,
		     const char *text, struct hd_conf **ret,
		     struct hd_error *err)
{
	char *defaults = NULL;

	if (text == NULL && cli->config_path != NULL)
		return hd_conf_load(cli, ret, err);
	if (text == NULL &&
	    asprintf(&defaults, "load_module: [ \"%s\" ]\n", path) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	text = text != NULL ? text : defaults;
	int r = hd_conf_load_text(text, strlen(text), cli, ret, err);
	free(defaults);
	return r;
}

static int try_file(const char *name, const char *path,
		    const struct hd_conf_cli *cli, const char *text,
		    struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	struct hd_module_file file;
	int r = hd_module_file_open(name, path, &file, err);

	if (r < 0)
		return r;
	r = load_conf(path, cli, text, &conf, err);
	if (r == 0 && text != NULL) /* of a relay, whose state it is */
		hd_state_dir_look(conf->state_dir);
	if (r < 0)
		hd_module_file_close(&file);
	else
		r = run(conf, &file, err);
	hd_module_sections_clear();
	return r;
}

int hd_module_try(const char *path, const struct hd_conf_cli *cli,
		  const char *text, struct hd_error *err)
{
	char name[HD_MODULE_NAME_BYTES];

	hd_dry = true;
	hd_log_level_set(HD_LOG_ERROR);
	if (path[0] != '/' || hd_module_name(path, name) < 0)
		return hd_error_set(err, -EINVAL,
				    "%s: name a module file by its absolute "
				    "path, /path/derp.so",
				    path);
	int r = try_file(name, path, cli, text, err);
	if (r < 0) {
		struct hd_error why = *err;
		return hd_error_set(err, r, "%s: %s", path, why.text);
	}
	return 0;
}

/* ---- in the relay ---- */

/* Its stdin has the configuration; its stderr is a pipe, and the last line of
 * that the reason. */
static int spawn(const char *path, int in, int out, pid_t *ret_pid)
{
	char *const argv[] = { "hyper-derp", "--try-module", (char *)path,
			       "--config", "-", NULL };
	const struct hd_child_fd fds[] = { { in, STDIN_FILENO },
					   { out, STDOUT_FILENO },
					   { out, STDERR_FILENO } };

	return hd_child_start("/proc/self/exe", argv, fds, HD_ARRAY_N(fds),
			      ret_pid);
}

static int judge(const struct hd_trial *t, int status, bool hangs,
		 const char *said, struct hd_error *err)
{
	const char *path = t->path;
	size_t n = strlen(path);

	if (hangs || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
		return hd_error_set(err, -ETIMEDOUT,
				    "%s: hangs while it is loaded; nothing "
				    "was changed",
				    path);
	if (WIFSIGNALED(status))
		return hd_error_set(err, -ENOEXEC,
				    "%s: crashes while it is loaded (%s); "
				    "nothing was changed",
				    path, strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 0)
		return 0;
	/* what hd_module_try() says begins so */
	if (strncmp(said, path, n) != 0)
		return hd_error_set(err, -ENOEXEC,
				    "%s: ends the process while it is loaded "
				    "(status %d); nothing was changed",
				    path, WEXITSTATUS(status));
	n += strspn(said + n, ": ");
	if (t->conf_file != NULL &&
	    strncmp(said + n, TEXT_NAME, strlen(TEXT_NAME)) == 0)
		return hd_error_set(err, -ENOEXEC, "%s: %s:%s", path,
				    t->conf_file, said + n + strlen(TEXT_NAME));
	return hd_error_set(err, -ENOEXEC, "%s", said);
}

/* The last line of what it has said. */
static const char *last_line(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	const char *line = strrchr(text, '\n');
	return line != NULL ? line + 1 : text;
}

static int text_fd(const struct hd_trial *t)
{
	int fd = memfd_create("section", MFD_CLOEXEC);
	size_t n = t->text != NULL ? strlen(t->text) : 0;

	if (fd >= 0 && (write(fd, t->text != NULL ? t->text : "", n) !=
				(ssize_t)n ||
			lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int try_with(const struct hd_trial *t, int in, int fds[2],
		    struct hd_error *err)
{
	char said[8192] = "";
	pid_t pid;
	int r = spawn(t->path, in, fds[1], &pid);

	if (r < 0)
		return hd_error_set(err, r,
				    "cannot start a child to try %s: %s",
				    t->path, strerror(-r));
	int status = 0;
	bool hangs = hd_child_end(pid, TRY_LIMIT_MS, &status) < 0;
	ssize_t n = read(fds[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	return judge(t, status, hangs, last_line(said), err);
}

int hd_module_try_child(const struct hd_trial *t, struct hd_error *err)
{
	int fds[2];
	int in = text_fd(t);

	if (in < 0)
		return hd_error_set(err, -errno, "memfd: %s", strerror(errno));
	int r = pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
	if (r < 0) {
		close(in);
		return hd_error_set(err, r, "pipe: %s", strerror(-r));
	}
	r = try_with(t, in, fds, err);
	close(in);
	close(fds[0]);
	close(fds[1]);
	return r;
}

void hd_trial_free(struct hd_trial *t)
{
	if (t->text != NULL) /* it may name secrets */
		explicit_bzero(t->text, strlen(t->text));
	free(t->path);
	free(t->text);
	free(t->conf_file);
	*t = (struct hd_trial){ 0 };
}
