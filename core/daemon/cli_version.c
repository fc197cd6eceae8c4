/* SPDX-License-Identifier: MIT */
/* core/daemon/cli_version.c - what -V prints: all that a bug report needs. */
#include <errno.h>
#include <jansson.h>
#include <linux/io_uring.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <yaml.h>
#include "core/base/version.h"
#include "core/daemon/cli.h"
#include "core/fetch/fetch.h"
#include "core/tls/aead.h"
#include <hyper-derp/module.h>

/* Where the kernel was told to refuse, that is what the operator can change. */
static void uring_text(char *buf, size_t size)
{
	struct io_uring_params p;

	memset(&p, 0, sizeof(p));
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	if (fd >= 0) {
		close(fd);
		snprintf(buf, size, "available");
		return;
	}
	snprintf(buf, size, "not available (%s%s)", strerror(errno),
		 errno == EPERM ? ", see sysctl kernel.io_uring_disabled "
				  "and the container's seccomp profile"
				: "");
}

/* The list has what is built in or loaded; the module may still be there. */
static const char *ktls_text(void)
{
	char line[256] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_available_ulp", "re");

	if (f == NULL)
		return "not available (the kernel has no TCP ULP)";
	bool there = fgets(line, sizeof(line), f) != NULL &&
		     strstr(line, "tls") != NULL;
	fclose(f);
	return there ? "available" : "not available (try: modprobe tls)";
}

/* What `auto` takes here. */
static void put_crypto(FILE *out)
{
	struct hd_error why;

	if (hd_aead_start(HD_CRYPTO_IPSEC_MB, &why) == 0)
		fprintf(out, "TLS records   %s\n", hd_aead_about());
	else
		fprintf(out, "TLS records   openssl (%s)\n", why.text);
}

void hd_cli_version(FILE *out)
{
	struct utsname kernel;
	char uring[160];

	uring_text(uring, sizeof(uring));
	fprintf(out, "hyper-derp %s (%s)\n", hd_version, hd_commit);
	fprintf(out, "module ABI    %d.%d\n", HD_ABI_MAJOR, HD_ABI_MINOR);
	fprintf(out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
	put_crypto(out);
	fprintf(out, "libsodium     %s\n", sodium_version_string());
	fprintf(out, "libyaml       %s\n", yaml_get_version_string());
	fprintf(out, "jansson       %s\n", JANSSON_VERSION);
	fprintf(out, "libcurl       %s\n", hd_fetch_library());
	if (uname(&kernel) == 0)
		fprintf(out, "kernel        %s %s %s\n", kernel.sysname,
			kernel.release, kernel.machine);
	fprintf(out, "io_uring      %s\n", uring);
	fprintf(out, "kTLS          %s\n", ktls_text());
}
