/* SPDX-License-Identifier: MIT */
/* core/tls/aead_ipsec_mb.c - records encrypted by libipsec-mb, Intel's library
 * of hand-written code, in whole records at a time.
 *
 * What was looked up in its source (1.3), because its header does not say so:
 * - The functions for one record take nothing from the manager they are listed
 *   in: it is made once, they are copied, it is freed.
 * - They write the library's global error number, 0 unless a pointer is NULL or
 *   a length is out of bounds, which cannot be here; it is the same value from
 *   every thread, and never read.
 * - The library clears its registers and stack (SAFE_DATA); what is on our own
 *   stack, the context, we clear. */
#include <cpuid.h>
#include <errno.h>
#include <intel-ipsec-mb.h>
#include <link.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/base/slab.h"
#include "core/tls/aead.h"

/* The library's header does not align it, the library's own build does. */
struct gcm_key {
	_Alignas(64) struct gcm_key_data data;
};

static struct hd_slab gcm_keys = HD_SLAB(sizeof(struct gcm_key), true);
static struct hd_slab chacha_keys = HD_SLAB(HD_TLS_KEY_MAX_BYTES, true);

static struct { /* copied from a manager */
	bool ready, has_chacha;
	aes_gcm_pre_t pre_128, pre_256;
	aes_gcm_enc_dec_t enc_128, dec_128, enc_256, dec_256;
	chacha_poly_init_t chacha_init;
	chacha_poly_enc_dec_update_t chacha_enc, chacha_dec;
	chacha_poly_finalize_t chacha_final;
	char about[48];
} mb;

/* ---- AES-GCM ---- */

static void *gcm_make(const struct hd_tls_suite *suite)
{
	(void)suite;
	return hd_slab_alloc(&gcm_keys);
}

static void gcm_drop(void **key)
{
	hd_slab_free(&gcm_keys, key);
}

static int expand_128(void *key, const uint8_t *bytes, bool encrypt)
{
	(void)encrypt;
	mb.pre_128(bytes, key);
	return 0;
}

static int expand_256(void *key, const uint8_t *bytes, bool encrypt)
{
	(void)encrypt;
	mb.pre_256(bytes, key);
	return 0;
}

/* Constant time. */
static int tags_equal(const uint8_t *a, const uint8_t *b)
{
	return CRYPTO_memcmp(a, b, HD_TLS_TAG_BYTES) == 0 ? 0 : -EBADMSG;
}

static int gcm_open(aes_gcm_enc_dec_t decrypt, const void *key,
		    const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	const uint8_t *in = record + head_bytes;
	struct gcm_context_data ctx;
	uint8_t tag[HD_TLS_TAG_BYTES];
	int r;

	decrypt(key, &ctx, out, in, n, nonce, record, head_bytes, tag,
		sizeof(tag));
	r = tags_equal(tag, in + n);
	OPENSSL_cleanse(tag, sizeof(tag)); /* of use to a forger */
	OPENSSL_cleanse(&ctx, sizeof(ctx));
	return r;
}

static int gcm_seal(aes_gcm_enc_dec_t encrypt, const void *key,
		    const uint8_t *nonce, uint8_t *record, size_t head_bytes,
		    size_t n)
{
	uint8_t *p = record + head_bytes;
	struct gcm_context_data ctx;

	encrypt(key, &ctx, p, p, n, nonce, record, head_bytes, p + n,
		HD_TLS_TAG_BYTES);
	OPENSSL_cleanse(&ctx, sizeof(ctx));
	return 0;
}

static int open_128(void *key, const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	return gcm_open(mb.dec_128, key, nonce, record, head_bytes, n, out);
}

static int seal_128(void *key, const uint8_t *nonce, uint8_t *record,
		    size_t head_bytes, size_t n)
{
	return gcm_seal(mb.enc_128, key, nonce, record, head_bytes, n);
}

static int open_256(void *key, const uint8_t *nonce, const uint8_t *record,
		    size_t head_bytes, size_t n, uint8_t *out)
{
	return gcm_open(mb.dec_256, key, nonce, record, head_bytes, n, out);
}

