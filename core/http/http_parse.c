/* SPDX-License-Identifier: MIT */
/* core/http/http_parse.c - an HTTP/1 request head, in place. Source: RFC
 * 9112. */
#include "core/http/http.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

enum { TOKEN = 1, VALUE = 2, TARGET = 4 };

/* RFC 9110, 5.6.2 (token) and 5.5 (field-content); RFC 3986 for the target,
 * of which every visible ASCII character is let through to the route table. */
static unsigned char_class(unsigned char c)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	unsigned k = 0;

	if (c == ' ' || c == '\t' || c >= 0x80)
		return VALUE;
	if (c < 0x20 || c == 0x7f)
		return 0;
	k = VALUE | TARGET;
	if ((c >= '0' && c <= '9') ||
	    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	    strchr(marks, c) != NULL)
		k |= TOKEN;
	return k;
}

static bool all_of(const char *p, size_t n, unsigned k)
{
	for (size_t i = 0; i < n; i++)
		if ((char_class((unsigned char)p[i]) & k) == 0)
			return false;
	return true;
}

/* RFC 9112, 2.2: a client may send an empty line behind an earlier body. */
static size_t skip_empty_line(const char *p, size_t n)
{
	return n >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

/* Whether it cannot become a request any more: garbage is answered at once,
 * not at the deadline. */
static bool hopeless(const char *p, size_t n)
{
	const char *space = memchr(p, ' ', n);
	size_t method = space != NULL ? (size_t)(space - p) : n;

	if (n == 0 || (n == 1 && *p == '\r'))
		return false;
	return method == 0 || method > HD_HTTP_METHOD_MAX_BYTES ||
	       !all_of(p, method, TOKEN);
}

/* The end of the empty line that ends the head. Returns as hd_http_parse(). */
static int head_length(const char *p, size_t n)
{
	size_t max = HD_MIN(n, (size_t)HD_HTTP_HEAD_MAX_BYTES);
	const char *line = p, *lf;

	while ((lf = memchr(line, '\n', (size_t)(p + max - line))) != NULL) {
		if (lf == line || lf[-1] != '\r')
			return -EBADMSG;
		if (lf - line == 1)
			return (int)(lf + 1 - p);
		line = lf + 1;
	}
	return n >= HD_HTTP_HEAD_MAX_BYTES ? -E2BIG : 0;
}

/* Cuts the line out that *p points to. The caller has seen its CR LF. */
static char *take_line(char **p)
{
	char *line = *p;
	char *lf = strchr(line, '\n');

	lf[-1] = '\0';
	*p = lf + 1;
	return line;
}

/* RFC 9112, 3.2.2: a server takes absolute-form as well. */
static char *origin_form(char *target)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < HD_ARRAY_N(schemes); i++) {
		size_t n = strlen(schemes[i]);
		char *path;

		if (strncasecmp(target, schemes[i], n) != 0)
			continue;
		path = target + n + strcspn(target + n, "/?");
		if (*path == '/')
			return path;
		path[-1] = '/'; /* over the host, which is not needed */
		return path - 1;
	}
	return *target == '/' || strcmp(target, "*") == 0 ? target : NULL;
}

static int parse_version(const char *v, unsigned *ret_minor)
{
	if (strncmp(v, "HTTP/", 5) != 0 || strlen(v) != 8 || v[6] != '.' ||
	    v[5] < '0' || v[5] > '9' || v[7] < '0' || v[7] > '9')
		return -EBADMSG;
	if (v[5] != '1' || v[7] > '1')
		return -EPROTONOSUPPORT;
	*ret_minor = (unsigned)(v[7] - '0');
	return 0;
}

static int parse_request_line(char *line, struct hd_http_head *head)
{
	char *target = strchr(line, ' ');
	char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
	char *query;

	if (version == NULL)
		return -EBADMSG;
	*target++ = '\0';
	*version++ = '\0';
	if (!all_of(target, strlen(target), TARGET) || *target == '\0')
		return -EBADMSG;
	head->method = line;
	if (strcmp(line, "CONNECT") != 0)
		target = origin_form(target);
	if (target == NULL)
		return -EBADMSG;
	query = strchr(target, '?');
	if (query != NULL)
		*query++ = '\0';
	head->path = target;
	head->query = query;
	return parse_version(version, &head->minor);
}

static int parse_header(char *line, struct hd_http_header *header)
{
	char *colon = strchr(line, ':');
	char *value, *end;

	if (colon == NULL || colon == line ||
	    !all_of(line, (size_t)(colon - line), TOKEN))
		return -EBADMSG;
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	if (!all_of(value, (size_t)(end - value), VALUE))
		return -EBADMSG;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*colon = *end = '\0';
	header->name = line;
	header->value = value;
	return 0;
}

int hd_http_parse(char *p, size_t n, struct hd_http_head *ret_head)
{
	size_t skip = skip_empty_line(p, n);
	char *at = p + skip, *end;
	int len, r;

	if (hopeless(at, n - skip))
		return -EBADMSG;
	len = head_length(at, n - skip);
	if (len >= 0 && memchr(at, '\0', len > 0 ? (size_t)len : n - skip))
		return -EBADMSG;
	if (len <= 0)
		return len;
	end = at + len - 2;
	ret_head->n = 0;
	r = parse_request_line(take_line(&at), ret_head);
	while (r == 0 && at < end) {
		if (ret_head->n == HD_HTTP_HEADERS_MAX)
			return -E2BIG;
		r = parse_header(take_line(&at),
				 &ret_head->headers[ret_head->n++]);
	}
	return r < 0 ? r : (int)skip + len;
}

const char *hd_http_header(const struct hd_http_head *head, const char *name)
{
	for (unsigned i = 0; i < head->n; i++)
		if (strcasecmp(head->headers[i].name, name) == 0)
			return head->headers[i].value;
	return NULL;
}

typedef int compare_fn(const char *a, const char *b, size_t n);

static bool list_has(const char *list, const char *word, compare_fn *compare)
{
	size_t len = strlen(word);

	while (*list != '\0') {
		size_t n;

		list += strspn(list, ", \t");
		n = strcspn(list, ",");
		while (n > 0 && (list[n - 1] == ' ' || list[n - 1] == '\t'))
			n--;
		if (n == len && compare(list, word, n) == 0)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static bool lists(const struct hd_http_head *head, const char *name,
		  const char *word, compare_fn *compare)
{
	for (unsigned i = 0; i < head->n; i++)
		if (strcasecmp(head->headers[i].name, name) == 0 &&
		    list_has(head->headers[i].value, word, compare))
			return true;
	return false;
}

bool hd_http_lists(const struct hd_http_head *head, const char *name,
		   const char *word)
{
	return lists(head, name, word, strncasecmp);
}

bool hd_http_lists_exactly(const struct hd_http_head *head, const char *name,
			   const char *word)
{
	return lists(head, name, word, strncmp);
}
