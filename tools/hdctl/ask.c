/* SPDX-License-Identifier: MIT */
/* tools/hdctl/ask.c - lines to the daemon and back. It is local: waiting for
 * its answer is all there is to do. */
#include "tools/hdctl/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define USUAL_PATH "/run/hyper-derp/control.sock"
#define DEV_PATH "hyper-derp-dev/control.sock" /* as core/conf/conf.c has it */

enum { LINE_MAX_BYTES = 80 * 1024 * 1024, FIRST_BYTES = 4096, WORDS_MAX = 64 };
enum { PATIENCE_S = 60, AGAIN_MAX = 3 };

static int try_path(struct ask *a, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	(void)snprintf(a->path, sizeof(a->path), "%s", path);
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	a->fd = fd;
	return 0;
}

static void dev_path(char *buf, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state != NULL && state[0] == '/')
		(void)snprintf(buf, size, "%s/" DEV_PATH, state);
	else if (home != NULL && home[0] == '/')
		(void)snprintf(buf, size, "%s/.local/state/" DEV_PATH, home);
	else
		(void)snprintf(buf, size, "/tmp/hyper-derp-dev.%u/control.sock",
			       (unsigned)geteuid());
}

static int no_daemon(const struct ask *a, int r, bool searched,
		     struct hd_error *err)
{
	if (r == -EACCES || r == -EPERM)
		return hd_error_set(err, HDCTL_NOT_PERMITTED,
				    "%s: not permitted: be root, or a member "
				    "of the group hyper-derp",
				    a->path);
	return hd_error_set(err, HDCTL_NO_DAEMON,
			    "%s%s: %s: is the relay running? --socket PATH "
			    "names another socket (control.socket)",
			    searched ? USUAL_PATH " and " : "", a->path,
			    strerror(-r));
}

int ask_open(struct ask *a, const char *path, struct hd_error *err)
{
	char dev[200];
	int r;

	*a = (struct ask){ .fd = -1 };
	path = path != NULL ? path : getenv("HDCTL_SOCKET");
	if (path != NULL) {
		r = try_path(a, path);
		return r == 0 ? HDCTL_OK : no_daemon(a, r, false, err);
	}
	r = try_path(a, USUAL_PATH);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		dev_path(dev, sizeof(dev));
		r = try_path(a, dev);
		return r == 0 ? HDCTL_OK : no_daemon(a, r, true, err);
	}
	return r == 0 ? HDCTL_OK : no_daemon(a, r, false, err);
}

void ask_close(struct ask *a)
{
	if (a->fd >= 0)
		close(a->fd);
	free(a->buf);
	*a = (struct ask){ .fd = -1 };
}

