/* SPDX-License-Identifier: MIT */
/* core/tls/tls_kernel.c - a connection whose records the kernel makes. It is
 * the same hand-over as to our record layer: keys and record numbers. What is
 * not data, the kernel passes on, and core/tls/records.c judges it as its own.
 * Context: the stream's worker. */
#include <errno.h>
#include "core/tls/ktls.h"
#include "core/tls/tls_conn.h"

static const uint8_t key_update[HD_KEY_UPDATE_BYTES] = { 24, 0, 0, 1, 0 };

unsigned hd_tls_kernel(const struct hd_tls *t)
{
	return t->kernel;
}

static void hand_over(struct hd_tls *t, int fd, unsigned direction)
{
	struct hd_records *r = t->records;

	if (hd_ktls_set(fd, direction, r->suite,
			direction == HD_KTLS_TX ? &r->tx : &r->rx) == 0)
		t->kernel |= (uint8_t)direction;
}

unsigned hd_tls_to_kernel(struct hd_tls *t, int fd, unsigned directions)
{
	if (!hd_tls_is_own(t))
		return 0;
	if (directions & ~t->kernel & HD_KTLS_TX &&
	    !hd_records_update_due(t->records))
		hand_over(t, fd, HD_KTLS_TX);
	/* The kernel begins at a record's head: none may be cut here. */
	if (directions & ~t->kernel & HD_KTLS_RX && t->partial == NULL &&
	    t->openssl.in_left == 0 && t->records->message_bytes == 0)
		hand_over(t, fd, HD_KTLS_RX);
	return t->kernel;
}

/* ---- receiving ---- */

/* A record that is not data. Returns 0: go on. */
static int on_record(struct hd_tls *t, int fd, enum hd_record_type type,
		     const uint8_t *p, size_t n)
{
	struct hd_records *r = t->records;
	uint8_t before[HD_TLS_IV_BYTES];
	int res;

	memcpy(before, r->rx.iv, sizeof(before));
	res = hd_records_inner(r, type, p, n);
	if (res < 0 || memcmp(before, r->rx.iv, sizeof(before)) == 0)
		return res;
	if (hd_ktls_set(fd, HD_KTLS_RX, r->suite, &r->rx) < 0)
		return -EKEYEXPIRED;
	return 0;
}

static int recv_error(struct hd_tls *t, int e)
{
	if (e == -EBADMSG)
		t->records->alert = HD_ALERT_BAD_RECORD_MAC;
	else if (e == -EMSGSIZE)
		t->records->alert = HD_ALERT_RECORD_OVERFLOW;
	else if (e == -EINVAL || e == -EIO)
		t->records->alert = HD_ALERT_UNEXPECTED_MESSAGE;
	else
		return e;
	return -EPROTO;
}

/* One record a call: a client that sends nothing but KeyUpdate does not keep
 * the worker to itself. */
int hd_tls_kernel_recv(struct hd_tls *t, int fd, uint8_t *buf, size_t size)
{
	enum hd_record_type type;
	int n = hd_ktls_recv(fd, buf, size, &type);

	if (n < 0)
		return recv_error(t, n);
	if (type == HD_RECORD_DATA && t->records->message_bytes > 0)
		n = hd_records_inner(t->records, type, buf, 0);
	if (n < 0 || type == HD_RECORD_DATA)
		return n;
	n = on_record(t, fd, type, buf, (size_t)n);
	return n < 0 ? n : -EINTR;
}

/* ---- sending ---- */

/* A send ends with a record that may be short, all others are full: our count
 * is never below the kernel's. */
void hd_tls_kernel_sent(struct hd_tls *t, size_t n)
{
	if (t->kernel & HD_KTLS_TX)
		t->records->tx.seq += n / HD_RECORD_PLAIN_MAX_BYTES + 1;
}

int hd_tls_kernel_sending(struct hd_tls *t, int fd)
{
	struct hd_records *r = t->records;
	int res;

	if (!hd_records_update_due(r))
		return 0;
	if (!hd_ktls_rekeys(HD_KTLS_TX))
		return -EKEYEXPIRED;
	res = hd_ktls_send(fd, HD_RECORD_HANDSHAKE, key_update,
			   sizeof(key_update));
	if (res < 0)
		return res;
	if (hd_tls_keys_update(&r->tx, r->suite) < 0)
		return -EPROTO;
	r->owes_update = false;
	return hd_ktls_set(fd, HD_KTLS_TX, r->suite, &r->tx);
}

void hd_tls_kernel_alert(struct hd_tls *t, int fd)
{
	uint8_t alert[] = { t->records->alert == 0 ? 1 : 2,
			    t->records->alert };

	hd_ktls_send(fd, HD_RECORD_ALERT, alert, sizeof(alert));
}
