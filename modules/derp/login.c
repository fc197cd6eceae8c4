/* SPDX-License-Identifier: MIT */
/* modules/derp/login.c - a client proves its key: whoever can seal a box with
 * it has it. Context: the stream's worker, before the move to the home. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>

/* Other refusals close the stream before they are counted. */
static const struct {
	enum derp_reason close;
	const char *text;
} reasons[] = {
	[DERP_REFUSED_FRAME] = { DERP_REASON_LOGIN_FRAME,
				 "not a ClientInfo frame of a legal length" },
	[DERP_REFUSED_KEY] = { DERP_REASON_LOGIN_KEY,
			       "not a usable public key" },
	[DERP_REFUSED_BOX] = { DERP_REASON_LOGIN_BOX,
			       "the box does not open: sealed to another "
			       "relay's key, or not by the owner of the key" },
	[DERP_REFUSED_JSON] = { DERP_REASON_LOGIN_JSON,
				"ClientInfo is not what it should be" },
};

void derp_login_refused(struct hd_module *mod, struct hd_stream *s,
			enum derp_refusal why)
{
	char from[HD_ADDR_TEXT_BYTES];

	hd_count(&derp_metrics(mod, s)->logins_refused[why], 1);
	hd_log_warn("login refused: from=%s reason=\"%s\"",
		    hd_addr_text(hd_stream_addr(s), from), reasons[why].text);
	hd_stream_close(s, HD_CLOSE_OWN(reasons[why].close));
}

static int login_refuse(struct hd_module *mod, struct hd_stream *s,
			enum derp_refusal why)
{
	derp_login_refused(mod, s, why);
	return -EACCES;
}

static void seal_server_info(struct derp_state *d,
			     const uint8_t shared[crypto_box_BEFORENMBYTES])
{
	uint8_t *nonce =
		derp_header_put(d->server_info, DERP_SERVER_INFO,
				sizeof(d->server_info) - DERP_HEADER_BYTES);

	randombytes_buf(nonce, DERP_NONCE_BYTES);
	crypto_box_easy_afternm(nonce + DERP_NONCE_BYTES,
				(const uint8_t *)DERP_SERVER_INFO_JSON,
				sizeof(DERP_SERVER_INFO_JSON) - 1, nonce,
				shared);
}

uint32_t derp_present_flags(const struct derp_state *d, bool is_prober)
{
	uint32_t flags = 0;

	if (is_prober)
		flags |= DERP_PRESENT_PROBER;
	if (d->mesh)
		flags |= DERP_PRESENT_MESH;
	if (d->not_ideal)
		flags |= DERP_PRESENT_NOT_IDEAL;
	return flags != 0 ? flags : DERP_PRESENT_REGULAR;
}

static void admit(struct hd_stream *s, struct derp_state *d, const uint8_t *key,
		  const struct derp_client_info *info)
{
	struct hd_login login = { .prober = info->is_prober };

	d->mesh = login.mesh = derp_is_mesh(info);
	d->realms = info->knows_realms;
	login.flags = derp_present_flags(d, info->is_prober);
	memcpy(login.key.b, key, HD_KEY_BYTES);
	memcpy(login.agent, info->app_name, sizeof(login.agent));
	d->phase = DERP_ADMITTING;
	hd_relay_login(s, &login);
}

static bool derive(const struct hd_key *client,
		   uint8_t ret_shared[static crypto_box_BEFORENMBYTES])
{
	return crypto_box_beforenm(ret_shared, client->b,
				   derp_server->id.private_key) == 0;
}

/* Opens the box in place and seals our answer with the same shared key. A
 * refusal takes as long for a key that was here as for any other: else
 * whoever names somebody's key would learn from the clock that it was here.
 * Returns 0; else why not, an enum derp_refusal. */
static unsigned open_box(struct derp_state *d, uint8_t *p, uint32_t len_bytes)
{
	uint8_t shared[crypto_box_BEFORENMBYTES];
	uint8_t *nonce = p + HD_KEY_BYTES, *box = nonce + DERP_NONCE_BYTES;
	struct hd_key client;
	bool is_known;
	int r;

	memcpy(client.b, p, HD_KEY_BYTES);
	if (sodium_is_zero(client.b, HD_KEY_BYTES))
		return DERP_REFUSED_KEY;
	is_known = derp_shared_key_find(&client, shared);
	if (!is_known && !derive(&client, shared))
		return DERP_REFUSED_KEY;
	r = crypto_box_open_easy_afternm(box, box,
					 len_bytes - DERP_CLIENT_INFO_MIN_BYTES,
					 nonce, shared);
	if (r == 0)
		seal_server_info(d, shared);
	if (r == 0 && !is_known)
		derp_shared_key_keep(&client, shared);
	if (r != 0 && is_known)
		(void)derive(&client, shared);
	sodium_memzero(shared, sizeof(shared));
	return r == 0 ? 0 : DERP_REFUSED_BOX;
}

int derp_login(struct hd_module *mod, struct hd_stream *s, struct derp_state *d,
	       uint8_t *p, uint32_t len_bytes)
{
	const char *json = (const char *)p + DERP_CLIENT_INFO_MIN_BYTES;
	struct derp_client_info info;
	unsigned why = open_box(d, p, len_bytes);

	if (why != 0)
		return login_refuse(mod, s, why);
	if (derp_client_info_parse(json,
				   len_bytes - DERP_CLIENT_INFO_MIN_BYTES -
					   DERP_MAC_BYTES,
				   &info) < 0)
		return login_refuse(mod, s, DERP_REFUSED_JSON);
	admit(s, d, p, &info);
	return 0;
}
