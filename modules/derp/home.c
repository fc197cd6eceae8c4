/* SPDX-License-Identifier: MIT */
/* modules/derp/home.c - the page at "/": one of ours, none, another place, or
 * a file of the operator's. derper's -home has the first three. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "modules/derp/derp.h"

#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\"><title>DERP relay</title>\n"
	"<h1>DERP relay</h1>\n"
	"<p>This is a Hyper-DERP server. It passes encrypted packets "
	"between machines that cannot reach each other directly, and "
	"cannot read them.</p></html>\n";

static bool is_url(const char *home)
{
	return strncmp(home, "https://", 8) == 0 ||
	       strncmp(home, "http://", 7) == 0;
}

static bool is_word(const char *home)
{
	return strcmp(home, "page") == 0 || strcmp(home, "blank") == 0 ||
	       strcmp(home, "none") == 0;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* What would end the header's line early, or is no part of a URL. */
static bool url_is_whole(const char *url)
{
	const char *p = url;

	while (*p > ' ' && *p < 0x7f)
		p++;
	return *p == '\0' && strlen(url) < 1024;
}

int derp_home_check(const struct derp_conf *conf, struct hd_error *err)
{
	const struct hd_place *at = &conf->at_home;
	const char *home = conf->home;

	if (is_word(home))
		return 0;
	if (is_url(home) && !url_is_whole(home))
		return hd_error_at(at, err, -EINVAL,
				   "`home`: the URL has spaces or other "
				   "characters that must be written as %%20, "
				   "or is longer than 1,023 characters");
	if (is_url(home))
		return 0;
	if (home[0] != '/')
		return hd_error_at(at, err, -EINVAL,
				   "`home: %.64s`: page, blank, none, a URL "
				   "with http:// or https://, or the absolute "
				   "path of a file is expected",
				   home);
	if (access(home, R_OK) < 0)
		return hd_error_at(at, err, -errno, "`home`: %s: %s", home,
				   strerror(errno));
	if (!is_file(home))
		return hd_error_at(at, err, -EISDIR, "`home`: %s is not a file",
				   home);
	return 0;
}

/* ---- what browsers are told ---- */

/* Two years, as derper has it, but not for the names below: those are others'.
 * Browsers take it over TLS only (RFC 6797, 8.1), which may be a proxy's. */
#define HSTS "max-age=63072000"
/* Our page needs nothing else, and belongs into no frame. */
#define POLICY                                                                 \
	"default-src 'none'; base-uri 'none'; form-action 'none'; "            \
	"frame-ancestors 'none'"

static void put_headers(struct hd_request *req, const char *home)
{
	hd_reply_header(req, "Strict-Transport-Security", HSTS);
	hd_reply_header(req, "X-Content-Type-Options", "nosniff");
	if (home[0] != '/') /* a file of the operator's says what it needs */
		hd_reply_header(req, "Content-Security-Policy", POLICY);
}

/* ---- a file ---- */

static const char *type_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL && (strcmp(dot, ".html") == 0 ||
			       strcmp(dot, ".htm") == 0)
		       ? HTML
		       : TEXT;
}

/* As it is now. In a helper thread, which may wait for the disk. */
static void put_file(struct hd_module *mod, struct hd_answer *a)
{
	const char *path = hd_answer_data(a);
	char some[16 << 10];
	FILE *file = fopen(path, "re");
	size_t n;

	(void)mod;
	if (file == NULL) {
		hd_answer_fail(a);
		return;
	}
	while ((n = fread(some, 1, sizeof(some), file)) > 0)
		hd_answer_put(a, some, n);
	if (ferror(file))
		hd_answer_fail(a);
	fclose(file);
}

static void answer_file(struct hd_request *req, const char *path)
{
	static const struct hd_body body = { .task = put_file };
	struct hd_answer *a;

	if (access(path, R_OK) < 0 || !is_file(path)) {
		hd_reply(req, 404, TEXT, "not found\n", 10);
		return;
	}
	/* the configuration may change before the task runs */
	a = hd_reply_body(req, 200, type_of(path), &body, strlen(path) + 1);
	if (a != NULL)
		strcpy(hd_answer_data(a), path);
}

/* ---- the page ---- */

static void answer(struct hd_request *req, const char *home)
{
	if (strcmp(home, "none") == 0) {
		hd_reply(req, 404, TEXT, "not found\n", 10);
		return;
	}
	put_headers(req, home);
	if (strcmp(home, "page") == 0) {
		hd_reply(req, 200, HTML, page, sizeof(page) - 1);
	} else if (strcmp(home, "blank") == 0) {
		hd_reply(req, 200, HTML, NULL, 0);
	} else if (is_url(home)) {
		hd_reply_header(req, "Location", home);
		hd_reply(req, 302, NULL, NULL, 0);
	} else {
		answer_file(req, home);
	}
}

void derp_answer_home(struct hd_module *mod, struct hd_request *req)
{
	const struct derp_conf *conf =
		hd_module_worker_conf(mod, hd_request_worker(req));

	answer(req, conf->home);
}