static int seal_256(void *key, const uint8_t *nonce, uint8_t *record,
		    size_t head_bytes, size_t n)
{
	return gcm_seal(mb.enc_256, key, nonce, record, head_bytes, n);
}

/* ---- ChaCha20-Poly1305: nothing to expand ---- */

static void *chacha_make(const struct hd_tls_suite *suite)
{
	(void)suite;
	return hd_slab_alloc(&chacha_keys);
}

static void chacha_drop(void **key)
{
	hd_slab_free(&chacha_keys, key);
}

static int chacha_expand(void *key, const uint8_t *bytes, bool encrypt)
{
	(void)encrypt;
	memcpy(key, bytes, HD_TLS_KEY_MAX_BYTES);
	return 0;
}

static void chacha_run(chacha_poly_enc_dec_update_t update, const void *key,
		       const uint8_t *nonce, const uint8_t *head,
		       size_t head_bytes, size_t n, uint8_t *out, uint8_t *tag)
{
	struct chacha20_poly1305_context_data ctx;

	mb.chacha_init(key, &ctx, nonce, head, head_bytes);
	update(key, &ctx, out, head + head_bytes, n);
	mb.chacha_final(&ctx, tag, HD_TLS_TAG_BYTES);
	OPENSSL_cleanse(&ctx, sizeof(ctx));
}

static int chacha_open(void *key, const uint8_t *nonce, const uint8_t *record,
		       size_t head_bytes, size_t n, uint8_t *out)
{
	uint8_t tag[HD_TLS_TAG_BYTES];
	int r;

	chacha_run(mb.chacha_dec, key, nonce, record, head_bytes, n, out, tag);
	r = tags_equal(tag, record + head_bytes + n);
	OPENSSL_cleanse(tag, sizeof(tag));
	return r;
}

static int chacha_seal(void *key, const uint8_t *nonce, uint8_t *record,
		       size_t head_bytes, size_t n)
{
	uint8_t *p = record + head_bytes;

	chacha_run(mb.chacha_enc, key, nonce, record, head_bytes, n, p, p + n);
	return 0;
}

/* ---- which code this processor runs ---- */

/* XCR0: registers that the kernel keeps, SSE | AVX, and AVX-512's three. */
#define KEPT_AVX 0x06u
#define KEPT_AVX512 0xe6u

static const struct code {
	void (*init)(IMB_MGR *m);
	uint64_t needs;
	unsigned kept;
} codes[] = {
	/* below that OpenSSL's code is as good */
	[HD_MB_SSE] = { init_mb_mgr_sse, IMB_CPUFLAGS_SSE, 0 },
#ifdef IMB_CPUFLAGS_AVX
	[HD_MB_AVX] = { init_mb_mgr_avx, IMB_CPUFLAGS_AVX, KEPT_AVX },
#else
	[HD_MB_AVX] = { NULL, 0, 0 }, /* 2.0 has none */
#endif
	[HD_MB_AVX2] = { init_mb_mgr_avx2, IMB_CPUFLAGS_AVX2, KEPT_AVX },
	[HD_MB_AVX512] = { init_mb_mgr_avx512, IMB_CPUFLAGS_AVX512,
			   KEPT_AVX512 },
};

/* The library asks the processor only (2.0 nearly so; its issue 153). Where the
 * kernel or a hypervisor does not keep a register (noxsave), its code would end
 * the relay with SIGILL. */
