/* SPDX-License-Identifier: MIT */
/* core/tls/aead_ipsec_mb_code.c - which of libipsec-mb's code runs. It has the
 * same functions for several generations of processors. With AVX-512 the newest
 * are the fastest. Without it they need not be: on AMD's Zen 4 what is for AVX2
 * takes some 10 % longer than what is for AVX or SSE. So those are timed, by
 * packets as they come, and older code is taken where it saves 5 %.
 * Context: the main thread, before there are workers. */
#include <cpuid.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "core/base/clock.h"
#include "core/tls/aead_ipsec_mb.h"
#include "core/tls/records.h"

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

static void copy(struct hd_mb *to, const IMB_MGR *m)
{
	to->pre_128 = m->gcm128_pre;
	to->enc_128 = m->gcm128_enc;
	to->dec_128 = m->gcm128_dec;
	to->pre_256 = m->gcm256_pre;
	to->enc_256 = m->gcm256_enc;
	to->dec_256 = m->gcm256_dec;
	to->chacha_init = m->chacha20_poly1305_init;
	to->chacha_enc = m->chacha20_poly1305_enc_update;
	to->chacha_dec = m->chacha20_poly1305_dec_update;
	to->chacha_final = m->chacha20_poly1305_finalize;
	/* Without AVX-512 OpenSSL's is faster. */
	to->has_chacha = m->used_arch == IMB_ARCH_AVX512;
	snprintf(to->about, sizeof(to->about), "ipsec-mb %s (%s)",
		 imb_get_version_str(), code_name(m));
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

/* ---- the faster one ---- */

enum { ROUNDS = 24, PACKETS = 11, PACKET_BYTES = 1438 };

struct work {
	struct hd_mb_key key;
	struct gcm_context_data ctx;
	uint8_t nonce[HD_TLS_IV_BYTES], tag[HD_TLS_TAG_BYTES];
	uint8_t from[HD_RECORD_PLAIN_MAX_BYTES], to[HD_RECORD_PLAIN_MAX_BYTES];
};

/* Packets of 1,400 bytes: each is opened, and they leave in a full record. */
static uint64_t round_ns(const struct hd_mb *mb, struct work *w)
{
	uint64_t began = hd_clock_ns();

	mb->pre_128(w->from, &w->key.data);
	for (unsigned i = 0; i < PACKETS; i++)
		mb->dec_128(&w->key.data, &w->ctx, w->to, w->from, PACKET_BYTES,
			    w->nonce, w->from, HD_AEAD_HEAD_BYTES, w->tag,
			    sizeof(w->tag));
	mb->enc_128(&w->key.data, &w->ctx, w->to, w->from, sizeof(w->from),
		    w->nonce, w->from, HD_AEAD_HEAD_BYTES, w->tag,
		    sizeof(w->tag));
	return hd_clock_ns() - began;
}

/* The least of several rounds, in turn: others may use this processor, too.
 * Takes some 0.4 ms. */
static void measure(const struct hd_mb *mb, unsigned n, uint64_t *ret_ns)
{
	struct work *w = aligned_alloc(_Alignof(struct work), sizeof(*w));

	for (unsigned i = 0; i < n; i++)
		ret_ns[i] = UINT64_MAX;
	if (w == NULL)
		return; /* the newest */
	memset(w, 0, sizeof(*w));
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned i = 0; i < n; i++)
			ret_ns[i] = HD_MIN(ret_ns[i], round_ns(&mb[i], w));
	free(w);
}

/* ---- choice ---- */

static int load(const struct code *c, struct hd_mb *ret, struct hd_error *err)
{
	IMB_MGR *m = alloc_mb_mgr(0);
	int e;

	if (m == NULL)
		return hd_error_set(err, -ENOTSUP, "libipsec-mb: no memory");
	c->init(m);
	e = imb_get_errno(m);
	if (e == 0)
		copy(ret, m);
	free_mb_mgr(m);
	return e == 0 ? 0 :
			hd_error_set(err, -ENOTSUP, "libipsec-mb: %s",
				     imb_get_strerror(e));
}

/* Those that may be taken, the newest first. Returns how many. */
static unsigned candidates(enum hd_mb_code code, const struct code **v)
{
	bool any = code == HD_MB_BEST || code == HD_MB_TIMED;
	unsigned first = !any ? code :
			 code == HD_MB_BEST ? HD_MB_AVX512 :
					      HD_MB_AVX2;
	unsigned last = any ? HD_MB_SSE : code, n = 0;
	IMB_MGR *m = alloc_mb_mgr(0);

	for (unsigned i = first; m != NULL && i >= last; i--) {
		if (!can_run(&codes[i], m))
			continue;
		v[n++] = &codes[i];
		if (i == HD_MB_AVX512)
			break; /* nothing is faster */
	}
	if (m != NULL)
		free_mb_mgr(m);
	return n;
}

int hd_mb_take(enum hd_mb_code code, struct hd_mb *ret, struct hd_error *err)
{
	const struct code *v[HD_ARRAY_N(codes)];
	struct hd_mb mb[HD_ARRAY_N(codes)];
	uint64_t ns[HD_ARRAY_N(codes)];
	unsigned n = candidates(code, v);
	int r = 0;

	if (n == 0)
		return hd_error_set(err, -ENOTSUP,
				    "libipsec-mb: this processor lacks what "
				    "its code needs (AES-NI at least)");
	for (unsigned i = 0; i < n && r == 0; i++)
		r = load(v[i], &mb[i], err);
	if (r < 0)
		return r;
	if (n > 1)
		measure(mb, n, ns);
	*ret = mb[n > 1 ? hd_mb_pick(ns, n) : 0];
	dl_iterate_phdr(forget_code, (void *)ret->enc_128);
	return 0;
}
