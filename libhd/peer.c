/* SPDX-License-Identifier: MIT */
/* libhd/peer.c - what can be asked of one peer, and addresses as text. */
#include <errno.h>
#include <string.h>
#include "libhd/inner.h"

#define NODEKEY "nodekey:"

/* ---- addresses ---- */

int libhd_key_address(const struct libhd_key *key, struct libhd_address *ret)
{
	return crypto_sign_ed25519_pk_to_curve25519(ret->v, key->v) == 0
		       ? 0
		       : -EINVAL;
}

char *libhd_address_text(const struct libhd_address *address, char *ret)
{
	memcpy(ret, NODEKEY, sizeof(NODEKEY) - 1);
	sodium_bin2hex(ret + sizeof(NODEKEY) - 1,
		       LIBHD_ADDRESS_TEXT_BYTES - (sizeof(NODEKEY) - 1),
		       address->v, sizeof(address->v));
	return ret;
}

int libhd_address_parse(const char *text, struct libhd_address *ret)
{
	struct libhd_address address;
	size_t n = 0;

	if (strncmp(text, NODEKEY, sizeof(NODEKEY) - 1) != 0)
		return -EINVAL;
	text += sizeof(NODEKEY) - 1;
	if (strlen(text) != 2 * sizeof(address.v) ||
	    sodium_hex2bin(address.v, sizeof(address.v), text, strlen(text),
			   NULL, &n, NULL) != 0 ||
	    n != sizeof(address.v))
		return -EINVAL;
	*ret = address;
	return 0;
}

/* ---- one of them ---- */

const struct libhd_key *libhd_peer_key(const struct libhd_peer *peer)
{
	return peer->has_identity ? &peer->identity : NULL;
}

const struct libhd_address *libhd_peer_address(const struct libhd_peer *peer)
{
	return &peer->address;
}

bool libhd_peer_here(const struct libhd_peer *peer)
{
	return peer->here;
}

void libhd_peer_set_user(struct libhd_peer *peer, void *user)
{
	peer->user = user;
}

void *libhd_peer_user(const struct libhd_peer *peer)
{
	return peer->user;
}