static unsigned registers_kept(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

static bool can_run(const struct code *c, const IMB_MGR *m)
{
	return c->init != NULL && (m->features & c->needs) == c->needs &&
	       (registers_kept() & c->kept) == c->kept;
}

/* Returns NULL: not on this machine. */
static const struct code *choose(enum hd_mb_code code, const IMB_MGR *m)
{
	unsigned first = code == HD_MB_BEST ? HD_MB_AVX512 : code;
	unsigned last = code == HD_MB_BEST ? HD_MB_SSE : code;

	for (unsigned i = first; i >= last; i--)
		if (can_run(&codes[i], m))
			return &codes[i];
	return NULL;
}

static const char *code_name(const IMB_MGR *m)
{
	bool vaes = (m->features & IMB_CPUFLAGS_AVX512_T2) ==
		    IMB_CPUFLAGS_AVX512_T2;

	switch (m->used_arch) {
	case IMB_ARCH_AVX512:
		return vaes ? "avx512-vaes" : "avx512";
	case IMB_ARCH_AVX2:
		return "avx2";
#ifdef IMB_CPUFLAGS_AVX
	case IMB_ARCH_AVX:
		return "avx";
#endif
	default:
		return "sse";
	}
}

static void copy(const IMB_MGR *m)
{
	mb.pre_128 = m->gcm128_pre;
	mb.enc_128 = m->gcm128_enc;
	mb.dec_128 = m->gcm128_dec;
	mb.pre_256 = m->gcm256_pre;
	mb.enc_256 = m->gcm256_enc;
	mb.dec_256 = m->gcm256_dec;
	mb.chacha_init = m->chacha20_poly1305_init;
	mb.chacha_enc = m->chacha20_poly1305_enc_update;
	mb.chacha_dec = m->chacha20_poly1305_dec_update;
	mb.chacha_final = m->chacha20_poly1305_finalize;
	/* Without AVX-512 OpenSSL's is faster. */
	mb.has_chacha = m->used_arch == IMB_ARCH_AVX512;
	snprintf(mb.about, sizeof(mb.about), "ipsec-mb %s (%s)",
		 imb_get_version_str(), code_name(m));
	mb.ready = true;
}

/* The library tests all it has, at each start: 4 MB of code that nobody needs
 * again. It comes back from the file page by page where it is used. */
static int forget_code(struct dl_phdr_info *info, size_t size, void *code)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + h->p_vaddr;
		uintptr_t to = from + h->p_memsz;

		if (h->p_type != PT_LOAD || h->p_flags & PF_W ||
		    (uintptr_t)code < from || (uintptr_t)code >= to)
			continue;
		from = (from + page - 1) & ~(page - 1);
		madvise((void *)from, (to - from) & ~(page - 1),
			MADV_DONTNEED);
		return 1;
	}
	return 0;
}

int hd_ipsec_mb_start(enum hd_mb_code code, struct hd_error *err)
{
	const struct code *c;
	IMB_MGR *m = alloc_mb_mgr(0);
	int e;

	mb.ready = false;
	if (m == NULL)
		return hd_error_set(err, -ENOTSUP, "libipsec-mb: no memory");
	c = choose(code, m);
	if (c == NULL) {
		free_mb_mgr(m);
		return hd_error_set(err, -ENOTSUP,
				    "libipsec-mb: this processor lacks what "
				    "its code needs (AES-NI at least)");
	}
	c->init(m);
	e = imb_get_errno(m);
	if (e == 0)
		copy(m);
	free_mb_mgr(m);
	dl_iterate_phdr(forget_code, (void *)mb.enc_128);
	return e == 0 ? 0 :
			hd_error_set(err, -ENOTSUP, "libipsec-mb: %s",
				     imb_get_strerror(e));
}

const char *hd_ipsec_mb_about(void)
{
	return mb.about;
}

const struct hd_aead *hd_aead_ipsec_mb(const struct hd_tls_suite *suite)
{
#define MB(kind, expand_fn, open_fn, seal_fn)                                  \
	{                                                                      \
		.provider = "ipsec-mb", .make = kind##_make,                   \
		.drop = kind##_drop, .expand = expand_fn, .open = open_fn,     \
		.seal = seal_fn,                                               \
	}
	static const struct hd_aead aes_128 =
		MB(gcm, expand_128, open_128, seal_128);
	static const struct hd_aead aes_256 =
		MB(gcm, expand_256, open_256, seal_256);
	static const struct hd_aead chacha =
		MB(chacha, chacha_expand, chacha_open, chacha_seal);
#undef MB

	if (!mb.ready)
		return NULL;
	if (suite->is_gcm)
		return suite->key_bytes == 16 ? &aes_128 : &aes_256;
	return mb.has_chacha ? &chacha : NULL;
}
