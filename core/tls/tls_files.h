/* SPDX-License-Identifier: MIT */
/* core/tls/tls_files.h - what certificates and keys a store was made of, and
 * from which files: the process that takes this one's place may not be allowed
 * to read them. Main thread. */
#pragma once
#include "core/tls/tls_pem.h"

struct hd_tls_files {
	struct hd_tls_file {
		char *cert, *key; /* paths */
		struct hd_pem pem;
	} * v;
	size_t n;
};

/* hd_tls_files_new - room for n certificates. Returns 0; -ENOMEM.
 * hd_tls_files_keep - one of them. @pem  taken
 * hd_tls_files_write - what stood in a file, as PEM. Returns 0; -ENOENT;
 * -ENOMEM. hd_tls_files_free - safe on zeroes. */
int hd_tls_files_new(struct hd_tls_files *files, size_t n);
int hd_tls_files_keep(struct hd_tls_files *files,
		      const struct hd_cert_files *paths, struct hd_pem *pem,
		      struct hd_error *err);
int hd_tls_files_write(const struct hd_tls_files *files, const char *path,
		       BIO *to);
void hd_tls_files_free(struct hd_tls_files *files);
