/* SPDX-License-Identifier: MIT */
/* t/unit/hd_contacts.c - handles never mean somebody else; keys as text; the
 * vectors of doc/reference/protocol-hd.md. */
#include <errno.h>
#include <hyper-derp/hd.h>
#include <sodium.h>
#include "modules/hd/bech32.h"
#include "modules/hd/contacts.h"
#include "t/unit/unit.h"

static struct hd_key key_of(uint32_t n)
{
	struct hd_key key = { { 0 } };

	crypto_generichash(key.b, sizeof(key.b), (const uint8_t *)&n, sizeof(n),
			   NULL, 0);
	return key;
}

static uint32_t allow(struct hdp_contacts *c, uint32_t n)
{
	struct hd_key key = key_of(n);
	uint32_t handle = HDP_NO_HANDLE;

	assert_true(hdp_contacts_allow(c, &key, HDP_SLOTS_MAX, &handle) >= 0);
	return handle;
}

/* Beside the simplest thing that could be right: an array by number. */
static void contacts_come_and_go(void **state)
{
	static uint32_t handles[500];
	struct hdp_contacts c = { 0 };
	uint32_t n = 0;

	(void)state;
	memset(handles, 0xff, sizeof(handles));
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t who = i * 2654435761u % HD_ARRAY_N(handles);
		struct hd_key key = key_of(who);

		assert_int_equal(hdp_contacts_find(&c, &key), handles[who]);
		if (handles[who] == HDP_NO_HANDLE) {
			handles[who] = allow(&c, who);
			assert_memory_equal(
				&hdp_contacts_at(&c, handles[who])->key, &key,
				sizeof(key));
			n++;
		} else {
			assert_int_equal(allow(&c, who), handles[who]);
			assert_true(hdp_contacts_forbid(&c, handles[who]));
			assert_null(hdp_contacts_at(&c, handles[who]));
			assert_false(hdp_contacts_forbid(&c, handles[who]));
			handles[who] = HDP_NO_HANDLE;
			n--;
		}
		assert_int_equal(c.n, n);
	}
	hdp_contacts_clear(&c);
}

static void a_handle_is_never_used_again(void **state)
{
	struct hdp_contacts c = { 0 };
	uint32_t before = HDP_NO_HANDLE;

	(void)state;
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		uint32_t handle = allow(&c, i);

		assert_int_equal(handle, i << 16);
		assert_null(hdp_contacts_at(&c, before));
		assert_true(hdp_contacts_forbid(&c, handle));
		before = handle;
	}
	assert_int_equal(allow(&c, 0), 1); /* the first slot is worn out */
	assert_null(hdp_contacts_at(&c, 0));
	hdp_contacts_clear(&c);
}

static void there_is_a_limit(void **state)
{
	struct hdp_contacts c = { 0 };
	struct hd_key key = key_of(3);
	uint32_t handle;

	(void)state;
	allow(&c, 1);
	allow(&c, 2);
	assert_int_equal(hdp_contacts_allow(&c, &key, 2, &handle), -ENOSPC);
	for (uint32_t i = 3; i <= HDP_SLOTS_MAX; i++)
		allow(&c, i);
	key = key_of(0);
	assert_int_equal(hdp_contacts_allow(&c, &key, 100000, &handle),
			 -ENOSPC);
	assert_null(hdp_contacts_at(&c, HDP_NO_HANDLE));
	hdp_contacts_clear(&c);
}

/* ---- doc/reference/protocol-hd.md, "Test vectors" ---- */

#define RELAY_TEXT                                                             \
	"hd1qwss00lnecgtu8tsm5vwwj7qn9n7f43snwjs6hcamjrxgyj4xxuqtpeudk"
#define RELAY_HEX                                                              \
	"03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
#define HELLO_SIGNATURE                                                        \
	"b1b0a118df36419b40d975b055dfcbc2fc0aa9dcafbf6f60cf33baa6a10bbd44"     \
	"471f52216e64211a444b14830442fda492f1af2673993cbbd214b9eb2c940a02"
#define ENROLL_SIGNATURE                                                       \
	"3e87e6d1d51a674f36cd976ac73afca5e3934cd9a386112958ac3f2a5a724bbe"     \
	"fc9f85b05373f34b67553f11b637ce1680a6dfe5ef5b782ff0128d7e50ab5008"

static void assert_hex(const uint8_t *v, size_t n, const char *hex)
{
	char text[2 * 128 + 1];

	assert_string_equal(sodium_bin2hex(text, sizeof(text), v, n), hex);
}

static void made_of(uint8_t *v, size_t n, uint8_t first)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (uint8_t)(first + i);
}

enum { IMAGE_SLOT = 35 }; /* modules/hd/contacts.c */

/* What another process reads means the same by the same handles. */
static void an_image_keeps_handles(void **state)
{
	struct hdp_contacts a = { 0 }, b;
	uint32_t handle[100], again;
	uint8_t image[100 * IMAGE_SLOT];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct hd_key key = key_of(i);

		assert_int_equal(hdp_contacts_allow(&a, &key, 100, &handle[i]),
				 0);
	}
	for (unsigned i = 0; i < 100; i += 3)
		assert_true(hdp_contacts_forbid(&a, handle[i]));
	assert_int_equal(hdp_contacts_bytes(&a), sizeof(image));
	hdp_contacts_write(&a, image);
	assert_int_equal(hdp_contacts_read(&b, image, sizeof(image)), 0);
	assert_int_equal(b.n, a.n);
	for (unsigned i = 0; i < 100; i++) {
		struct hd_key key = key_of(i);

		assert_int_equal(hdp_contacts_find(&b, &key),
				 i % 3 == 0 ? HDP_NO_HANDLE : handle[i]);
		assert_int_equal(hdp_contacts_at(&b, handle[i]) == NULL,
				 i % 3 == 0);
	}
	for (unsigned i = 0; i < 100; i += 3) {
		struct hd_key key = key_of(i);

		assert_int_equal(hdp_contacts_allow(&b, &key, 100, &again), 0);
		assert_int_equal(again >> 16, 1);
	}
	hdp_contacts_clear(&a);
	hdp_contacts_clear(&b);
}

