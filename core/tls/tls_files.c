/* SPDX-License-Identifier: MIT */
/* core/tls/tls_files.c - certificates and keys, by the files they came from. */
#include "core/tls/tls_files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int hd_tls_files_new(struct hd_tls_files *files, size_t n)
{
	files->v = calloc(n + 1, sizeof(*files->v));
	return files->v != NULL ? 0 : -ENOMEM;
}

int hd_tls_files_keep(struct hd_tls_files *files,
		      const struct hd_cert_files *paths, struct hd_pem *pem,
		      struct hd_error *err)
{
	struct hd_tls_file *f = &files->v[files->n++];

	f->cert = strdup(paths->cert);
	f->key = strdup(paths->key);
	f->pem = *pem;
	memset(pem, 0, sizeof(*pem));
	return f->cert != NULL && f->key != NULL
		       ? 0
		       : hd_error_set(err, -ENOMEM, "TLS: out of memory");
}

/* One file may have both: then it has all of it. */
int hd_tls_files_write(const struct hd_tls_files *files, const char *path,
		       BIO *to)
{
	int r = -ENOENT;

	for (size_t i = 0; i < files->n; i++) {
		const struct hd_tls_file *f = &files->v[i];
		bool key = strcmp(f->key, path) == 0;
		bool cert = strcmp(f->cert, path) == 0;

		if (cert)
			r = hd_pem_write(&f->pem, false, to);
		if (key && (!cert || r == 0))
			r = hd_pem_write(&f->pem, true, to);
		if (key || cert)
			break;
	}
	return r;
}

void hd_tls_files_free(struct hd_tls_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->v[i].cert);
		free(files->v[i].key);
		hd_pem_free(&files->v[i].pem);
	}
	free(files->v);
	*files = (struct hd_tls_files){ NULL, 0 };
}