int ask_again(struct ask *a, struct hd_error *err)
{
	char path[sizeof(a->path)];

	memcpy(path, a->path, sizeof(path));
	ask_close(a);
	return ask_open(a, path, err);
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static bool make_room(struct ask *a)
{
	size_t size = a->size > 0 ? 2 * a->size : FIRST_BYTES;
	char *buf;

	if (a->len < a->size)
		return true;
	if (size > LINE_MAX_BYTES)
		return false;
	buf = realloc(a->buf, size);
	if (buf == NULL)
		return false;
	a->buf = buf;
	a->size = size;
	return true;
}

/* The first line becomes a tree. Returns NULL: it is not all there. */
static json_t *take_line(struct ask *a, size_t from)
{
	char *end = a->len > from ? memchr(a->buf + from, '\n', a->len - from)
				  : NULL;
	json_t *line;
	size_t n;

	if (end == NULL)
		return NULL;
	n = (size_t)(end - a->buf);
	line = json_loadb(a->buf, n, 0, NULL);
	a->len -= n + 1;
	memmove(a->buf, end + 1, a->len);
	return line != NULL ? line : json_null();
}

json_t *ask_next(struct ask *a)
{
	size_t seen = 0;

	for (;;) {
		json_t *line = take_line(a, seen);
		ssize_t n;

		if (line != NULL)
			return line;
		seen = a->len;
		if (!make_room(a))
			return NULL;
		n = recv(a->fd, a->buf + a->len, a->size - a->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		a->len += (size_t)n;
	}
}

static const struct {
	const char *code;
	int status;
} codes[] = {
	/* every other is HDCTL_REFUSED */
	{ "unknown_command", HDCTL_USAGE },
	{ "bad_argument", HDCTL_USAGE },
	{ "bad_request", HDCTL_USAGE },
	{ "not_permitted", HDCTL_NOT_PERMITTED },
};

/* Nobody has looked at what was asked: the answer says so, or what a process
 * says last, and nothing answers behind that. */
static bool is_upgraded(const json_t *answer)
{
	const char *code = "", *event = "";

	json_unpack((json_t *)answer, "{s:{s:s}}", "error", "code", &code);
	json_unpack((json_t *)answer, "{s:s}", "event", &event);
	return strcmp(code, "upgraded") == 0 || strcmp(event, "upgraded") == 0;
}

static int read_error(const json_t *answer, struct hd_error *err)
{
	const char *code = "", *message = "the answer is none";

	json_unpack((json_t *)answer, "{s:{s:s,s:s}}", "error", "code", &code,
		    "message", &message);
	for (size_t i = 0; i < HD_ARRAY_N(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return hd_error_set(err, codes[i].status, "%s",
					    message);
	return hd_error_set(err, HDCTL_REFUSED, "%s", message);
}

/* Events may come before it, and the last of all in its place. */
static json_t *next_answer(struct ask *a)
{
	json_t *line = ask_next(a);

	while (line != NULL && json_object_get(line, "ok") == NULL &&
	       !is_upgraded(line)) {
		json_decref(line);
		line = ask_next(a);
	}
	return line;
}

/* How long an answer may take; 0: for ever. */
static unsigned patience_s(void)
{
	const char *text = getenv("HDCTL_TIMEOUT");
	char *end;
	unsigned long n = text != NULL ? strtoul(text, &end, 10) : 0;

	return text == NULL || end == text || *end != '\0' || n > 86400
		       ? PATIENCE_S
		       : (unsigned)n;
}

static void wait_at_most(const struct ask *a, unsigned seconds)
{
	struct timeval t = { .tv_sec = seconds };

	setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

static int no_answer(const struct ask *a, bool late, struct hd_error *err)
{
	return hd_error_set(err, HDCTL_NO_DAEMON,
			    late ? "%s: the relay does not answer; its log may "
				   "say why (HDCTL_TIMEOUT waits longer)"
				 : "%s: the relay closed the connection",
			    a->path);
}

static bool send_request(struct ask *a, const char *const *words, size_t n)
{
	json_t *cmd = json_array(), *request;
	char *text;
	bool sent;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(cmd, json_string(words[i]));
	request = json_pack("{s:I,s:o}", "id", (json_int_t)++a->id, "cmd", cmd);
	text = json_dumps(request, JSON_COMPACT);
	sent = text != NULL && write_all(a->fd, text, strlen(text)) &&
	       write_all(a->fd, "\n", 1);
	free(text);
	json_decref(request);
	return sent;
}

/* NULL: there is none. */
static json_t *ask_once(struct ask *a, const char *const *words, size_t n,
			struct hd_error *err)
{
	/* who is refused at once is told so, though nothing can be sent */
	send_request(a, words, n);
	wait_at_most(a, patience_s());
	errno = 0;
	json_t *answer = next_answer(a);

	if (answer == NULL)
		no_answer(a, errno == EAGAIN, err);
	else
		wait_at_most(a, 0); /* for the next event */
	return answer;
}

int ask(struct ask *a, const char *const *words, size_t n, json_t **ret_data,
	struct hd_error *err)
{
	*ret_data = NULL;
	for (size_t i = 0; i < n; i++) {
		json_t *word = json_string(words[i]); /* checks UTF-8 */

		if (word == NULL)
			return hd_error_set(err, HDCTL_USAGE,
					    "word %zu is not UTF-8", i + 1);
		json_decref(word);
	}
	json_t *answer = ask_once(a, words, n, err);

	for (int i = 0; i < AGAIN_MAX && is_upgraded(answer); i++) {
		json_decref(answer);
		if (ask_again(a, err) != HDCTL_OK)
			return HDCTL_NO_DAEMON;
		answer = ask_once(a, words, n, err);
	}
	if (answer == NULL)
		return HDCTL_NO_DAEMON;
	int r = HDCTL_OK;

	if (json_is_true(json_object_get(answer, "ok")))
		*ret_data = json_incref(json_object_get(answer, "data"));
	else
		r = read_error(answer, err);
	json_decref(answer);
	return r;
}

int ask_words(struct ask *a, const char *words, json_t **ret_data,
	      struct hd_error *err)
{
	const char *v[WORDS_MAX];
	char *copy = strdup(words), *save = NULL;
	size_t n = 0;
	int r;

	for (char *w = strtok_r(copy, " ", &save); w != NULL && n < WORDS_MAX;
	     w = strtok_r(NULL, " ", &save))
		v[n++] = w;
	r = ask(a, v, n, ret_data, err);
	free(copy);
	return r;
}
