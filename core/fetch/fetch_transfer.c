/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_transfer.c - a request as libcurl's options, and its answer.
 * Context: the thread of fetch_thread.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include "core/base/version.h"
#include "core/fetch/fetch_curl.h"
#include "core/fetch/fetch_private.h"

enum { HEAD_MAX_BYTES = 64 * 1024 };

/* ---- what comes ---- */

static bool append(struct hd_fetch_bytes *b, const char *data, size_t n)
{
	if (n > b->max - b->n)
		return false;
	if (b->n + n + 1 > b->size) {
		size_t size = HD_MAX(b->size * 2, b->n + n + 1);
		char *p = realloc(b->p, size);

		if (p == NULL)
			return false;
		b->p = p;
		b->size = size;
	}
	memcpy(b->p + b->n, data, n);
	b->n += n;
	b->p[b->n] = '\0';
	return true;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct fetch *f = arg;

	(void)one; /* 1 */
	if (append(&f->body, data, n))
		return n;
	f->error = -EFBIG;
	return 0;
}

/* A redirect, and a 100, have a head of their own before the last one. */
static size_t on_head(char *data, size_t one, size_t n, void *arg)
{
	struct fetch *f = arg;

	(void)one;
	if (n > 5 && memcmp(data, "HTTP/", 5) == 0)
		f->head.n = 0;
	if (append(&f->head, data, n))
		return n;
	f->error = -EFBIG;
	return 0;
}

