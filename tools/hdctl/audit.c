/* SPDX-License-Identifier: MIT */
/* tools/hdctl/audit.c - hdctl audit: what operators and rules did. The file is
 * read by hdctl itself, with its user's rights, so that a relay that is down
 * can be asked about; before it the one that was rotated last, FILE.1. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/interrupt.h"

#define USUAL_FILE "/var/log/hyper-derp/audit.log"
#define USAGE                                                                  \
	"audit [--since TIME] [--user USER] [--what WHAT] [--file FILE] [-f]"

enum { LOOK_MS = 200, SINCE_BYTES = 32 };

struct reading {
	struct hdctl *h;
	const char *file, *user, *what; /* NULL: any */
	char since[SINCE_BYTES]; /* as times in the file begin; "" all */
	bool follow;
	json_int_t uid; /* -1: any */
	unsigned long bad; /* lines that are none */
	char *line;
	size_t size;
};

/* ---- what is wanted ---- */

static bool since_ago(struct reading *r, const char *text)
{
	static const struct {
		char unit;
		long s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct tm tm;
	char *end;
	long n = strtol(text, &end, 10);
	time_t t = time(NULL);

	if (end == text || n < 0 || n > 100000000 || end[1] != '\0')
		return false;
	for (size_t i = 0; i < HD_ARRAY_N(units); i++)
		if (*end == units[i].unit) {
			t -= n * units[i].s;
			gmtime_r(&t, &tm);
			strftime(r->since, sizeof(r->since),
				 "%Y-%m-%dT%H:%M:%S", &tm);
			return true;
		}
	return false;
}

/* Of "2026-11-29T13:00:00" a beginning that ends behind a number: then texts
 * have the order of times. */
static bool since_time(struct reading *r, const char *text)
{
	static const char form[] = "9999-99-99T99:99:99";
	size_t n = strlen(text);

	if (n > 0 && text[n - 1] == 'Z')
		n--;
	if (n < 4 || n >= sizeof(form))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool fits = form[i] == '9' ? isdigit((unsigned char)text[i]) :
			    form[i] == 'T' ? text[i] == 'T' || text[i] == ' ' :
					     text[i] == form[i];

		if (!fits)
			return false;
		r->since[i] = form[i] == 'T' ? 'T' : text[i];
	}
	r->since[n] = '\0';
	return form[n] != '9';
}

static int take_since(struct reading *r, const char *text)
{
	if (since_ago(r, text) || since_time(r, text))
		return HDCTL_OK;
	return hdctl_fail(HDCTL_USAGE,
			  "--since %s: give a time as 2026-11-29T13:00 (UTC), "
			  "a day as 2026-11-29, or how long ago: 30m, 12h, 7d",
			  text);
}

static int take_user(struct reading *r, const char *text)
{
	const struct passwd *pw = getpwnam(text);
	char *end;
	unsigned long uid = strtoul(text, &end, 10);

	r->uid = pw != NULL ? (json_int_t)pw->pw_uid : (json_int_t)uid;
	if (pw != NULL || (*end == '\0' && end != text))
		return HDCTL_OK;
	return hdctl_fail(HDCTL_USAGE, "--user %s: there is no such user; a "
				       "number works, too",
			  text);
}

static int take_word(struct reading *r, const char *word, const char *value)
{
	if (value == NULL)
		return hdctl_fail(HDCTL_USAGE, USAGE);
	if (strcmp(word, "--since") == 0)
		return take_since(r, value);
	if (strcmp(word, "--user") == 0)
		return take_user(r, value);
	if (strcmp(word, "--what") == 0)
		r->what = value;
	else if (strcmp(word, "--file") == 0)
		r->file = value;
	else
		return hdctl_fail(HDCTL_USAGE, USAGE);
	return HDCTL_OK;
}

static int take_words(struct reading *r, const char *const *words, size_t n)
{
	int e = HDCTL_OK;

	for (size_t i = 0; i < n && e == HDCTL_OK; i++) {
		if (strcmp(words[i], "-f") == 0) {
			r->follow = true;
			continue;
		}
		e = take_word(r, words[i], i + 1 < n ? words[i + 1] : NULL);
		i++;
	}
	return e;
}

/* ---- which file ---- */

/* Of the relay that runs; NULL: it has none, or none runs. */
static int file_of_relay(struct hdctl *h, char **ret_file)
{
	struct hd_error err;
	const char *file;
	json_t *status;
	int e = ask_open(&h->ask, h->socket, &err);

	if (e == HDCTL_OK)
		e = ask_words(&h->ask, "status", &status, &err);
	if (e != HDCTL_OK)
		return access(USUAL_FILE, F_OK) == 0 ?
			       HDCTL_OK :
			       hdctl_fail(e, "%s (--file FILE reads the audit "
					     "log of a relay that is down)",
					  err.text);
	file = json_string_value(json_object_get(status, "audit_file"));
	*ret_file = file != NULL ? strdup(file) : NULL;
	json_decref(status);
	return file != NULL ?
		       HDCTL_OK :
		       hdctl_fail(HDCTL_REFUSED,
				  "this relay writes no audit log: set "
				  "audit.file in its configuration, as in "
				  "audit: {file: " USUAL_FILE "}, and restart "
				  "it");
}

/* ---- lines ---- */

static const char *text_of(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text != NULL ? text : "";
}

/* "policy" stands for policy.quota, "peer" for the command "peer close". */
static bool begins(const char *all, const char *what)
{
	size_t n = strlen(what);

	return strncmp(all, what, n) == 0 &&
	       (all[n] == '\0' || all[n] == '.' || all[n] == ' ');
}

