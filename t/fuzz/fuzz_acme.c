/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_acme.c - any bytes as what an ACME server says: each kind of
 * answer, a chain, a time. What is refused says why; what is taken can be
 * printed, and put into a path. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "modules/acme/answers.h"
#include "modules/acme/keys.h"
#include "modules/acme/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(int r, struct hd_error *err)
{
	if (r < 0 && err->text[0] == '\0')
		abort();
	err->text[0] = '\0';
}

static void is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isprint((unsigned char)*text))
			abort();
}

static void read_authz(const char *text, size_t n, struct hd_error *err)
{
	struct acme_authz z;
	int r = acme_authz_read(text, n, &z, err);

	check(r, err);
	for (int i = 0; r == 0 && i < ACME_TYPES; i++)
		if (strpbrk(z.challenges[i].token, "/.%?\r\n") != NULL)
			abort();
	is_printable(z.why.text);
}

static void read_all(const char *text, size_t n)
{
	struct hd_error err = { "" };
	struct acme_directory d;
	struct acme_problem p;
	struct acme_window w;
	struct acme_about about;
	struct acme_order o;

	check(acme_directory_read(text, n, "shortlived", &d, &err), &err);
	is_printable(d.profiles);
	is_printable(d.terms);
	check(acme_order_read(text, n, &o, &err), &err);
	is_printable(o.why.text);
	acme_order_free(&o);
	read_authz(text, n, &err);
	check(acme_window_read(text, n, &w, &err), &err);
	acme_problem_read(text, n, 500, &p);
	is_printable(p.text);
	is_printable(p.type);
	check(acme_chain_about(text, NULL, 0, &about, &err), &err);
	if (acme_retry_after_s(text, 1767323045) < 0)
		abort();
	acme_time_s(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = calloc(1, n + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, n);
	read_all(text, n);
	free(text);
	return 0;
}
