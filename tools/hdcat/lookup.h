/* SPDX-License-Identifier: MIT */
/* tools/hdcat/lookup.h - addresses of a name, without waiting for them. */
#pragma once
#include <netdb.h>
#include <stdbool.h>

struct lookup;

/* lookup_begin - in a thread. @ret  given: release with lookup_free()
 * Returns 0; -ENOMEM, -EMFILE, -EAGAIN.
 * lookup_fd - readable when it is done.
 * lookup_take - the addresses; release with freeaddrinfo(). Returns 0; EAI_*
 * lookup_free - also while it is under way; NULL is fine. */
int lookup_begin(const char *host, const char *port, struct lookup **ret);
int lookup_fd(const struct lookup *l);
int lookup_take(struct lookup *l, struct addrinfo **ret);
void lookup_free(struct lookup **l);
