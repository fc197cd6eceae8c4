/* SPDX-License-Identifier: MIT */
/* core/base/cert_files.h - a certificate as a configuration names it, and as
 * TLS reads it. */
#pragma once

struct hd_cert_files {
	const char *cert, *key; /* PEM paths */
	const char *file, *key_file; /* where each was set; NULL: nowhere */
	unsigned line, key_line;
};