/* libcurl's own are open in children. */
static curl_socket_t open_socket(void *unused, curlsocktype purpose,
				 struct curl_sockaddr *a)
{
	(void)unused;
	(void)purpose;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- what is asked ---- */

struct options { /* the first that libcurl refuses ends it */
	const struct hd_curl *curl;
	CURL *easy;
	CURLcode result;
};

static void put_long(struct options *o, CURLoption option, long value)
{
	if (o->result == CURLE_OK)
		o->result = o->curl->easy_setopt(o->easy, option, value);
}

static void put(struct options *o, CURLoption option, const void *value)
{
	if (o->result == CURLE_OK)
		o->result = o->curl->easy_setopt(o->easy, option, value);
}

static void put_size(struct options *o, CURLoption option, size_t value)
{
	if (o->result == CURLE_OK)
		o->result = o->curl->easy_setopt(o->easy, option,
						 (curl_off_t)value);
}

#define PUT_FN(o, option, fn)                                                  \
	do {                                                                   \
		if ((o)->result == CURLE_OK)                                   \
			(o)->result = (o)->curl->easy_setopt((o)->easy,        \
							     option, fn);      \
	} while (0)

static void put_where(struct options *o, struct fetch *f)
{
	const struct hd_fetch_job *job = &f->job;
	bool https = strncasecmp(job->url, "https", 5) == 0;

	put(o, CURLOPT_URL, job->url);
	put(o, CURLOPT_PROTOCOLS_STR, "http,https");
	put(o, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
	put_long(o, CURLOPT_FOLLOWLOCATION, job->redirects > 0);
	put_long(o, CURLOPT_MAXREDIRS, (long)job->redirects);
	if (!job->proxy)
		put(o, CURLOPT_PROXY, "");
	put_long(o, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	if (job->unix_path != NULL)
		put(o, CURLOPT_UNIX_SOCKET_PATH, job->unix_path);
	if (job->connect_to != NULL)
		put(o, CURLOPT_CONNECT_TO, f->connect_list);
	PUT_FN(o, CURLOPT_OPENSOCKETFUNCTION, open_socket);
}

static void put_what(struct options *o, struct fetch *f)
{
	const struct hd_fetch_job *job = &f->job;

	put_long(o, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (strcmp(job->method, "HEAD") == 0)
		put_long(o, CURLOPT_NOBODY, 1);
	if (job->body != NULL || strcmp(job->method, "POST") == 0) {
		put_long(o, CURLOPT_POST, 1);
		put_size(o, CURLOPT_POSTFIELDSIZE_LARGE, job->body_len_bytes);
		put(o, CURLOPT_POSTFIELDS, job->body != NULL ? job->body : "");
	}
	/* A method by name is kept over redirects: only where it must be. */
	if (strcmp(job->method, "GET") != 0 &&
	    strcmp(job->method, "HEAD") != 0 &&
	    strcmp(job->method, "POST") != 0)
		put(o, CURLOPT_CUSTOMREQUEST, job->method);
	put(o, CURLOPT_HTTPHEADER, f->header_list);
	PUT_FN(o, CURLOPT_WRITEFUNCTION, on_body);
	put(o, CURLOPT_WRITEDATA, f);
	PUT_FN(o, CURLOPT_HEADERFUNCTION, on_head);
	put(o, CURLOPT_HEADERDATA, f);
	put_size(o, CURLOPT_MAXFILESIZE_LARGE, job->answer_max_bytes);
}

/* The CAs of the system are kept by libcurl, from one request to the next: they
 * cost 40 ms. Only as a file, and another file would take their place. */
static void put_tls(struct options *o, const struct hd_fetch_job *job)
{
	bool check = job->pin == NULL || job->ca_file != NULL;

	put_long(o, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	put_long(o, CURLOPT_SSL_VERIFYPEER, check);
	put_long(o, CURLOPT_SSL_VERIFYHOST, check ? 2 : 0);
	put(o, CURLOPT_CAPATH, NULL);
	if (job->ca_file != NULL) {
		put(o, CURLOPT_CAINFO, job->ca_file);
		put_long(o, CURLOPT_CA_CACHE_TIMEOUT, 0);
	}
	if (job->pin != NULL)
		put(o, CURLOPT_PINNEDPUBLICKEY, job->pin);
}

/* QUICK_EXIT: who gives up does not wait for a resolver. */
static void put_limits(struct options *o, struct fetch *f, uint32_t timeout_ms)
{
	put_long(o, CURLOPT_NOSIGNAL, 1);
	put_long(o, CURLOPT_QUICK_EXIT, 1);
	put_long(o, CURLOPT_TIMEOUT_MS, (long)HD_MAX(timeout_ms, 1u));
	put_long(o, CURLOPT_CONNECTTIMEOUT_MS, (long)f->job.connect_ms);
	put(o, CURLOPT_ERRORBUFFER, f->text);
}

static bool add(const struct hd_curl *curl, void **list, const char *line)
{
	struct curl_slist *longer = curl->slist_append(*list, line);

	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

static bool has_header(const struct hd_fetch_job *job, const char *name)
{
	char **h = job->headers;
	size_t n = strlen(name);

	while (*h != NULL && (strncasecmp(*h, name, n) != 0 || (*h)[n] != ':'))
		h++;
	return *h != NULL;
}

/* "Name:" is none: libcurl would wait for a 100, and guess a type. */
static bool make_lists(const struct hd_curl *curl, struct fetch *f)
{
	const struct hd_fetch_job *job = &f->job;
	char agent[80];
	bool ok = add(curl, &f->header_list, "Expect:");

	snprintf(agent, sizeof(agent), "User-Agent: hyper-derp/%s", hd_version);
	if (!has_header(job, "User-Agent"))
		ok = ok && add(curl, &f->header_list, agent);
	if (!has_header(job, "Content-Type"))
		ok = ok && add(curl, &f->header_list, "Content-Type:");
	for (char **h = job->headers; ok && *h != NULL; h++)
		ok = add(curl, &f->header_list, *h);
	if (job->connect_to != NULL)
		ok = ok && add(curl, &f->connect_list, job->connect_to);
	return ok;
}

int hd_transfer_begin(const struct hd_curl *curl, struct fetch *f,
		      uint32_t timeout_ms)
{
	f->head.max = HEAD_MAX_BYTES;
	f->easy = curl->easy_init();
	if (f->easy == NULL || !make_lists(curl, f))
		return -ENOMEM;
	struct options o = { .curl = curl, .easy = f->easy };

	put_limits(&o, f, timeout_ms);
	put_where(&o, f);
	put_what(&o, f);
	put_tls(&o, &f->job);
	if (o.result == CURLE_OK)
		return 0;
	f->error = o.result == CURLE_OUT_OF_MEMORY ? -ENOMEM : -ENOSYS;
	snprintf(f->text, sizeof(f->text), "libcurl refuses the request: %s",
		 curl->easy_strerror(o.result));
	return f->error;
}

/* ---- what came of it ---- */

static int error_of(CURLcode code)
{
	static const struct {
		CURLcode code;
		int error;
	} errors[] = {
		{ CURLE_OK, 0 },
		{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT },
		{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH },
		{ CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, -ECONNREFUSED },
		{ CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED },
		{ CURLE_SSL_PINNEDPUBKEYNOTMATCH, -EKEYREJECTED },
		{ CURLE_SSL_ISSUER_ERROR, -EKEYREJECTED },
		{ CURLE_SSL_CACERT_BADFILE, -EKEYREJECTED },
		{ CURLE_SSL_CONNECT_ERROR, -EPROTO },
		{ CURLE_UNSUPPORTED_PROTOCOL, -EPROTO },
		{ CURLE_WEIRD_SERVER_REPLY, -EPROTO },
		{ CURLE_GOT_NOTHING, -ECONNRESET },
		{ CURLE_PARTIAL_FILE, -ECONNRESET },
		{ CURLE_RECV_ERROR, -ECONNRESET },
		{ CURLE_SEND_ERROR, -ECONNRESET },
		{ CURLE_FILESIZE_EXCEEDED, -EFBIG },
		{ CURLE_TOO_MANY_REDIRECTS, -ELOOP },
		{ CURLE_OUT_OF_MEMORY, -ENOMEM },
	};

	for (size_t i = 0; i < HD_ARRAY_N(errors); i++)
		if (errors[i].code == code)
			return errors[i].error;
	return -EIO;
}

/* Of a unix socket curl says "Failed to connect to localhost port 80". 0: it is
 * another failure, or there is no errno. */
static int socket_errno(const struct hd_curl *curl, const struct fetch *f,
			CURLcode code)
{
	long n = 0;

	if (code == CURLE_COULDNT_CONNECT &&
	    strncmp(f->job.host, "unix:", 5) == 0)
		curl->easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &n);
	return (int)n;
}

static void explain(const struct hd_curl *curl, struct fetch *f, CURLcode code)
{
	char said[sizeof(f->text)];
	int e = socket_errno(curl, f, code);

	if (f->error == -EFBIG)
		snprintf(said, sizeof(said), "the answer is too long");
	else if (e > 0)
		snprintf(said, sizeof(said), "%s", strerror(e));
	else
		snprintf(said, sizeof(said), "%s",
			 f->text[0] != '\0' ? f->text
					    : curl->easy_strerror(code));
	snprintf(f->text, sizeof(f->text), "%.60s: %.255s", f->job.host, said);
	f->body.n = 0;
	f->head.n = 0;
	free(f->body.p);
	free(f->head.p);
	f->body.p = NULL;
	f->head.p = NULL;
}

void hd_transfer_result(const struct hd_curl *curl, struct fetch *f, int code)
{
	char *url = NULL;
	long status = 0;

	curl->easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl->easy_getinfo(f->easy, CURLINFO_EFFECTIVE_URL, &url);
	f->url = url != NULL ? strdup(url) : NULL;
	if (f->error == 0)
		f->error = error_of((CURLcode)code);
	if (f->error == 0 && status == 0)
		f->error = -EPROTO;
	if (f->error < 0) {
		explain(curl, f, (CURLcode)code);
	} else {
		f->status = (unsigned)status;
		f->text[0] = '\0';
	}
}

/* One of them may have a token. */
static void wipe(struct curl_slist *list)
{
	for (; list != NULL; list = list->next)
		explicit_bzero(list->data, strlen(list->data));
}

void hd_transfer_end(const struct hd_curl *curl, struct fetch *f)
{
	if (f->easy != NULL)
		curl->easy_cleanup(f->easy);
	wipe(f->header_list);
	curl->slist_free_all(f->header_list);
	curl->slist_free_all(f->connect_list);
	f->easy = NULL;
	f->header_list = NULL;
	f->connect_list = NULL;
}
