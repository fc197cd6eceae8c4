/* SPDX-License-Identifier: MIT */
/* libhd/quic_tls.c - both ends of a connection show their Ed25519 keys, raw
 * (RFC 7250), and prove them in the handshake of TLS 1.3. Who it must be is
 * known before: the peer, whom we allow. */
#include <errno.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>
#include "libhd/quic.h"

#define ALPN "hd-stream/1"

/* An Ed25519 key in DER is these bytes and the key: RFC 8410, 4 and 7. */
static const uint8_t spki_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const uint8_t pkcs8_head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30,
				      0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
				      0x04, 0x22, 0x04, 0x20 };

static const char priority[] =
	"NONE:+VERS-TLS1.3:+AEAD:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
	"+GROUP-X25519:+SIGN-EDDSA-ED25519:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:"
	"+ECDHE-ECDSA:%DISABLE_TLS13_COMPAT_MODE";

/* Of whom only the address was known it is one of two keys, which have one
 * holder: doc/reference/protocol-hd.md. */
static bool is_peer(const struct libhd_peer *peer, const struct libhd_key *key)
{
	struct libhd_address address;

	if (peer->has_identity)
		return memcmp(key, &peer->identity, sizeof(*key)) == 0;
	return libhd_key_address(key, &address) == 0 &&
	       memcmp(&address, &peer->address, sizeof(address)) == 0;
}

/* Returns 0: it is the peer's key; else the handshake fails. */
static int verify(gnutls_session_t session)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);
	struct hdl_quic *q = ref->user_data;
	unsigned n = 0;
	const gnutls_datum_t *key = gnutls_certificate_get_peers(session, &n);

	if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) !=
		    GNUTLS_CRT_RAWPK ||
	    n != 1 || key->size != sizeof(spki_head) + LIBHD_KEY_BYTES ||
	    memcmp(key->data, spki_head, sizeof(spki_head)) != 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	memcpy(q->key.v, key->data + sizeof(spki_head), sizeof(q->key.v));
	if (!is_peer(q->peer, &q->key))
		return GNUTLS_E_CERTIFICATE_ERROR;
	q->verified = true;
	return 0;
}

static int own_key(struct libhd *h)
{
	uint8_t pub[sizeof(spki_head) + LIBHD_KEY_BYTES];
	uint8_t sec[sizeof(pkcs8_head) + LIBHD_SEED_BYTES];
	gnutls_datum_t spki = { pub, sizeof(pub) }, pkey = { sec, sizeof(sec) };
	int r;

	memcpy(pub, spki_head, sizeof(spki_head));
	memcpy(pub + sizeof(spki_head), h->id.key.v, LIBHD_KEY_BYTES);
	memcpy(sec, pkcs8_head, sizeof(pkcs8_head));
	/* the first half of the secret is the seed */
	memcpy(sec + sizeof(pkcs8_head), h->id.secret, LIBHD_SEED_BYTES);
	r = gnutls_certificate_set_rawpk_key_mem(h->tls->cred, &spki, &pkey,
						 GNUTLS_X509_FMT_DER, NULL, 0,
						 NULL, 0, 0);
	sodium_memzero(sec, sizeof(sec));
	return r < 0 ? -EIO : 0;
}

int hdl_quic_tls_init(struct libhd *h)
{
	if (gnutls_certificate_allocate_credentials(&h->tls->cred) < 0)
		return -ENOMEM;
	gnutls_certificate_set_verify_function(h->tls->cred, verify);
	if (gnutls_priority_init(&h->tls->priority, priority, NULL) < 0)
		return -EIO;
	return own_key(h);
}

void hdl_quic_tls_free(struct libhd *h)
{
	if (h->tls->cred != NULL)
		gnutls_certificate_free_credentials(h->tls->cred);
	if (h->tls->priority != NULL)
		gnutls_priority_deinit(h->tls->priority);
}

static ngtcp2_conn *conn_of(ngtcp2_crypto_conn_ref *ref)
{
	struct hdl_quic *q = ref->user_data;

	return q->conn;
}

static int begin(struct hdl_quic *q)
{
	if (gnutls_init(&q->session,
			(q->server ? GNUTLS_SERVER : GNUTLS_CLIENT) |
				GNUTLS_ENABLE_RAWPK | GNUTLS_NO_TICKETS |
				GNUTLS_NO_AUTO_SEND_TICKET) < 0)
		return -ENOMEM;
	if (gnutls_priority_set(q->session, q->peer->h->tls->priority) < 0)
		return -EIO;
	return q->server ? ngtcp2_crypto_gnutls_configure_server_session(
				   q->session)
			 : ngtcp2_crypto_gnutls_configure_client_session(
				   q->session);
}

int hdl_quic_session(struct hdl_quic *q)
{
	gnutls_datum_t alpn = { (unsigned char *)ALPN, sizeof(ALPN) - 1 };
	int r = begin(q);

	if (r != 0)
		return r == -ENOMEM ? r : -EIO;
	q->ref.get_conn = conn_of;
	q->ref.user_data = q;
	gnutls_session_set_ptr(q->session, &q->ref);
	if (gnutls_credentials_set(q->session, GNUTLS_CRD_CERTIFICATE,
				   q->peer->h->tls->cred) < 0 ||
	    gnutls_alpn_set_protocols(q->session, &alpn, 1,
				      GNUTLS_ALPN_MANDATORY) < 0)
		return -EIO;
	if (q->server)
		gnutls_certificate_server_set_request(q->session,
						      GNUTLS_CERT_REQUIRE);
	return 0;
}
