/* SPDX-License-Identifier: MIT */
/* tools/hdcat/guests.c - whom a listener lets in: who shows the ticket. Whoever
 * has it can come with as many keys as it likes, so that there is an end. */
#include "tools/hdcat/hdcat.h"

#include <string.h>

static bool knows(const struct libhd_peer *guest, const struct libhd_key *key)
{
	return guest != NULL && memcmp(libhd_peer_key(guest), key,
				       sizeof(*key)) == 0;
}

/* A place for this one: that of the same key, or free, or of one who is gone.
 * NULL: none. */
static struct libhd_peer **place(struct hdcat *c, const struct libhd_key *key)
{
	struct libhd_peer **ret = NULL;

	for (unsigned i = 0; i < GUESTS_MAX; i++)
		if (knows(c->guests[i], key))
			return &c->guests[i];
	for (unsigned i = 0; i < GUESTS_MAX; i++) {
		struct libhd_peer *guest = c->guests[i];

		if (guest == NULL)
			return &c->guests[i];
		if (guest != c->peer && !libhd_peer_here(guest))
			ret = &c->guests[i];
	}
	return ret;
}

bool guest_knocks(struct libhd *h, const struct libhd_key *from,
		  const void *text, size_t len_bytes, void *user)
{
	struct hdcat *c = user;
	struct libhd_peer **at = NULL;

	if (c->s == NULL &&
	    libhd_ticket_admits(&c->ticket, from, text, len_bytes))
		at = place(c, from);
	if (at == NULL) {
		note(c, "somebody without the ticket, or one too many, was "
			"refused");
		return false;
	}
	if (!knows(*at, from))
		libhd_forbid(at);
	return libhd_allow(h, from, at) == 0;
}
