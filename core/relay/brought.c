/* SPDX-License-Identifier: MIT */
/* core/relay/brought.c - see brought.h. Each packet has the text of its realm;
 * of the last few the number is known without a lock. */
#include "core/relay/brought.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 4 };

struct hd_brought {
	unsigned turn; /* which one gives way next */
	struct name {
		size_t n; /* 0: nobody has the place */
		char text[HD_REALM_TEXT_BYTES];
		uint16_t realm; /* held */
	} v[NAMES];
};

static const struct name *find(const struct hd_brought *b, const char *text,
			       size_t n)
{
	for (unsigned i = 0; b != NULL && i < NAMES; i++)
		if (b->v[i].n == n && memcmp(b->v[i].text, text, n) == 0)
			return &b->v[i];
	return NULL;
}

/* Of a tenant that nobody here is in no number is made: a relay that names many
 * takes none away. */
static int learn(struct hd_brought *b, const char *text, size_t n,
		 uint16_t *ret_realm)
{
	struct name *name = &b->v[b->turn % NAMES];
	int r = hd_realm_hold(text, n, false, ret_realm);

	if (r < 0)
		return r;
	b->turn++;
	hd_realm_drop(name->realm);
	name->n = n;
	name->realm = *ret_realm;
	memcpy(name->text, text, n);
	return 0;
}

int hd_brought_realm(struct hd_peer *link, const char *text, size_t n,
		     uint16_t *ret_realm)
{
	const struct name *name;

	*ret_realm = 0;
	if (n == 0)
		return 0;
	if (link->brought == NULL)
		link->brought = calloc(1, sizeof(*link->brought));
	if (link->brought == NULL)
		return -ENOMEM;
	name = find(link->brought, text, n);
	if (name == NULL)
		return learn(link->brought, text, n, ret_realm);
	*ret_realm = name->realm;
	return 0;
}

void hd_brought_free(struct hd_peer *link)
{
	struct hd_brought *b = hd_steal(&link->brought);

	for (unsigned i = 0; b != NULL && i < NAMES; i++)
		hd_realm_drop(b->v[i].realm);
	free(b);
}
