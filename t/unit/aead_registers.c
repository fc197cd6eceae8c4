/* SPDX-License-Identifier: MIT */
/* t/unit/aead_registers.c - a kernel that keeps no AVX registers (noxsave): the
 * processor says it has AVX, code that uses it ends with SIGILL. Made here by
 * letting CPUID fault, so that the answer is ours. */
#include "t/unit/unit.h"
#include <errno.h>
#include <string.h>
#include "core/tls/aead.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define SET_CPUID 0x1012 /* arch_prctl(2): ARCH_SET_CPUID */

static bool cpuid_faults(bool yes)
{
	return syscall(SYS_arch_prctl, SET_CPUID, !yes) == 0;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	unsigned leaf = (unsigned)g[REG_RAX], a, b, c, d;

	(void)info;
	cpuid_faults(false);
	if (memcmp((const void *)g[REG_RIP], "\x0f\xa2", 2) != 0) {
		signal(sig, SIG_DFL); /* a fault of its own */
		return;
	}
	__cpuid_count(leaf, (unsigned)g[REG_RCX], a, b, c, d);
	if (leaf == 1)
		c &= ~(unsigned)bit_OSXSAVE;
	g[REG_RAX] = a;
	g[REG_RBX] = b;
	g[REG_RCX] = c;
	g[REG_RDX] = d;
	g[REG_RIP] += 2;
	cpuid_faults(true);
}

static void answers_are_right(void)
{
	for (unsigned i = 0; i < HD_TLS_SUITES; i++) {
		const struct hd_tls_suite *suite = hd_tls_suite_at(i);

		if (hd_aead_ipsec_mb(suite) != NULL)
			assert_true(hd_aead_answers(hd_aead_ipsec_mb(suite),
						    suite));
	}
}

static void code_without_them_is_taken(void **state)
{
	struct sigaction act = { .sa_sigaction = on_fault,
				 .sa_flags = SA_SIGINFO };
	struct sigaction before;
	int best, avx2;

	(void)state;
	if (hd_ipsec_mb_start(HD_MB_AVX2, NULL) < 0)
		skip(); /* no library, or a processor without AVX2 */
	assert_int_equal(sigaction(SIGSEGV, &act, &before), 0);
	if (!cpuid_faults(true)) {
		sigaction(SIGSEGV, &before, NULL);
		skip(); /* a processor that always answers */
	}
	avx2 = hd_ipsec_mb_start(HD_MB_AVX2, NULL);
	best = hd_ipsec_mb_start(HD_MB_BEST, NULL);
	cpuid_faults(false);
	sigaction(SIGSEGV, &before, NULL);
	assert_int_equal(avx2, -ENOTSUP);
	assert_int_equal(best, 0);
	assert_non_null(strstr(hd_ipsec_mb_about(), "(sse)"));
	answers_are_right();
}

/* As on a processor without AVX-512: code that it has, whichever is faster. */
static void the_faster_is_taken(void **state)
{
	const char *about;

	(void)state;
	if (hd_ipsec_mb_start(HD_MB_TIMED, NULL) < 0)
		skip(); /* no library, or a processor without AES-NI */
	about = hd_ipsec_mb_about();
	print_message("%s\n", about);
	assert_true(strstr(about, "(sse)") != NULL ||
		    strstr(about, "(avx)") != NULL ||
		    strstr(about, "(avx2)") != NULL);
	answers_are_right();
}
#else
static void the_faster_is_taken(void **state)
{
	(void)state;
	skip();
}

static void code_without_them_is_taken(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_without_them_is_taken),
		cmocka_unit_test(the_faster_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
