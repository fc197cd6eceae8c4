/* SPDX-License-Identifier: MIT */
/* tools/hdctl/wg_quick.c - a wg-quick configuration without its secrets. A
 * relay needs public keys only, so private ones do not leave the user: in place
 * of `PrivateKey = ...` goes the public key that belongs to it. */
#include "tools/hdctl/wg_quick.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/wg_key.h"

struct line {
	const char *begin, *value; /* value NULL: no `NAME = value` */
	size_t n, name_n, value_n;
};

static struct line line_at(const char *p)
{
	struct line l = { .begin = p, .n = strcspn(p, "\n") };
	const char *end = p + l.n, *eq = memchr(p, '=', l.n);

	while (p < end && isblank((unsigned char)*p))
		p++;
	if (eq == NULL)
		return l;
	l.begin = p;
	l.n = (size_t)(end - p);
	l.value = eq + 1;
	while (l.value < end && isblank((unsigned char)*l.value))
		l.value++;
	while (end > l.value && isspace((unsigned char)end[-1]))
		end--;
	l.value_n = (size_t)(end - l.value);
	while (eq > p && isblank((unsigned char)eq[-1]))
		eq--;
	l.name_n = (size_t)(eq - p);
	return l;
}

static bool is_named(const struct line *l, const char *name)
{
	return l->value != NULL && strlen(name) == l->name_n &&
	       strncasecmp(l->begin, name, l->name_n) == 0;
}

static bool put_public(const struct line *l, FILE *out)
{
	char key[WG_KEY_TEXT_BYTES];
	bool good = l->value_n == WG_KEY_CHARS && wg_key_public(l->value, key);

	if (good)
		fprintf(out, "PublicKey = %s", key);
	return good;
}

static int copy_lines(const char *text, FILE *out, struct hd_error *err)
{
	unsigned number = 1;

	for (const char *p = text; *p != '\0'; number++) {
		struct line l = line_at(p);

		if (is_named(&l, "PrivateKey")) {
			if (!put_public(&l, out))
				return hd_error_set(
					err, HDCTL_USAGE,
					"line %u: PrivateKey is not "
					"a WireGuard key",
					number);
		} else if (!is_named(&l, "PresharedKey")) {
			fwrite(p, 1, strcspn(p, "\n"), out);
		}
		p += strcspn(p, "\n");
		if (*p == '\n') {
			fputc('\n', out);
			p++;
		}
	}
	return HDCTL_OK;
}

int wg_quick_public(char **text, struct hd_error *err)
{
	size_t n = 0, old = strlen(*text);
	char *clean = NULL;
	FILE *out;
	int r;

	if (strstr(*text, "Key") == NULL)
		return HDCTL_OK;
	out = open_memstream(&clean, &n);
	if (out == NULL)
		return hd_error_set(err, HDCTL_REFUSED, "out of memory");
	r = copy_lines(*text, out, err);
	if (fclose(out) != 0 && r == HDCTL_OK)
		r = hd_error_set(err, HDCTL_REFUSED, "out of memory");
	sodium_memzero(*text, old);
	free(*text);
	*text = clean;
	return r;
}
