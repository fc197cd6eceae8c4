/* SPDX-License-Identifier: MIT */
/* core/http/http_reply.c - what a module may ask of a request, and the
 * answer. */
#include "core/base/bug.h"
#include "core/base/chunk.h"
#include "core/http/http.h"
#include "core/stream/stream_life.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *hd_request_header(struct hd_request *req, const char *name)
{
	return hd_http_header(&req->head, name);
}

const char *hd_request_query(struct hd_request *req)
{
	return req->head.query;
}

unsigned hd_request_method(const struct hd_request *req)
{
	return req->method;
}

struct hd_worker *hd_request_worker(const struct hd_request *req)
{
	return hd_stream_worker(req->stream);
}

const union hd_addr *hd_request_addr(const struct hd_request *req)
{
	return hd_stream_addr(req->stream);
}

const char *hd_request_path(const struct hd_request *req)
{
	return req->head.path;
}

/* Source: IANA HTTP status code registry. */
static const struct {
	int status;
	const char *text;
} reasons[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *reason(int status)
{
	for (size_t i = 0; i < HD_ARRAY_N(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Status";
}

static bool printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* A value may hold what a client sent: it must not be able to end the line. */
void hd_reply_header(struct hd_request *req, const char *name,
		     const char *value)
{
	size_t room = sizeof(req->extra) - req->extra_len;
	int n;

	if (!printable(name) || !printable(value)) {
		hd_bug_once("reply header with a control character: path=%s",
			    req->head.path);
		return;
	}
	n = snprintf(req->extra + req->extra_len, room, "%s: %s\r\n", name,
		     value);
	if (n < 0 || (size_t)n >= room) {
		req->extra[req->extra_len] = '\0';
		hd_bug_once("reply header without room: name=%s path=%s", name,
			    req->head.path);
		return;
	}
	req->extra_len += (size_t)n;
}

/* RFC 9110, 6.6.1: IMF-fixdate. The daemon stays in the C locale. */
static void date_text(char *buf, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(buf, size, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static const char *connection_line(const struct hd_request *req)
{
	if (!req->keep)
		return "Connection: close\r\n";
	return req->head.minor == 0 ? "Connection: keep-alive\r\n" : "";
}

/* RFC 9110, 8.6: no length where there cannot be a body. */
static void content_lines(char *buf, size_t size, int status, const char *type,
			  size_t len_bytes, bool chunked)
{
	buf[0] = '\0';
	if (status == 204 || status == 304)
		return;
	if (len_bytes == HD_LENGTH_LATER)
		snprintf(buf, size, "Content-Type: %s\r\n%s", type,
			 chunked ? "Transfer-Encoding: chunked\r\n" : "");
	else if (type != NULL)
		snprintf(buf, size,
			 "Content-Type: %s\r\nContent-Length: %zu\r\n", type,
			 len_bytes);
	else
		snprintf(buf, size, "Content-Length: %zu\r\n", len_bytes);
}

bool hd_reply_begin(struct hd_request *req, int status, const char *type,
		    size_t len_bytes)
{
	char head[HD_HTTP_REPLY_MAX_BYTES], content[256], date[40];
	int n;

	content_lines(content, sizeof(content), status, type, len_bytes,
		      req->head.minor > 0);
	date_text(date, sizeof(date));
	n = snprintf(head, sizeof(head),
		     "HTTP/1.%c %d %s\r\n"
		     "Date: %s\r\n"
		     "Server: hyper-derp\r\n"
		     "%.*s%s%s\r\n",
		     req->http10 ? '0' : '1', status, reason(status), date,
		     (int)req->extra_len, req->extra, content,
		     connection_line(req));
	hd_assert(n > 0 && (size_t)n < sizeof(head));
	return hd_stream_append(req->stream, HD_LANE_CONTROL, head, (size_t)n);
}

/* With more than this the output, which has a limit, has enough: the rest, and
 * the answers to what a client has asked in advance, wait. */
#define LARGE_BYTES (64 * 1024)

static bool fits(const struct hd_request *req, size_t len_bytes)
{
	size_t queued = req->stream->lane[HD_LANE_CONTROL].bytes;

	/* what is no route's is short, or the end */
	return len_bytes + (req->mod != NULL ? queued : 0) <= LARGE_BYTES;
}

static void send_body(struct hd_stream *s, const char *body, size_t n)
{
	while (n > 0) {
		size_t part = HD_MIN(n, (size_t)HD_CHUNK_BYTES);

		if (!hd_stream_append(s, HD_LANE_CONTROL, body, part))
			return;
		body += part;
		n -= part;
	}
}

void hd_reply(struct hd_request *req, int status, const char *type,
	      const void *body, size_t len_bytes)
{
	if (req->replied)
		return; /* the first answer stands; it may have been a 101 */
	req->replied = true;
	if (!hd_reply_begin(req, status, type, len_bytes) ||
	    req->method == HD_HTTP_HEAD || status == 204 || status == 304)
		return;
	if (fits(req, len_bytes))
		send_body(req->stream, body, len_bytes);
	else
		hd_reply_large(req, body, len_bytes);
}

void hd_reply_text(struct hd_request *req, int status, const char *text)
{
	hd_reply(req, status, "text/plain; charset=utf-8", text, strlen(text));
}