static void a_broken_image_is_refused(void **state)
{
	static uint8_t image[(HDP_SLOTS_MAX + 1) * IMAGE_SLOT];
	struct hdp_contacts c;

	(void)state;
	assert_int_equal(hdp_contacts_read(&c, image, IMAGE_SLOT + 1),
			 -EBADMSG);
	assert_int_equal(hdp_contacts_read(&c, image, sizeof(image)), -EBADMSG);
	image[HD_KEY_BYTES + 2] = image[IMAGE_SLOT + HD_KEY_BYTES + 2] = 1;
	assert_int_equal(hdp_contacts_read(&c, image, 2 * IMAGE_SLOT),
			 -EBADMSG);
	assert_null(c.v);
	assert_int_equal(hdp_contacts_read(&c, image, 0), 0);
	assert_int_equal(c.n, 0);
}

static void vectors_of_keys(void **state)
{
	uint8_t seed[32], identity[32], secret[64], got[32];
	char text[64];

	(void)state;
	made_of(seed, sizeof(seed), 0);
	crypto_sign_seed_keypair(identity, secret, seed);
	assert_hex(identity, sizeof(identity), RELAY_HEX);
	assert_string_equal(
		hdp_bech32_text("hd", identity, 32, text, sizeof(text)),
		RELAY_TEXT);
	assert_int_equal(hdp_bech32_bytes("hd", RELAY_TEXT, got, 32), 0);
	assert_memory_equal(got, identity, 32);
	made_of(seed, sizeof(seed), 32);
	crypto_sign_seed_keypair(identity, secret, seed);
	assert_int_equal(crypto_sign_ed25519_pk_to_curve25519(got, identity),
			 0);
	assert_hex(got, 32,
		   "5730800ab340fcb18ce5111eda9d705f"
		   "91388b41e4544cbd103ba5942db2233e");
}

static void signature_is(const char *label, uint8_t seed_from, const char *hex)
{
	uint8_t seed[32], relay[32], identity[32], secret[64], binding[32];
	uint8_t message[HDP_SIGNED_BYTES], signature[64];

	made_of(seed, sizeof(seed), 0);
	crypto_sign_seed_keypair(relay, secret, seed);
	made_of(seed, sizeof(seed), seed_from);
	crypto_sign_seed_keypair(identity, secret, seed);
	made_of(binding, sizeof(binding), 64);
	hdp_signed_put(message, label, binding, relay);
	crypto_sign_detached(signature, NULL, message, sizeof(message), secret);
	assert_hex(signature, sizeof(signature), hex);
}

static void vectors_of_proofs(void **state)
{
	(void)state;
	signature_is(HDP_LABEL_RELAY, 0, HELLO_SIGNATURE);
	signature_is(HDP_LABEL_CLIENT, 32, ENROLL_SIGNATURE);
}

static void vectors_of_packets(void **state)
{
	uint8_t v[18];
	struct hdp_packet packet;

	(void)state;
	assert_int_equal(sodium_hex2bin(v, sizeof(v),
					"0400000e0001000200026869000000030000",
					36, NULL, NULL, NULL),
			 0);
	assert_int_equal(hdp_header_get(v).type, HDP_PACKETS);
	assert_int_equal(hdp_header_get(v).len_bytes, 14);
	assert_int_equal(hdp_packet_get(v + 4, 14, &packet), 8);
	assert_int_equal(packet.handle, 0x10002);
	assert_memory_equal(packet.data, "hi", 2);
	assert_int_equal(hdp_packet_get(v + 12, 6, &packet), 6);
	assert_int_equal(packet.handle, 3);
	assert_int_equal(packet.len_bytes, 0);
	assert_int_equal(hdp_packet_get(v + 12, 5, &packet), 0);
	assert_int_equal(hdp_packet_get(v + 4, 7, &packet), 0);
}

static void a_changed_text_is_none(void **state)
{
	uint8_t got[32];
	char text[] = RELAY_TEXT;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char was = text[i];

		text[i] = was == 'q' ? 'p' : 'q';
		assert_int_equal(hdp_bech32_bytes("hd", text, got, 32),
				 -EINVAL);
		text[i] = was;
	}
	text[5] = (char)(text[5] - 'a' + 'A'); /* two cases in one text */
	assert_int_equal(hdp_bech32_bytes("hd", text, got, 32), -EINVAL);
	assert_int_equal(hdp_bech32_bytes("hdinvite", RELAY_TEXT, got, 32),
			 -EINVAL);
	assert_int_equal(hdp_bech32_bytes("hd", RELAY_TEXT, got, 31), -EINVAL);
	assert_int_equal(hdp_bech32_bytes("hd", "", got, 32), -EINVAL);
	assert_int_equal(hdp_bech32_bytes("hd", "hd1", got, 32), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contacts_come_and_go),
		cmocka_unit_test(a_handle_is_never_used_again),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(an_image_keeps_handles),
		cmocka_unit_test(a_broken_image_is_refused),
		cmocka_unit_test(vectors_of_keys),
		cmocka_unit_test(vectors_of_proofs),
		cmocka_unit_test(vectors_of_packets),
		cmocka_unit_test(a_changed_text_is_none),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
