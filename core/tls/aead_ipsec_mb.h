/* SPDX-License-Identifier: MIT */
/* core/tls/aead_ipsec_mb.h - functions of libipsec-mb, of one of its codes: for
 * core/tls/aead_ipsec_mb*.c only. */
#pragma once
#include <intel-ipsec-mb.h>
#include "core/tls/aead.h"

/* The library's header does not align it, the library's own build does. */
struct hd_mb_key {
	_Alignas(64) struct gcm_key_data data;
};

struct hd_mb { /* copied from a manager */
	bool has_chacha;
	aes_gcm_pre_t pre_128, pre_256;
	aes_gcm_enc_dec_t enc_128, dec_128, enc_256, dec_256;
	chacha_poly_init_t chacha_init;
	chacha_poly_enc_dec_update_t chacha_enc, chacha_dec;
	chacha_poly_finalize_t chacha_final;
	char about[48];
};

/* hd_mb_take - the functions of a code. Returns 0; -ENOTSUP, err tells why. */
int hd_mb_take(enum hd_mb_code code, struct hd_mb *ret, struct hd_error *err);
