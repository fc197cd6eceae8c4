/* SPDX-License-Identifier: MIT */
/* t/unit/fake_base.c - texts, errors and log of the fake core. */
#include "t/unit/fake_core.h"
#include <hyper-derp/config.h>
#include <hyper-derp/log.h>
#include <hyper-derp/offer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void hd_assert_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

int hd_error_at(const struct hd_place *at, struct hd_error *err, int code,
		const char *format, ...)
{
	va_list args;

	(void)at;
	va_start(args, format);
	if (err != NULL)
		vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

int hd_error_set(struct hd_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err != NULL)
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int hd_offer(struct hd_module *mod, const char *name, const void *data,
	     size_t len_bytes, struct hd_error *err)
{
	(void)mod, (void)name, (void)data, (void)len_bytes, (void)err;
	return 0;
}

const char *hd_addr_text(const union hd_addr *addr,
			 char buf[HD_ADDR_TEXT_BYTES])
{
	snprintf(buf, HD_ADDR_TEXT_BYTES, "family %d", addr->sa.sa_family);
	return buf;
}

struct hd_key_text hd_key_text(const struct hd_key *key)
{
	struct hd_key_text text;

	snprintf(text.s, sizeof(text.s), "%02x%02x%02x%02x", key->b[0],
		 key->b[1], key->b[2], key->b[3]);
	return text;
}

bool hd_log_on(enum hd_log_level level)
{
	(void)level;
	return !fake.quiet;
}

bool hd_log_allow(struct hd_log_site *site)
{
	(void)site;
	return true;
}

void hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	fputs("# ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- other relays ---- */

bool hd_peer_has_mesh_key(const struct hd_peer *peer)
{
	return peer->login.mesh;
}

void hd_peer_set_flags(struct hd_peer *peer, uint32_t flags)
{
	peer->login.flags = flags;
}
