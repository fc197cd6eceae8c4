/* SPDX-License-Identifier: MIT */
/* t/unit/hd_proofs.c - credentials: the vector of doc/reference/protocol-hd.md,
 * which t/hd/hd.py has made, is taken; what has been changed in it is not. */
#include "modules/hd/bech32.h"
#include "modules/hd/hd.h"
#include "t/unit/unit.h"
#include <errno.h>
#include <string.h>

struct hdp_relay *hdp_relay;

static struct hdp_relay relay;
static struct hdp_conf conf;
static uint8_t client[32], binding[32];

#define STATEMENT                                                              \
	"014fd099ccd47d7893dfe9ec24414ecb0d9b5420232aad30d91c465be33cbe65"     \
	"c4000000006b49d200000000000000000000000000000f424000000002066c61"     \
	"70746f700461636d6500bd5ce99594a070c70af3e65727f5cf1a3c74f1baf6e6"     \
	"c39766eb16739a3f995291114c8eb7c348eb257e228f803a2e941c1721d53495"     \
	"90235ab5b5238a3c4905"
#define PROOF                                                                  \
	"0200cc008a" STATEMENT                                                 \
	"6ec88e13df68609f50648537fb11e07a53e9026b3187af91de58d54b9cc7b762"     \
	"c04bcf166b2c60a99a89253f53b1e0b9975900bc8a9dc98d90e75db3d59f4305"
#define PROOF_BYTES ((sizeof(PROOF) - 1) / 2)

static void key_of(struct hdp_key *key, uint8_t first)
{
	uint8_t seed[32];

	for (unsigned i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(first + i);
	crypto_sign_seed_keypair(key->identity, key->secret, seed);
}

static int relay_up(void **state)
{
	struct hdp_key key;

	(void)state;
	hdp_relay = &relay;
	key_of(&relay.key, 0);
	key_of(&relay.operator_key, 0x80);
	key_of(&key, 0x20);
	memcpy(client, key.identity, sizeof(client));
	for (unsigned i = 0; i < sizeof(binding); i++)
		binding[i] = (uint8_t)(0x40 + i);
	return 0;
}

static void proof_bytes(uint8_t ret[PROOF_BYTES])
{
	assert_int_equal(sodium_hex2bin(ret, PROOF_BYTES, PROOF,
					sizeof(PROOF) - 1, NULL, NULL, NULL),
			 0);
}

static int claim(const uint8_t *proofs, size_t n, struct hdp_claim **ret)
{
	const struct hdp_enroll e = { .identity = client,
				      .proofs = proofs,
				      .proofs_bytes = n };

	return hdp_claim_of(&conf, &e, binding, ret);
}

static int refused(const uint8_t *proofs, size_t n)
{
	struct hdp_claim *c;
	int r = claim(proofs, n, &c);

	assert_null(c);
	return r;
}

static void the_vector_is_taken(void **state)
{
	uint8_t proof[PROOF_BYTES];
	struct hdp_claim *c;

	(void)state;
	proof_bytes(proof);
	assert_int_equal(claim(proof, sizeof(proof), &c), 0);
	assert_non_null(c);
	assert_true(c->has_credential);
	assert_string_equal(c->grant.name, "laptop");
	assert_string_equal(c->grant.tenant, "acme");
	assert_int_equal(c->grant.bytes_per_s, 1000000);
	assert_int_equal(c->grant.connections, 2);
	free(c);
}

/* What is cut off is refused before it is looked at as a signature. */
static void a_changed_one_is_not(void **state)
{
	uint8_t proof[PROOF_BYTES];

	(void)state;
	proof_bytes(proof);
	for (size_t i = 3; i < sizeof(proof); i += 5) {
		proof[i] ^= 1;
		assert_int_not_equal(refused(proof, sizeof(proof)), 0);
		proof[i] ^= 1;
	}
	for (size_t n = 1; n < sizeof(proof); n++)
		assert_int_equal(refused(proof, n), HDP_REFUSED_PROOFS);
}

static void another_operator_s_needs_to_be_known(void **state)
{
	const char *const known[] = {
		"hd1qwss00lnecgtu8tsm5vwwj7qn9n7f43snwjs6hcamjrxgyj4xxuqtpeudk",
		NULL
	};
	const char *list[2] = { known[0], NULL };
	uint8_t proof[PROOF_BYTES];
	struct hdp_key key;
	char text[64];
	struct hdp_claim *c;

	(void)state;
	proof_bytes(proof);
	key_of(&key, 0x80);
	list[1] = hdp_bech32_text("hd", key.identity, 32, text, sizeof(text));
	key_of(&relay.operator_key, 0x90);
	conf.operators = (struct hd_list){ .v = list, .n = 1 };
	assert_int_equal(refused(proof, sizeof(proof)), HDP_REFUSED_OPERATOR);
	conf.operators.n = 2;
	assert_int_equal(claim(proof, sizeof(proof), &c), 0);
	free(c);
	conf.operators.n = 0;
	key_of(&relay.operator_key, 0x80);
}

static void what_is_signed_here_is_taken(void **state)
{
	const struct hdp_grant grant = { .name = "x", .connections = 7 };
	uint8_t bytes[5 + 1 + HDP_STATEMENT_MAX_BYTES];
	const size_t n = HDP_STATEMENT_HEAD_BYTES + 1 + 3 + 64;
	char text[HDP_CREDENTIAL_TEXT_BYTES];
	struct hdp_claim *c;

	(void)state;
	hdp_credential_new(&grant, "", client, 5, 0, text);
	/* kind(1), which a proof's second byte of length stands in place of */
	assert_int_equal(hdp_bech32_bytes("hdcred", text, bytes + 4, 1 + n), 0);
	assert_int_equal(bytes[4], 0);
	memcpy(bytes, (uint8_t[]){ 2, 0, (uint8_t)(n + 2), 0, (uint8_t)n }, 5);
	assert_int_equal(claim(bytes, 5 + n, &c), 0);
	assert_int_equal(c->grant.connections, 7);
	free(c);
	hdp_credential_new(&grant, "", client, 5, 6, text); /* long ago */
	assert_int_equal(hdp_bech32_bytes("hdcred", text, bytes + 4, 1 + n), 0);
	bytes[4] = (uint8_t)n;
	assert_int_equal(refused(bytes, 5 + n), HDP_REFUSED_EXPIRED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vector_is_taken),
		cmocka_unit_test(a_changed_one_is_not),
		cmocka_unit_test(another_operator_s_needs_to_be_known),
		cmocka_unit_test(what_is_signed_here_is_taken),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, relay_up, NULL);
}
