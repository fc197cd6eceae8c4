/* SPDX-License-Identifier: MIT */
/* core/tls/client_hello.c - the name in a ClientHello: no more of it is looked
 * at than leads there. Source: RFC 8446, 4.1.2 and 5.1; RFC 5246, 7.4.1.2; RFC
 * 6066, 3. */
#include "core/tls/client_hello.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
	RECORD_HANDSHAKE = 22,
	RECORD_MAX_BYTES = 16384,
	RECORD_HEAD_BYTES = 5,
	MESSAGE_CLIENT_HELLO = 1,
	VERSION_AND_RANDOM_BYTES = 2 + 32,
	EXTENSION_SERVER_NAME = 0,
	NAME_IS_HOST = 0,
};

/* Reads the bytes of a message that may lie in many records. What goes wrong is
 * kept, and nothing is read any more; so it is looked at in the end. */
struct reader {
	const uint8_t *p;
	size_t n; /* bytes there */
	size_t record; /* bytes left in this record */
	size_t left; /* bytes left in what is being read, as it says itself */
	int error; /* 0; -EAGAIN more is needed; -EBADMSG */
};

static void next_record(struct reader *r)
{
	size_t len;

	if ((r->n > 0 && r->p[0] != RECORD_HANDSHAKE) ||
	    (r->n > 1 && r->p[1] != 3)) {
		r->error = -EBADMSG;
		return;
	}
	if (r->n < RECORD_HEAD_BYTES) {
		r->error = -EAGAIN;
		return;
	}
	len = (size_t)r->p[3] << 8 | r->p[4];
	if (len == 0 || len > RECORD_MAX_BYTES)
		r->error = -EBADMSG;
	r->p += RECORD_HEAD_BYTES;
	r->n -= RECORD_HEAD_BYTES;
	r->record = len;
}

static unsigned byte(struct reader *r)
{
	if (r->error == 0 && r->left == 0)
		r->error = -EBADMSG; /* longer than what it is in */
	if (r->error == 0 && r->record == 0)
		next_record(r);
	if (r->error == 0 && r->n == 0)
		r->error = -EAGAIN;
	if (r->error != 0)
		return 0;
	r->left--;
	r->record--;
	r->n--;
	return *r->p++;
}

/* @bytes  1 to 3 */
static size_t number(struct reader *r, unsigned bytes)
{
	size_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | byte(r);
	return v;
}

static void skip(struct reader *r, size_t n)
{
	while (n-- > 0 && r->error == 0)
		byte(r);
}

/* From here on no more than n bytes are read, until leave(). Returns what was
 * left outside. */
static size_t enter(struct reader *r, size_t n)
{
	size_t outside = r->left - n;

	if (r->error == 0 && n > r->left)
		r->error = -EBADMSG;
	r->left = n;
	return outside;
}

static void leave(struct reader *r, size_t outside)
{
	skip(r, r->left);
	r->left = outside;
}

/* ---- the name ---- */

static char lower(unsigned c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_';
}

static void read_name(struct reader *r, size_t n,
		      char name[static HD_SERVER_NAME_BYTES])
{
	bool good = n < HD_SERVER_NAME_BYTES;

	for (size_t i = 0; i < n && good && r->error == 0; i++) {
		name[i] = lower(byte(r));
		good = is_host_char(name[i]);
	}
	if (!good || r->error != 0)
		n = 0;
	if (n > 0 && name[n - 1] == '.')
		n--;
	name[n] = '\0';
}

/* RFC 6066, 3: of one kind there is one name at most. */
static void read_server_name(struct reader *r,
			     char name[static HD_SERVER_NAME_BYTES])
{
	size_t outside = enter(r, number(r, 2));
	bool found = false;

	while (r->left > 0 && r->error == 0 && !found) {
		unsigned kind = byte(r);
		size_t len = number(r, 2), behind = enter(r, len);

		found = kind == NAME_IS_HOST;
		if (found)
			read_name(r, len, name);
		else
			leave(r, behind);
	}
	r->left = outside;
}

static void read_extensions(struct reader *r,
			    char name[static HD_SERVER_NAME_BYTES])
{
	enter(r, number(r, 2));
	while (r->left > 0 && r->error == 0) {
		size_t type = number(r, 2);
		size_t behind = enter(r, number(r, 2));

		if (type == EXTENSION_SERVER_NAME && r->error == 0) {
			read_server_name(r, name);
			return;
		}
		leave(r, behind);
	}
}

static void read_hello(struct reader *r,
		       char name[static HD_SERVER_NAME_BYTES])
{
	skip(r, VERSION_AND_RANDOM_BYTES);
	skip(r, number(r, 1)); /* session */
	skip(r, number(r, 2)); /* cipher suites */
	skip(r, number(r, 1)); /* compression */
	if (r->error == 0 && r->left > 0) /* TLS 1.2 may have none */
		read_extensions(r, name);
}

int hd_client_hello_name(const uint8_t *p, size_t n,
			 char ret_name[static HD_SERVER_NAME_BYTES])
{
	struct reader r = { .p = p, .left = 4 };

	r.n = n < HD_CLIENT_HELLO_MAX_BYTES ? n : HD_CLIENT_HELLO_MAX_BYTES;
	ret_name[0] = '\0';
	if (byte(&r) != MESSAGE_CLIENT_HELLO && r.error == 0)
		return -EBADMSG;
	r.left = number(&r, 3);
	if (r.error == 0)
		read_hello(&r, ret_name);
	if (r.error != 0)
		ret_name[0] = '\0';
	if (r.error == -EAGAIN && n >= HD_CLIENT_HELLO_MAX_BYTES)
		return -EBADMSG;
	return r.error == -EAGAIN ? 0 : r.error == 0 ? 1 : r.error;
}
