/* SPDX-License-Identifier: MIT */
/* modules/hd/enroll.c - a client proves its identity, by a signature that is
 * good on this connection only. What goes into the relay is its address, the
 * X25519 form: doc/reference/protocol-hd.md says why the one proves the other.
 * Context: the stream's worker, before the move to the home. */
#include <errno.h>
#include <hyper-derp/derp.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>
#include <string.h>
#include "modules/hd/addresses.h"
#include "modules/hd/hd.h"

static const struct {
	enum hdp_reason close;
	enum hdp_denied denied; /* 0: nothing is said */
	const char *text;
} refusals[] = {
	[HDP_REFUSED_FRAME] = { HDP_REASON_ENROLL_FRAME, 0,
				"not an Enroll frame of a legal length" },
	[HDP_REFUSED_VERSION] = { HDP_REASON_ENROLL_VERSION, HDP_DENIED_VERSION,
				  "this relay speaks HD version 2" },
	[HDP_REFUSED_IDENTITY] = { HDP_REASON_ENROLL_IDENTITY,
				   HDP_DENIED_IDENTITY,
				   "the identity is not an Ed25519 key that "
				   "can be "
				   "used" },
	[HDP_REFUSED_SIGNATURE] = { HDP_REASON_ENROLL_SIGNATURE,
				    HDP_DENIED_SIGNATURE,
				    "the signature does not fit: made with "
				    "another key, for another relay or another "
				    "connection, or a proxy in between ends "
				    "TLS" },
	[HDP_REFUSED_WELCOME] = { HDP_REASON_ENROLL_WELCOME, HDP_DENIED_WELCOME,
				  "this relay is not open: hd.enroll" },
	[HDP_REFUSED_PROOFS] = { HDP_REASON_ENROLL_PROOFS, HDP_DENIED_WELCOME,
				 "the invitation or credential is cut off, or "
				 "no such thing" },
	[HDP_REFUSED_OPERATOR] = { HDP_REASON_ENROLL_CREDENTIAL,
				   HDP_DENIED_WELCOME,
				   "the credential is not signed by an "
				   "operator of this relay" },
	[HDP_REFUSED_EXPIRED] = { HDP_REASON_ENROLL_CREDENTIAL,
				  HDP_DENIED_WELCOME,
				  "the credential has expired" },
	[HDP_REFUSED_SUBJECT] = { HDP_REASON_ENROLL_CREDENTIAL,
				  HDP_DENIED_WELCOME,
				  "the credential is for another key" },
};

int hdp_enroll_refused(struct hd_module *mod, struct hd_stream *s,
		       enum hdp_refusal why)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_count(&hdp_metrics(mod, s)->enrolls_refused[why], 1);
	hd_log_warn("enrolment refused: from=%s reason=\"%s\"",
		    hd_addr_text(hd_stream_addr(s), from), refusals[why].text);
	if (refusals[why].denied != 0)
		hdp_tell_denied(s, refusals[why].denied, refusals[why].text);
	hd_stream_close(s, HD_CLOSE_OWN(refusals[why].close));
	return -EACCES;
}

int hdp_binding(struct hd_stream *s, struct hdp_state *d,
		uint8_t ret[HDP_BINDING_BYTES])
{
	int r = 0;

	hd_assert(d->phase == HDP_HELLO);
	if (sodium_is_zero(d->binding, HDP_BINDING_BYTES))
		r = hd_stream_export(s, HD_TLS_CHANNEL_BINDING, NULL, 0,
				     d->binding, HDP_BINDING_BYTES);
	if (r == 0)
		memcpy(ret, d->binding, HDP_BINDING_BYTES);
	return r;
}

static bool signed_here(const uint8_t *binding, const struct hdp_enroll *e)
{
	uint8_t message[HDP_SIGNED_BYTES];

	hdp_signed_put(message, HDP_LABEL_CLIENT, binding,
		       hdp_relay->key.identity);
	return crypto_sign_verify_detached(e->signature, message,
					   sizeof(message), e->identity) == 0;
}

/* What people will read: no control characters. */
static void agent_copy(char *to, size_t size, const struct hdp_enroll *e)
{
	size_t n = HD_MIN((size_t)e->agent_bytes, size - 1);

	for (size_t i = 0; i < n; i++)
		to[i] = e->agent[i] >= ' ' && e->agent[i] < 0x7f
				? (char)e->agent[i]
				: '?';
	to[n] = '\0';
}

static int admit(struct hd_stream *s, struct hdp_state *d,
		 const struct hdp_enroll *e, const struct hd_key *address)
{
	struct hd_login login = { .key = *address, .realm = hdp_relay->realm };

	if (hdp_is_bridged(login.realm))
		login.flags = DERP_PRESENT_REGULAR; /* for relays that watch */
	agent_copy(login.agent, sizeof(login.agent), e);
	memcpy(d->identity, e->identity, sizeof(d->identity));
	d->wants_knocks = (e->flags & HDP_ENROLL_KNOCKS) != 0;
	d->wants_udp = (e->flags & HDP_ENROLL_UDP) != 0;
	d->wants_visitors = (e->flags & HDP_ENROLL_VISITORS) != 0;
	d->phase = HDP_ADMITTING;
	hd_relay_login(s, &login);
	return 0;
}

/* What is wrong with the key comes before what is wrong with the signature,
 * which such a key may have. */
static enum hdp_refusal unsigned_why(const struct hdp_enroll *e)
{
	struct hd_key address;

	return hdp_address_of(NULL, e->identity, &address) < 0
		       ? HDP_REFUSED_IDENTITY
		       : HDP_REFUSED_SIGNATURE;
}

/* Who signed it, and what it claims. Returns 0; the refusal, above 0;
 * -ENOMEM. */
static int prove(struct hd_stream *s, const struct hdp_conf *conf,
		 struct hdp_worker *hw, struct hdp_state *d,
		 const struct hdp_enroll *e, struct hd_key *ret_address)
{
	uint8_t binding[HDP_BINDING_BYTES];

	if (e->version != HDP_VERSION)
		return HDP_REFUSED_VERSION;
	if (hdp_binding(s, d, binding) < 0 || !signed_here(binding, e))
		return unsigned_why(e);
	if (hdp_address_of(hw->addresses, e->identity, ret_address) < 0)
		return HDP_REFUSED_IDENTITY;
	if (conf->enroll == HDP_WHO_NOBODY)
		return HDP_REFUSED_WELCOME;
	return hdp_claim_of(conf, e, binding, &d->claim);
}

int hdp_enroll(struct hd_module *mod, struct hd_stream *s, struct hdp_state *d,
	       uint8_t *p, uint32_t len_bytes)
{
	struct hd_worker *w = hd_stream_worker(s);
	const struct hdp_conf *conf = hd_module_worker_conf(mod, w);
	struct hdp_worker *hw = hd_module_worker_data(mod, w);
	struct hd_key address;
	struct hdp_enroll e;
	int r;

	if (!hdp_enroll_get(p, len_bytes, &e))
		return hdp_enroll_refused(mod, s, HDP_REFUSED_FRAME);
	r = prove(s, conf, hw, d, &e, &address);
	if (r > 0)
		return hdp_enroll_refused(mod, s, (enum hdp_refusal)r);
	if (r < 0) {
		hd_stream_close(s, HD_CLOSE_ERROR);
		return r;
	}
	return admit(s, d, &e, &address);
}
