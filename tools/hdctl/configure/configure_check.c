/* SPDX-License-Identifier: MIT */
/* tools/hdctl/configure/configure_check.c - would the relay take it? The one
 * that runs is asked; where none does, or it does not answer us,
 * hyper-derp -t. */
#include "tools/hdctl/configure/configure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/hdctl/program.h"

enum { FILES_MAX = 16 };

void configure_verdict_free(struct configure_verdict *v)
{
	json_decref(v->restart);
	json_decref(v->modules);
	*v = (struct configure_verdict){ .good = false };
}

char *configure_for_relay(const struct configure *c, const char *comment)
{
	json_t *all = json_object(), *files = json_array(), *file;
	const char *path;
	char *text;

	json_object_foreach (json_object_get(c->cand, "files"), path, file) {
		json_t *copy = json_copy(file);

		json_object_set_new(copy, "path", json_string(path));
		json_array_append_new(files, copy);
	}
	json_object_set_new(all, "by", json_string(c->who));
	json_object_set_new(all, "comment", json_string(comment));
	json_object_set_new(all, "files", files);
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
}

static int ask_relay(struct configure *c, struct configure_verdict *v)
{
	char *text = configure_for_relay(c, "");
	const char *words[] = { "config", "try", text, "--dry-run" };
	struct hd_error err = { "" };
	json_t *data = NULL;
	int r = text == NULL ? HDCTL_REFUSED
			     : ask(&c->h->ask, words, HD_ARRAY_N(words), &data,
				   &err);

	free(text);
	v->good = r == HDCTL_OK;
	v->knows_restart = v->good;
	v->restart = json_incref(json_object_get(data, "restart"));
	v->modules = json_incref(json_object_get(data, "modules"));
	snprintf(v->why, sizeof(v->why), "%s", err.text);
	json_decref(data);
	return r == HDCTL_REFUSED ? HDCTL_OK : r;
}

/* ---- without a relay ---- */

/* A text that another program of ours reads, whoever it becomes. */
static int text_fd(const char *text)
{
	int fd = memfd_create("candidate", 0);
	size_t n = strlen(text);

	if (fd >= 0 && write(fd, text, n) == (ssize_t)n &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* "2026-... error FILE:3: ..." is what -t says. */
static void find_why(char *said, char *why, size_t size)
{
	char *save = NULL;

	for (char *line = strtok_r(said, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *error = strstr(line, " error ");

		if (error != NULL || why[0] == '\0')
			snprintf(why, size, "%s",
				 error != NULL ? error + 7 : line);
	}
}

struct call {
	char program[4096];
	char *argv[5 + 2 * FILES_MAX];
	int fds[FILES_MAX];
	size_t n_args, n_fds;
};

static bool add_file(struct call *a, const char *path, const char *text)
{
	if (a->n_fds == FILES_MAX || text == NULL)
		return false;
	a->fds[a->n_fds] = text_fd(text);
	if (a->fds[a->n_fds] < 0)
		return false;
	a->argv[a->n_args++] = (char *)"--with";
	if (asprintf(&a->argv[a->n_args], "%s=/dev/fd/%d", path,
		     a->fds[a->n_fds++]) < 0)
		return false;
	a->n_args++;
	return true;
}

static int run_check(const struct configure *c, struct call *a,
		     struct configure_verdict *v)
{
	json_t *file;
	const char *path;
	bool good = true;
	int status = -1;
	char *said;

	a->argv[a->n_args++] = a->program;
	a->argv[a->n_args++] = (char *)"-t";
	a->argv[a->n_args++] = (char *)"-c";
	a->argv[a->n_args++] = (char *)c->config;
	json_object_foreach (json_object_get(c->cand, "files"), path, file)
		good = good && add_file(a, path,
					json_string_value(json_object_get(
						file, "text")));
	said = good ? program_output(a->argv, true, &status) : NULL;
	v->good = status == 0;
	if (said != NULL && !v->good)
		find_why(said, v->why, sizeof(v->why));
	free(said);
	return good ? HDCTL_OK
		    : hdctl_fail(HDCTL_REFUSED, "more than %d files, or no "
				 "memory", FILES_MAX);
}

static int ask_program(struct configure *c, struct configure_verdict *v)
{
	struct call a = { .n_args = 0 };
	int r;

	if (program_find("hyper-derp", a.program) == NULL) {
		snprintf(v->why, sizeof(v->why), "hyper-derp is neither beside "
			 "hdctl nor in PATH: nothing can check the candidate");
		return HDCTL_NO_DAEMON;
	}
	r = run_check(c, &a, v);
	for (size_t i = 0; i < a.n_fds; i++) {
		close(a.fds[i]);
		free(a.argv[5 + 2 * i]);
	}
	return r;
}

int configure_check(struct configure *c, struct configure_verdict *ret)
{
	*ret = (struct configure_verdict){ .good = false };
	if (c->relay && ask_relay(c, ret) == HDCTL_OK)
		return HDCTL_OK;
	configure_verdict_free(ret);
	return ask_program(c, ret);
}
