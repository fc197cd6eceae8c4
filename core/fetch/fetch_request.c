/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_request.c - is it a request, and what exactly is asked?
 * Context: any thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include "core/fetch/fetch_private.h"

enum {
	URL_MAX_BYTES = 8192,
	HEADERS_MAX = 64,
	REDIRECTS_MAX = 20,
	CONNECT_DEF_MS = 5000,
	TIMEOUT_DEF_MS = 30000,
	ANSWER_DEF_BYTES = 1 << 20,
	ANSWER_MAX_BYTES = 64 << 20,
	PIN_BYTES = 44, /* 32 bytes in base64 */
};
#define PIN_PREFIX "sha256//"
#define UNIX_PREFIX "unix:"
#define SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)NULL)->sun_path)

/* ---- is it one? ---- */

static bool is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

/* Behind https:// or http://; NULL: it has another scheme. */
static const char *behind_scheme(const char *url)
{
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

static bool is_socket_path(const char *path, size_t n)
{
	return n > 1 && n < SOCKET_PATH_MAX && path[0] == '/';
}

static int check_url(const char *url, struct hd_error *err)
{
	const char *host = url != NULL ? behind_scheme(url) : NULL;

	if (host == NULL)
		return hd_error_set(err, -EINVAL,
				    "%.80s: not a URL to fetch; write "
				    "https://HOST/PATH, http://HOST/PATH or "
				    "http://unix:/SOCKET:/PATH",
				    url != NULL ? url : "(nothing)");
	if (strlen(url) > URL_MAX_BYTES || !is_printable(url))
		return hd_error_set(err, -EINVAL,
				    "%.80s: a URL has no spaces or control "
				    "characters, and at most %d bytes",
				    url, URL_MAX_BYTES);
	if (strncmp(host, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		const char *path = host + strlen(UNIX_PREFIX);

		if (is_socket_path(path, strcspn(path, ":")))
			return 0;
		return hd_error_set(err, -EINVAL,
				    "%.80s: write http://unix:/SOCKET:/PATH, "
				    "with an absolute path of at most %zu "
				    "bytes",
				    url, SOCKET_PATH_MAX - 1);
	}
	if (strcspn(host, "/?#") == 0 || host[0] == ':')
		return hd_error_set(err, -EINVAL, "%.80s: no host is named",
				    url);
	return 0;
}

static int check_via(const char *via, struct hd_error *err)
{
	const char *colon = via != NULL ? strrchr(via, ':') : NULL;
	const char *path = via != NULL ? via + strlen(UNIX_PREFIX) : NULL;

	if (via == NULL)
		return 0;
	if (strncmp(via, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		if (is_socket_path(path, strlen(path)))
			return 0;
	} else if (colon != NULL && colon > via && is_printable(via) &&
		   colon[1] != '\0' && strspn(colon + 1, "0123456789") ==
					       strlen(colon + 1)) {
		return 0;
	}
	return hd_error_set(err, -EINVAL,
			    "%.80s: write where to connect as HOST:PORT or "
			    "unix:/SOCKET",
			    via);
}

/* One token of RFC 9110, 5.6.2, in capitals as methods are. */
static int check_method(const char *method, struct hd_error *err)
{
	size_t n = method != NULL ? strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
				  : 1;

	if (n > 0 && n <= 20 && (method == NULL || method[n] == '\0'))
		return 0;
	return hd_error_set(err, -EINVAL, "%.40s: not an HTTP method", method);
}

/* A line break in it would be a header of somebody else's. */
static int check_header(const char *line, struct hd_error *err)
{
	size_t name = strcspn(line, ":");

	if (name > 0 && line[name] == ':' &&
	    strcspn(line, " \t\r\n") >= name && strpbrk(line, "\r\n") == NULL)
		return 0;
	return hd_error_set(err, -EINVAL,
			    "%.40s: not a header; write \"Name: value\"", line);
}

static int check_headers(const char *const *v, struct hd_error *err)
{
	unsigned n = 0;

	for (; v != NULL && v[n] != NULL; n++) {
		int r = check_header(v[n], err);

		if (r < 0)
			return r;
		if (n == HEADERS_MAX)
			return hd_error_set(err, -EINVAL,
					    "at most %d headers", HEADERS_MAX);
	}
	return 0;
}

/* "sha256//…;sha256//…" */
static int check_pin(const char *pin, struct hd_error *err)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789+/=";

	for (const char *p = pin; p != NULL; p = *p == ';' ? p + 1 : NULL) {
		size_t n = strncmp(p, PIN_PREFIX, strlen(PIN_PREFIX)) == 0
				   ? strspn(p + strlen(PIN_PREFIX), base64)
				   : 0;

		p += strlen(PIN_PREFIX) * (n > 0) + n;
		if (n != PIN_BYTES || (*p != ';' && *p != '\0'))
			return hd_error_set(err, -EINVAL,
					    "%.80s: a pin is the SHA-256 of "
					    "the server's public key: "
					    "sha256//BASE64",
					    pin);
	}
	return 0;
}

static int check_numbers(const struct hd_fetch_request *r, struct hd_error *err)
{
	if (r->redirects > REDIRECTS_MAX)
		return hd_error_set(err, -EINVAL, "at most %d redirects",
				    REDIRECTS_MAX);
	if (r->answer_max_bytes > ANSWER_MAX_BYTES)
		return hd_error_set(err, -EINVAL,
				    "an answer has at most %d bytes",
				    ANSWER_MAX_BYTES);
	if (r->body == NULL && r->body_len_bytes > 0)
		return hd_error_set(err, -EINVAL, "there is no body");
	return 0;
}

static int check(const struct hd_fetch_request *r, struct hd_error *err)
{
	int e = check_url(r->url, err);

	if (e == 0)
		e = check_via(r->via, err);
	if (e == 0)
		e = check_method(r->method, err);
	if (e == 0)
		e = check_headers(r->headers, err);
	if (e == 0)
		e = check_pin(r->pin, err);
	return e == 0 ? check_numbers(r, err) : e;
}

/* A module that was built earlier has fewer fields. */
static struct hd_fetch_request widen(const struct hd_fetch_request *request,
				     size_t size)
{
	struct hd_fetch_request r = { 0 };

	memcpy(&r, request, HD_MIN(size, sizeof(r)));
	return r;
}

#ifdef HAVE_CURL
enum { BUILT_IN = true };
#else
enum { BUILT_IN = false };
#endif

int hd_fetch_check_sized(const struct hd_fetch_request *request, size_t size,
			 struct hd_error *err)
{
	struct hd_fetch_request full = widen(request, size);
	int r = check(&full, err);

	if (r < 0 || BUILT_IN)
		return r;
	return hd_error_set(err, -ENOSYS,
			    "this relay was built without libcurl, it cannot "
			    "ask other servers: install libcurl's headers "
			    "(Debian: libcurl4-openssl-dev), configure and "
			    "build again");
}

/* ---- the copy ---- */

static int copy(char **ret, const char *text)
{
	*ret = text != NULL ? strdup(text) : NULL;
	return text != NULL && *ret == NULL ? -ENOMEM : 0;
}

static int print(char **ret, const char *fmt, ...) HD_PRINTF(2, 3);
static int print(char **ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(ret, fmt, ap);
	va_end(ap);
	if (n < 0)
		*ret = NULL;
	return n < 0 ? -ENOMEM : 0;
}

/* http://unix:/SOCKET:/PATH */
static int split_unix(struct hd_fetch_job *job, const char *url,
		      const char *path)
{
	size_t n = strcspn(path, ":");
	const char *rest = path[n] == ':' ? path + n + 1 : "";
	int scheme = (int)(behind_scheme(url) - url);

	job->unix_path = strndup(path, n);
	if (job->unix_path == NULL)
		return -ENOMEM;
	return print(&job->url, "%.*slocalhost%s%s", scheme, url,
		     rest[0] == '/' ? "" : "/", rest);
}

static int copy_url(struct hd_fetch_job *job, const char *url)
{
	const char *host = behind_scheme(url);
	size_t n = strlen(UNIX_PREFIX);

	if (strncmp(host, UNIX_PREFIX, n) == 0)
		return split_unix(job, url, host + n);
	return copy(&job->url, url);
}

static int copy_via(struct hd_fetch_job *job, const char *via)
{
	size_t n = strlen(UNIX_PREFIX);

	if (via == NULL)
		return 0;
	if (strncmp(via, UNIX_PREFIX, n) != 0)
		return print(&job->connect_to, "::%s", via);
	free(job->unix_path);
	return copy(&job->unix_path, via + n);
}

/* Whom a limit counts: the socket, the address, or the URL's host and port
 * (without a password). */
static int name_host(struct hd_fetch_job *job)
{
	const char *host = behind_scheme(job->url);
	size_t n = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', n);

	if (job->unix_path != NULL)
		return print(&job->host, UNIX_PREFIX "%s", job->unix_path);
	if (job->connect_to != NULL)
		return copy(&job->host, job->connect_to + 2);
	if (at != NULL) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return print(&job->host, "%.*s", (int)n, host);
}

static int copy_headers(struct hd_fetch_job *job, const char *const *v)
{
	size_t n = 0;

	while (v != NULL && v[n] != NULL)
		n++;
	job->headers = calloc(n + 1, sizeof(*job->headers));
	if (job->headers == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (copy(&job->headers[i], v[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int copy_body(struct hd_fetch_job *job, const struct hd_fetch_request *r)
{
	if (r->body == NULL)
		return 0;
	job->body = malloc(r->body_len_bytes + 1);
	if (job->body == NULL)
		return -ENOMEM;
	memcpy(job->body, r->body, r->body_len_bytes);
	job->body_len_bytes = r->body_len_bytes;
	return 0;
}

static int copy_all(struct hd_fetch_job *job, const struct hd_fetch_request *r)
{
	const char *method = r->body != NULL ? "POST" : "GET";
	int e = copy_url(job, r->url);

	if (e == 0)
		e = copy_via(job, r->via);
	if (e == 0)
		e = name_host(job);
	if (e == 0)
		e = copy(&job->method, r->method != NULL ? r->method : method);
	if (e == 0)
		e = copy(&job->ca_file, r->ca_file);
	if (e == 0)
		e = copy(&job->pin, r->pin);
	if (e == 0)
		e = copy_headers(job, r->headers);
	return e == 0 ? copy_body(job, r) : e;
}

int hd_fetch_job_make(struct hd_fetch_job *job,
		      const struct hd_fetch_request *request, size_t size,
		      struct hd_error *err)
{
	struct hd_fetch_request r = widen(request, size);
	int e = check(&r, err);

	*job = (struct hd_fetch_job){
		.connect_ms = r.connect_ms ? r.connect_ms : CONNECT_DEF_MS,
		.timeout_ms = r.timeout_ms ? r.timeout_ms : TIMEOUT_DEF_MS,
		.answer_max_bytes = r.answer_max_bytes ? r.answer_max_bytes
						       : ANSWER_DEF_BYTES,
		.redirects = r.redirects,
		.proxy = r.proxy,
	};
	if (e < 0)
		return e;
	e = copy_all(job, &r);
	if (e < 0) {
		hd_fetch_job_free(job);
		hd_error_set(err, e, "a request: out of memory");
	}
	return e;
}

/* A token, a password, or a body that has one. */
static void free_wiped(void *v, size_t n)
{
	if (v != NULL)
		explicit_bzero(v, n);
	free(v);
}

void hd_fetch_job_free(struct hd_fetch_job *job)
{
	for (char **h = job->headers; h != NULL && *h != NULL; h++)
		free_wiped(*h, strlen(*h));
	free(job->headers);
	free_wiped(job->url, job->url != NULL ? strlen(job->url) : 0);
	free(job->method);
	free(job->unix_path);
	free(job->connect_to);
	free(job->ca_file);
	free(job->pin);
	free(job->host);
	free_wiped(job->body, job->body_len_bytes);
	*job = (struct hd_fetch_job){ 0 };
}
