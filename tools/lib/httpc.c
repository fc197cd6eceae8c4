/* SPDX-License-Identifier: MIT */
#include "tools/lib/httpc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define REQUEST_BYTES 2048

int httpc_get(struct conn *c, const char *host, const char *path,
	      const char *headers, const void *tail, size_t tail_bytes,
	      struct hd_error *err)
{
	bool v6 = strchr(host, ':') != NULL;
	uint8_t req[REQUEST_BYTES];
	int n = snprintf((char *)req, sizeof(req),
			 "GET %s HTTP/1.1\r\nHost: %s%s%s\r\n"
			 "User-Agent: hdprobe\r\n%s\r\n",
			 path, v6 ? "[" : "", host, v6 ? "]" : "", headers);

	if (n < 0 || (size_t)n + tail_bytes > sizeof(req))
		return hd_error_set(err, -EINVAL, "the host name is too long");
	if (tail_bytes > 0) /* one write, as real clients do */
		memcpy(req + n, tail, tail_bytes);
	return conn_write(c, req, (size_t)n + tail_bytes, err);
}

/* The first bytes of what came, for a person to recognise. */
static int not_http(const struct httpc_head *head, struct hd_error *err)
{
	char text[33] = "";

	for (size_t i = 0; i < head->len_bytes && i < sizeof(text) - 1; i++)
		text[i] = isprint((unsigned char)head->text[i]) ? head->text[i]
								: '.';
	return hd_error_set(err, -EBADMSG, "not HTTP: it says \"%s\"", text);
}

static bool looks_like_http(const struct httpc_head *head)
{
	const char want[] = "HTTP/1.";

	return strncmp(head->text, want,
		       HD_MIN(head->len_bytes, sizeof(want) - 1)) == 0;
}

static bool is_complete(const struct httpc_head *head)
{
	return head->len_bytes >= 4 &&
	       memcmp(head->text + head->len_bytes - 4, "\r\n\r\n", 4) == 0;
}

/* Byte by byte from the connection's buffer: what follows the head belongs to
 * the next protocol. */
int httpc_read_head(struct conn *c, struct httpc_head *ret_head,
		    struct hd_error *err)
{
	struct httpc_head *head = ret_head;

	head->len_bytes = 0;
	while (!is_complete(head)) {
		int r = conn_fill(c, err);

		if (r < 0)
			return r;
		if (head->len_bytes == HTTPC_HEAD_BYTES)
			return hd_error_set(err, -EBADMSG,
					    "an endless HTTP head");
		conn_take(c, head->text + head->len_bytes++, 1);
		if (!looks_like_http(head)) {
			head->len_bytes +=
				conn_take(c, head->text + head->len_bytes,
					  HTTPC_HEAD_BYTES - head->len_bytes);
			return not_http(head, err);
		}
	}
	head->text[head->len_bytes] = '\0';
	if (sscanf(head->text, "HTTP/1.%*1[01] %3d", &head->status) != 1)
		return not_http(head, err);
	return 0;
}

bool httpc_header(const struct httpc_head *head, const char *name, char *buf,
		  size_t size)
{
	size_t name_bytes = strlen(name);
	const char *line = strstr(head->text, "\r\n");

	for (; line != NULL; line = strstr(line, "\r\n")) {
		const char *value;

		line += 2;
		if (strncasecmp(line, name, name_bytes) != 0 ||
		    line[name_bytes] != ':')
			continue;
		value = line + name_bytes + 1;
		value += strspn(value, " \t");
		(void)snprintf(buf, size, "%.*s", (int)strcspn(value, "\r\n"),
			       value);
		return true;
	}
	return false;
}
