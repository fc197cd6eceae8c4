/* SPDX-License-Identifier: MIT */
/* modules/mesh/realms.c - a relay of ours at the other end knows realms: it is
 * told which ones there are here, and tells keys of those that both have.
 * derp_realms.h has the frames. Context: the link's worker. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/derp_realms.h>

/* ---- which realms ---- */

static void tell(struct hd_stream *s, struct mesh_stream *ms)
{
	uint8_t frame[DERP_HEADER_BYTES + DERP_REALMS_MAX_BYTES];
	const uint8_t *end;

	ms->realms_told = (uint8_t)hd_realms_n();
	end = derp_realms_put(frame);
	hd_stream_append(s, HD_LANE_CONTROL, frame, (size_t)(end - frame));
}

/* It tells them anew when it has more, and then has to hear ours again. A link
 * on demand wants to be told of no keys. */
int mesh_take_realms(struct hd_module *mod, struct hd_stream *s,
		     struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	(void)mod;
	ms->realms = derp_realms_get(p, len_bytes);
	if (ms->link->source != MESH_ON_DEMAND)
		tell(s, ms);
	return 0;
}

void mesh_realms_look(struct hd_stream *s, struct mesh_stream *ms)
{
	if (ms->realms_told != 0 && ms->realms_told != hd_realms_n())
		tell(s, ms);
}

bool mesh_realms_have(const struct mesh_stream *ms, uint16_t realm)
{
	const char *name = hd_realm_name(realm);

	if (realm == MESH_REALM)
		return true;
	for (unsigned i = 0; i < hd_realms_n(); i++)
		if (hd_realm_name((uint16_t)i) == name)
			return ms->realms >> i & 1;
	return false;
}

/* ---- keys ---- */

/* Returns 0; negative errno: it has no realm that counts here. */
static int realm_of(uint8_t *p, uint32_t len_bytes, bool make, uint16_t *ret)
{
	struct derp_realm realm;

	if (derp_realm_get(p + HD_KEY_BYTES, len_bytes - HD_KEY_BYTES,
			   &realm) == 0)
		return -EINVAL;
	return hd_realm_hold(realm.text, realm.len_bytes, make, ret);
}

int mesh_take_realm_present(struct hd_module *mod, struct hd_stream *s,
			    struct mesh_stream *ms, uint8_t *p,
			    uint32_t len_bytes)
{
	uint16_t realm;
	int r = realm_of(p, len_bytes, true, &realm);

	if (r == -ENOSPC)
		return mesh_take_no_more(ms->link, s, "tenants");
	if (r < 0)
		return 0; /* nobody here could send to it */
	r = mesh_key_add(mod, s, ms, realm, (const struct hd_key *)p);
	hd_realm_drop(realm);
	return r;
}

int mesh_take_realm_gone(struct hd_module *mod, struct hd_stream *s,
			 struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	uint16_t realm;
	int r;

	(void)ms;
	if (realm_of(p, len_bytes, false, &realm) < 0)
		return 0;
	r = mesh_key_del(mod, s, realm, (const struct hd_key *)p);
	hd_realm_drop(realm);
	return r;
}
