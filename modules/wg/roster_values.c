/* SPDX-License-Identifier: MIT */
/* modules/wg/roster_values.c - names, keys and addresses as people write them.
 * What gets through here cannot break a line of the roster's file. */
#include "modules/wg/roster.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* @spaces  whether these are text too
 * Bytes from 0x80 on are letters of UTF-8; what they are is not our business,
 * but U+0080 to U+009F are control characters that terminals obey. */
static bool is_clean(const char *text, bool spaces)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';
	     p++) {
		if (*p == 0x7f || *p < (spaces ? 0x20 : 0x21))
			return false;
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			return false;
	}
	return true;
}

int wg_name_check(const char *name, struct wg_refusal *why)
{
	size_t n = name != NULL ? strlen(name) : 0;

	if (n == 0 || n > WG_NAME_MAX_BYTES)
		return wg_refuse(why, -EINVAL, "bad_args",
				 "a peer's name has 1 to %d bytes",
				 WG_NAME_MAX_BYTES);
	if (!is_clean(name, false) || name[0] == '-' ||
	    strchr(name, '#') != NULL)
		return wg_refuse(why, -EINVAL, "bad_args",
				 "a peer's name has no space, no control "
				 "character and no #, and does not begin with "
				 "-: choose one such as alice-phone");
	return 0;
}

int wg_label_check(const char *label, struct wg_refusal *why)
{
	size_t n = strlen(label);

	if (n > WG_LABEL_MAX_BYTES || !is_clean(label, true) ||
	    label[0] == ' ' || label[n - (n > 0)] == ' ')
		return wg_refuse(why, -EINVAL, "bad_args",
				 "a label has at most %d bytes, no control "
				 "character and no space at its ends",
				 WG_LABEL_MAX_BYTES);
	return 0;
}

int wg_nic_check(const char *nic, struct wg_refusal *why)
{
	size_t n = strlen(nic);

	if (n == 0 || n > WG_NIC_MAX_BYTES || !is_clean(nic, false) ||
	    strpbrk(nic, "/:#") != NULL || nic[0] == '-' || nic[0] == '.')
		return wg_refuse(why, -EINVAL, "wg_peer_nic_failed",
				 "\"%.32s\" is not the name of a network "
				 "interface; \"ip link\" lists those there are",
				 nic);
	return 0;
}

/* ---- keys ---- */

static int no_key(const char *text, struct wg_refusal *why)
{
	size_t n = strlen(text);

	if (wg_looks_like_hex(text))
		return wg_refuse(why, -EINVAL, "invalid_key",
				 "\"%.64s\" is a key in hex: write it in "
				 "base64, as `xxd -r -p | base64` makes it",
				 text);
	if (n != WG_KEY_TEXT_BYTES - 1)
		return wg_refuse(why, -EINVAL, "invalid_key",
				 "\"%.48s\" is not a public key: a key has 44 "
				 "characters, as `wg pubkey` prints them, this "
				 "has %zu",
				 text, n);
	return wg_refuse(why, -EINVAL, "invalid_key",
			 "\"%.48s\" is not a public key: it is not 32 bytes in "
			 "base64, a character is wrong; copy it again from "
			 "`wg pubkey`",
			 text);
}

int wg_key_parse(const char *text, struct hd_key *ret, struct wg_refusal *why)
{
	size_t n = strlen(text), got = 0;
	const char *end = NULL;
	int r = -1;

	if (n == WG_KEY_TEXT_BYTES - 1)
		r = sodium_base642bin(ret->b, HD_KEY_BYTES, text, n, NULL, &got,
				      &end, sodium_base64_VARIANT_ORIGINAL);
	if (r != 0 || got != HD_KEY_BYTES || end != text + n)
		return no_key(text, why);
	if (sodium_is_zero(ret->b, HD_KEY_BYTES))
		return wg_refuse(
			why, -EINVAL, "invalid_key",
			"\"%.48s\" is not a public key: it is all zeros, "
			"which has no private key",
			text);
	return 0;
}

const char *wg_key_text(const struct hd_key *key, char buf[WG_KEY_TEXT_BYTES])
{
	return sodium_bin2base64(buf, WG_KEY_TEXT_BYTES, key->b, HD_KEY_BYTES,
				 sodium_base64_VARIANT_ORIGINAL);
}

/* ---- addresses ---- */

static bool parse_port(const char *text, in_port_t *ret)
{
	size_t n = strspn(text, "0123456789");
	unsigned long port = strtoul(text, NULL, 10);

	if (n == 0 || n > 5 || text[n] != '\0' || port == 0 || port > 65535)
		return false;
	*ret = htons((uint16_t)port);
	return true;
}

static bool parse_ip(const char *text, union hd_addr *ret)
{
	struct in6_addr six;

	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1) {
		ret->sa.sa_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, text, &six) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		memcpy(&ret->in.sin_addr, six.s6_addr + 12, 4);
		ret->sa.sa_family = AF_INET;
		return true;
	}
	ret->in6.sin6_addr = six;
	ret->sa.sa_family = AF_INET6;
	return true;
}

/* "[IP" and ":PORT" without the brackets, or "IP" and ":PORT". */
static bool split(const char *text, char ip[static INET6_ADDRSTRLEN],
		  const char **ret_port)
{
	bool brackets = text[0] == '[';
	const char *begin = text + brackets;
	const char *end = strchr(begin, brackets ? ']' : ':');
	size_t n = end != NULL ? (size_t)(end - begin) : 0;

	if (n == 0 || n >= INET6_ADDRSTRLEN)
		return false;
	memcpy(ip, begin, n);
	ip[n] = '\0';
	end += brackets;
	*ret_port = end + 1;
	return end[0] == ':' && (strchr(ip, ':') != NULL) == brackets;
}

int wg_addr_parse(const char *text, union hd_addr *ret, struct wg_refusal *why)
{
	union hd_addr addr;
	char ip[INET6_ADDRSTRLEN];
	const char *port;

	memset(&addr, 0, sizeof(addr));
	/* sin_port and sin6_port lie at the same place */
	if (!split(text, ip, &port) || !parse_ip(ip, &addr) ||
	    !parse_port(port, &addr.in.sin_port))
		return wg_refuse(
			why, -EINVAL, "bad_args",
			"\"%.64s\" is not an endpoint: write an address "
			"and a port, 192.0.2.1:51820 or "
			"[2001:db8::1]:51820, or leave it out and it "
			"is learned",
			text);
	*ret = addr;
	return 0;
}
