/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_answer.c - the header lines of an answer. Any thread; also
 * without libcurl, so that modules load. */
#include <hyper-derp/fetch.h>
#include <string.h>
#include <strings.h>

const char *hd_fetched_header(const struct hd_fetched *got, const char *name,
			      unsigned nth, size_t *ret_len_bytes)
{
	size_t n = strlen(name);

	for (const char *p = got->head; *p != '\0';) {
		size_t line = strcspn(p, "\r\n");

		if (strncasecmp(p, name, n) == 0 && p[n] == ':' && nth-- == 0) {
			const char *v = p + n + 1;

			v += strspn(v, " \t");
			*ret_len_bytes = (size_t)(p + line - v);
			return v;
		}
		p += line;
		p += strspn(p, "\r\n");
	}
	*ret_len_bytes = 0;
	return NULL;
}