static bool is_wanted(const struct reading *r, const json_t *line)
{
	const json_t *uid = json_object_get(line, "uid");

	if (r->uid >= 0 &&
	    (uid == NULL || json_integer_value(uid) != r->uid))
		return false;
	if (r->what != NULL && !begins(text_of(line, "what"), r->what) &&
	    !begins(text_of(line, "command"), r->what))
		return false;
	return strcmp(text_of(line, "time"), r->since) >= 0;
}

/* As JSON has it: what an operator gave cannot end the quotes it stands in. */
static void put_quoted(const json_t *v)
{
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	if (text != NULL)
		clean_put(stdout, text, false);
	free(text);
}

static void put_value(const char *name, const json_t *v)
{
	char buf[PRINT_CELL_BYTES];
	const char *text = json_string_value(v);

	putchar(' ');
	clean_put(stdout, name, false);
	putchar('=');
	if (text != NULL && (*text == '\0' || strpbrk(text, " \"=") != NULL))
		put_quoted(v);
	else if (text != NULL)
		clean_put(stdout, text, false);
	else
		printf("%s", print_cell(name, v, buf));
}

static void put_uid(const json_t *v)
{
	json_int_t uid = json_integer_value(v);
	const struct passwd *pw = getpwuid((uid_t)uid);

	if (pw != NULL)
		printf(" user=%s", pw->pw_name);
	else
		printf(" uid=%lld", (long long)uid);
}

static void put_text(const json_t *line)
{
	const char *name, *of;
	const json_t *v, *arg;

	clean_put(stdout, text_of(line, "time"), false);
	putchar(' ');
	clean_put(stdout, text_of(line, "what"), false);
	json_object_foreach ((json_t *)line, name, v) {
		if (strcmp(name, "time") == 0 || strcmp(name, "what") == 0)
			continue;
		if (strcmp(name, "uid") == 0)
			put_uid(v);
		else if (json_is_object(v))
			json_object_foreach ((json_t *)v, of, arg)
				put_value(of, arg);
		else
			put_value(name, v);
	}
	putchar('\n');
}

static void put_line(struct reading *r)
{
	json_t *line = json_loads(r->line, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(line)) {
		r->bad++;
	} else if (is_wanted(r, line)) {
		if (r->h->json)
			clean_json(stdout, line, JSON_COMPACT);
		else
			put_text(line);
	}
	json_decref(line);
}

/* ---- files ---- */

/* To the end, but for a line that is not whole yet. */
static void read_lines(struct reading *r, FILE *f)
{
	ssize_t n;

	clearerr(f);
	while ((n = getline(&r->line, &r->size, f)) > 0) {
		if (r->line[n - 1] != '\n') {
			(void)fseek(f, -n, SEEK_CUR);
			return;
		}
		put_line(r);
		if (ferror(stdout))
			return;
	}
}

static void read_rotated(struct reading *r, const char *file)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s.1", file);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	read_lines(r, f);
	(void)fclose(f);
}

static bool is_replaced(const char *file, FILE *f)
{
	struct stat is, was;

	return stat(file, &is) == 0 && fstat(fileno(f), &was) == 0 &&
	       (is.st_ino != was.st_ino || is.st_dev != was.st_dev);
}

/* As logrotate's copytruncate does. */
static bool is_cut(FILE *f)
{
	struct stat st;
	long at = ftell(f);

	return at >= 0 && fstat(fileno(f), &st) == 0 && st.st_size < at;
}

/* Until Ctrl-C, or nobody reads us. A file that was rotated is read to its end
 * before the new one. */
static void follow(struct reading *r, const char *file, FILE **f)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	while (!interrupt_came() && fflush(stdout) == 0) {
		bool replaced = is_replaced(file, *f);
		FILE *next = replaced ? fopen(file, "re") : NULL;

		if (is_cut(*f))
			rewind(*f);
		read_lines(r, *f);
		if (next != NULL) {
			(void)fclose(*f);
			*f = next;
			continue;
		}
		if (poll(&out, 1, LOOK_MS) > 0)
			return;
	}
}

static int read_file(struct reading *r, const char *file)
{
	FILE *f = fopen(file, "re");

	if (f == NULL)
		return hdctl_fail(HDCTL_REFUSED, "cannot read %s: %s%s", file,
				  strerror(errno),
				  errno == EACCES ?
					  "; root and the relay's group may" :
					  "");
	read_rotated(r, file);
	read_lines(r, f);
	if (ferror(f)) {
		int e = errno; /* a folder can be opened */

		(void)fclose(f);
		return hdctl_fail(HDCTL_REFUSED, "cannot read %s: %s", file,
				  strerror(e));
	}
	if (r->follow) {
		interrupt_begin(&r->h->ask);
		follow(r, file, &f);
		if (interrupt_came())
			putchar('\n'); /* behind the ^C */
		interrupt_end();
	}
	(void)fclose(f);
	if (r->bad > 0)
		fprintf(stderr, "hdctl: %lu lines of %s are damaged\n", r->bad,
			file);
	return HDCTL_OK;
}

int run_audit(struct hdctl *h, const char *const *words, size_t n)
{
	struct reading r = { .h = h, .uid = -1 };
	char *of_relay = NULL;
	int e = take_words(&r, words, n);

	if (e == HDCTL_OK && r.file == NULL)
		e = file_of_relay(h, &of_relay);
	if (e == HDCTL_OK)
		e = read_file(&r, r.file != NULL   ? r.file :
				  of_relay != NULL ? of_relay :
						     USUAL_FILE);
	free(of_relay);
	free(r.line);
	return e;
}
