/* SPDX-License-Identifier: MIT */
/* t/unit/record_ends.c - see its header. */
#include "t/unit/unit.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include "t/unit/record_ends.h"

static const char server_secret[] =
	"a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
const char server_key[] = "9f02283b6c9c07efc26bb9f2ac92e356";
const char server_iv[] = "cf782b88dd83549aadf1e984";
const char client_secret[] =
	"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
const char client_key[] = "17422dda596ed5d9acd890e3c63f5051";
const char client_iv[] = "5b78923dee08579033e523d9";
const char client_data[] =
	"1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b98"
	"19a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21"
	"694915e4";

struct hd_cipher_cache cache;

size_t hex(const char *text, uint8_t *to, size_t size)
{
	size_t n;

	assert_int_equal(sodium_hex2bin(to, size, text, strlen(text), NULL, &n,
					NULL),
			 0);
	return n;
}

/* The server's end, as after the handshake. */
struct hd_records server(void)
{
	struct hd_records r = { .suite = hd_tls_suite_find(0x1301) };

	assert_non_null(r.suite);
	hex(client_secret, r.rx.secret, sizeof(r.rx.secret));
	hex(server_secret, r.tx.secret, sizeof(r.tx.secret));
	assert_int_equal(hd_tls_keys_derive(&r.rx, r.suite), 0);
	assert_int_equal(hd_tls_keys_derive(&r.tx, r.suite), 0);
	return r;
}

/* The other end: what one seals the other opens. */
struct hd_records client(void)
{
	struct hd_records r = server();
	struct hd_tls_keys k = r.rx;

	r.rx = r.tx;
	r.tx = k;
	return r;
}

struct wire wire;
uint8_t plain[65536];

void send_as(struct hd_records *from, enum hd_record_type type,
		    const void *data, size_t n)
{
	uint8_t *record = wire.bytes + wire.n;

	memcpy(record + HD_RECORD_HEAD_BYTES, data, n);
	int len = hd_records_seal(from, &cache, type, record, n);

	assert_true(len > 0);
	wire.n += (size_t)len;
}

int take(struct hd_records *r)
{
	size_t used;
	int n = hd_records_open(r, &cache, wire.bytes, wire.n, &used, plain,
				sizeof(plain));

	memmove(wire.bytes, wire.bytes + used, wire.n - used);
	wire.n -= used;
	return n;
}

/* Type and padding as the test wants them: sealed by hand. */
void send_inner(struct hd_records *from, const uint8_t *inner, size_t n)
{
	/* hd_records_seal() appends a type; make it the last inner byte */
	send_as(from, n > 0 ? inner[n - 1] : 0, inner, n > 0 ? n - 1 : 0);
}

void assert_data(int n)
{
	assert_int_equal(n, DATA_BYTES);
	for (int i = 0; i < DATA_BYTES; i++)
		assert_int_equal(plain[i], i);
}

/* Everything that must end in an alert. */
void assert_refused(struct hd_records *r, enum hd_alert alert)
{
	assert_int_equal(take(r), -EPROTO);
	assert_int_equal(r->alert, alert);
	assert_int_equal(take(r), -EPROTO); /* it stays so */
	hd_records_uncache(r);
	wire.n = 0;
}

int fresh(void **state)
{
	(void)state;
	wire.n = 0;
	return 0;
}
