/* SPDX-License-Identifier: MIT */
/* core/base/cert_files.h - a certificate as a configuration names it, and as
 * TLS reads it. */
#pragma once

struct hd_cert_files {
	const char *cert, *key; /* PEM paths */
	const char *file; /* where each was set; NULL: nowhere */
	unsigned line;
	const char *key_file;
	unsigned key_line;
};
