/* SPDX-License-Identifier: MIT */
/* tools/hdbench/gcm_ipsec_mb.c - AES-GCM by libipsec-mb. */
#include "tools/hdbench/gcm.h"
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gcm_key {
	_Alignas(64) struct gcm_key_data data;
	aes_gcm_enc_dec_t enc, dec;
};

static IMB_MGR *mgr; /* a table of functions; NULL: not started */
static char about[32];

/* The library asks the processor only, the compiler's builtin also whether the
 * kernel keeps the registers. Below AVX2 OpenSSL is about as fast. */
static void init(IMB_MGR *m)
{
	if (__builtin_cpu_supports("avx512f"))
		init_mb_mgr_auto(m, NULL);
	else
		init_mb_mgr_avx2(m);
}

int gcm_start(struct hd_error *err)
{
	IMB_MGR *m;

	if (!__builtin_cpu_supports("avx2"))
		return hd_error_set(err, -ENOTSUP,
				    "libipsec-mb: this processor has no AVX2");
	m = alloc_mb_mgr(0);
	if (m == NULL)
		return hd_error_set(err, -ENOTSUP, "libipsec-mb: no memory");
	init(m);
	if (imb_get_errno(m) != 0) {
		hd_error_set(err, -ENOTSUP, "libipsec-mb: %s",
			     imb_get_strerror(imb_get_errno(m)));
		free_mb_mgr(m);
		return -ENOTSUP;
	}
	mgr = m;
	snprintf(about, sizeof(about), "ipsec-mb %s", imb_get_version_str());
	return 0;
}

void gcm_stop(void)
{
	if (mgr != NULL)
		free_mb_mgr(mgr);
	mgr = NULL;
}

const char *gcm_about(void)
{
	return mgr != NULL ? about : NULL;
}

struct gcm_key *gcm_key_new(const uint8_t *key, size_t len_bytes)
{
	struct gcm_key *k;

	if (mgr == NULL)
		return NULL;
	k = aligned_alloc(_Alignof(struct gcm_key), sizeof(*k));
	if (k == NULL)
		return NULL;
	if (len_bytes == 16) {
		mgr->gcm128_pre(key, &k->data);
		k->enc = mgr->gcm128_enc;
		k->dec = mgr->gcm128_dec;
	} else {
		mgr->gcm256_pre(key, &k->data);
		k->enc = mgr->gcm256_enc;
		k->dec = mgr->gcm256_dec;
	}
	return k;
}

void gcm_key_free(struct gcm_key **key)
{
	free(*key);
	*key = NULL;
}

void gcm_seal(const struct gcm_key *key, const uint8_t nonce[GCM_NONCE_BYTES],
	      const uint8_t *head, size_t head_bytes, uint8_t *out,
	      const uint8_t *in, size_t len_bytes)
{
	struct gcm_context_data ctx;

	key->enc(&key->data, &ctx, out, in, len_bytes, nonce, head, head_bytes,
		 out + len_bytes, GCM_TAG_BYTES);
}

int gcm_open(const struct gcm_key *key, const uint8_t nonce[GCM_NONCE_BYTES],
	     const uint8_t *head, size_t head_bytes, uint8_t *p,
	     size_t len_bytes)
{
	struct gcm_context_data ctx;
	uint8_t tag[GCM_TAG_BYTES];

	key->dec(&key->data, &ctx, p, p, len_bytes, nonce, head, head_bytes,
		 tag, sizeof(tag));
	return memcmp(tag, p + len_bytes, sizeof(tag)) == 0 ? 0 : -EBADMSG;
}
