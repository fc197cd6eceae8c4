/* SPDX-License-Identifier: MIT */
/* modules/policy/whois.c - a tailscaled on this machine as admission service,
 * as derper's --verify-clients asks it: who knows the key in its network map?
 * Source: tailscale, client/local (WhoIsNodeKey, called stable there). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "modules/policy/service.h"

/* The name of the host is what every tailscaled wants to hear. */
#define WHOIS "http://local-tailscaled.sock/localapi/v0/whois?addr=nodekey:"

bool policy_is_tailscaled(const char *url)
{
	return strncmp(url, "unix:", 5) == 0;
}

const char *policy_whois_url(const struct hd_key *key,
			     char buf[POLICY_REQUEST_BYTES])
{
	char text[POLICY_KEY_TEXT_BYTES];

	policy_key_text(key, text);
	snprintf(buf, POLICY_REQUEST_BYTES, WHOIS "%s", text);
	return buf;
}

/* {"Node": {"Key": "nodekey:…", "ComputedName": "laptop"}}: of the key that was
 * asked about, or it is no tailscaled. */
static int take_node(const json_t *node, const struct hd_key *key,
		     char ret_name[POLICY_NAME_BYTES])
{
	const char *text = json_string_value(json_object_get(node, "Key"));
	const char *name =
		json_string_value(json_object_get(node, "ComputedName"));
	struct hd_key said;

	if (text == NULL || policy_key_parse(text, &said) == NULL ||
	    memcmp(&said, key, HD_KEY_BYTES) != 0)
		return -EPROTO;
	if (name == NULL || name[0] == '\0') /* it has computed none */
		name = json_string_value(json_object_get(node, "Name"));
	policy_take_name(name, ret_name);
	return 1;
}

int policy_whois_answer(unsigned status, const char *body, size_t n,
			const struct hd_key *key,
			char ret_name[POLICY_NAME_BYTES])
{
	json_t *answer;
	int r;

	if (status == 404)
		return 0; /* in none of its peers */
	if (status != 200)
		return -EPROTO;
	answer = json_loadb(body, n, POLICY_JSON_FLAGS, NULL);
	r = take_node(json_object_get(answer, "Node"), key, ret_name);
	json_decref(answer);
	return r;
}
