/* SPDX-License-Identifier: MIT */
/* core/stream/dial_check.c - are these options of hd_dial()? Any thread. */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include "core/stream/dial_private.h"

#define PIN_PREFIX "sha256-raw:"
enum {
	NAME_MAX_BYTES = 253, /* RFC 1035, 2.3.4 */
	ALPN_NAME_MAX_BYTES = 255, /* RFC 7301, 3.1 */
	LIMIT_MAX_MS = 10 * 60 * 1000,
};

struct hd_dial_options hd_dial_widen(const struct hd_dial_options *o,
				     size_t size)
{
	struct hd_dial_options full = { 0 };

	memcpy(&full, o, HD_MIN(size, sizeof(full)));
	return full;
}

const char *hd_dial_pin(const char *text, uint8_t ret[HD_TLS_PIN_BYTES])
{
	const char *hex = text + strlen(PIN_PREFIX), *end;
	size_t n;

	if (strncmp(text, PIN_PREFIX, strlen(PIN_PREFIX)) != 0 ||
	    strspn(hex, "0123456789abcdefABCDEF") != 2 * HD_TLS_PIN_BYTES ||
	    sodium_hex2bin(ret, HD_TLS_PIN_BYTES, hex, 2 * HD_TLS_PIN_BYTES,
			   NULL, &n, &end) != 0)
		return NULL;
	return end;
}

static bool is_ip(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

/* What a host name, or an address, can be made of. */
static bool is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
				"UVWXYZ0123456789-_.:%");

	return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0';
}

static int check_path(const struct hd_dial_options *o, struct hd_error *err)
{
	if (o->addr != NULL || o->host != NULL || o->source != NULL ||
	    o->port != 0 || o->tls)
		return hd_error_set(err, -EINVAL,
				    "a Unix socket has neither address, host, "
				    "port nor TLS");
	if (o->path[0] != '/' || strlen(o->path) >= HD_DIAL_PATH_BYTES)
		return hd_error_set(err, -EINVAL,
				    "%.120s: not the absolute path of a Unix "
				    "socket, which has %d characters at "
				    "most",
				    o->path, HD_DIAL_PATH_BYTES - 1);
	return 0;
}

static int check_where(const struct hd_dial_options *o, struct hd_error *err)
{
	if (o->path != NULL)
		return check_path(o, err);
	if ((o->addr != NULL) == (o->host != NULL))
		return hd_error_set(err, -EINVAL,
				    "dial an address or a host: one of them");
	if (o->host != NULL && !is_name(o->host))
		return hd_error_set(err, -EINVAL,
				    "%.80s: neither a host name nor an "
				    "address",
				    o->host);
	if ((o->addr != NULL && !is_ip(o->addr)) ||
	    (o->source != NULL && !is_ip(o->source)))
		return hd_error_set(err, -EINVAL,
				    "dial IPv4 or IPv6 addresses only");
	if (o->port == 0 && (o->addr == NULL || o->addr->in.sin_port == 0))
		return hd_error_set(err, -EINVAL, "%.80s: there is no port",
				    o->host != NULL ? o->host : "an address");
	return 0;
}

static int check_limits(const struct hd_dial_options *o, struct hd_error *err)
{
	if (o->connect_ms <= LIMIT_MAX_MS && o->handshake_ms <= LIMIT_MAX_MS)
		return 0;
	return hd_error_set(err, -EINVAL,
			    "a connection may take %d ms at most, and so may "
			    "TLS",
			    LIMIT_MAX_MS);
}

static int check_pins(const char *text, struct hd_error *err)
{
	uint8_t unused[HD_TLS_PIN_BYTES];

	for (const char *p = text; p != NULL;) {
		p = hd_dial_pin(p, unused);
		if (p == NULL || (*p != ';' && *p != '\0'))
			return hd_error_set(err, -EINVAL,
					    "%.90s: a pin is the SHA-256 of "
					    "the server's certificate, "
					    "sha256-raw: and 64 hexadecimal "
					    "digits",
					    text);
		p = *p == ';' ? p + 1 : NULL;
	}
	return 0;
}

static int check_alpn(const char *const *v, struct hd_error *err)
{
	for (unsigned i = 0; v != NULL && v[i] != NULL; i++) {
		if (i == HD_DIAL_ALPN_MAX)
			return hd_error_set(err, -EINVAL,
					    "at most %d ALPN names",
					    HD_DIAL_ALPN_MAX);
		if (v[i][0] == '\0' || strlen(v[i]) > ALPN_NAME_MAX_BYTES)
			return hd_error_set(err, -EINVAL,
					    "an ALPN name has 1 to %d bytes",
					    ALPN_NAME_MAX_BYTES);
	}
	return 0;
}

/* Who names a pin and forgets `tls` would send in the clear. */
static int check_no_tls(const struct hd_dial_options *o, struct hd_error *err)
{
	if (o->server_name == NULL && o->cert_name == NULL &&
	    o->ca_file == NULL && o->pin == NULL && o->alpn == NULL)
		return 0;
	return hd_error_set(err, -EINVAL,
			    "names, CAs, pins and ALPN are of TLS, which is "
			    "not asked for");
}

static int check_tls(const struct hd_dial_options *o, struct hd_error *err)
{
	const char *wrong = NULL;
	int r;

	if (!o->tls)
		return check_no_tls(o, err);
	if (o->server_name != NULL && !is_name(o->server_name))
		wrong = o->server_name;
	if (o->cert_name != NULL && !is_name(o->cert_name))
		wrong = o->cert_name;
	if (wrong != NULL)
		return hd_error_set(err, -EINVAL,
				    "%.80s: no certificate has such a name",
				    wrong);
	r = check_pins(o->pin, err);
	return r == 0 ? check_alpn(o->alpn, err) : r;
}

int hd_dial_check_sized(const struct hd_dial_options *options, size_t size,
			struct hd_error *err)
{
	struct hd_dial_options o = hd_dial_widen(options, size);
	int r = check_where(&o, err);

	if (r == 0)
		r = check_limits(&o, err);
	return r == 0 ? check_tls(&o, err) : r;
}
