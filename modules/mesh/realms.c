/* SPDX-License-Identifier: MIT */
/* modules/mesh/realms.c - a relay of ours at the other end knows realms: it is
 * told which ones there are here, and tells keys of those that both have.
 * derp_realms.h has the frames. Context: the link's worker. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/derp_realms.h>
#include <string.h>

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

/* ---- tenants that were refused ---- */

enum { ASK_FIRST_MS = 10 * 1000, ASK_MAX_MS = 10 * 60 * 1000 };

void mesh_realms_begin(struct mesh_link *l)
{
	l->refused_realm[0] = '\0';
	l->ask_after_ms = 0;
}

/* The first one that there is no number for. How often all keys are asked for
 * again is bounded: one number may be free, and many wait. */
static int refused(struct hd_stream *s, struct mesh_link *l,
		   const struct derp_realm *realm)
{
	if (l->refused_realm[0] == '\0') {
		memcpy(l->refused_realm, realm->text, realm->len_bytes);
		l->refused_realm[realm->len_bytes] = '\0';
		l->ask_after_ms = l->ask_after_ms == 0
					  ? ASK_FIRST_MS
					  : HD_MIN(2 * l->ask_after_ms,
						   (uint32_t)ASK_MAX_MS);
		l->ask_ms = hd_now_ms(hd_stream_worker(s)) + l->ask_after_ms;
	}
	return mesh_take_no_more(l, s, "tenants");
}

/* Numbers that nobody needs any more are given away again. */
static void look_at_refused(struct hd_stream *s, struct mesh_link *l)
{
	uint16_t realm;

	if (l->refused_realm[0] == '\0' ||
	    hd_now_ms(hd_stream_worker(s)) < l->ask_ms ||
	    hd_realm_hold(l->refused_realm, strlen(l->refused_realm), true,
			  &realm) < 0)
		return;
	hd_realm_drop(realm);
	l->refused_realm[0] = '\0';
	l->full = false;
	mesh_watch(s);
}

void mesh_realms_look(struct hd_stream *s, struct mesh_stream *ms)
{
	look_at_refused(s, ms->link);
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
static int realm_of(uint8_t *p, uint32_t len_bytes, bool make,
		    struct derp_realm *ret_given, uint16_t *ret)
{
	if (derp_realm_get(p + HD_KEY_BYTES, len_bytes - HD_KEY_BYTES,
			   ret_given) == 0)
		return -EINVAL;
	return hd_realm_hold(ret_given->text, ret_given->len_bytes, make, ret);
}

int mesh_take_realm_present(struct hd_module *mod, struct hd_stream *s,
			    struct mesh_stream *ms, uint8_t *p,
			    uint32_t len_bytes)
{
	struct derp_realm given;
	uint16_t realm;
	int r = realm_of(p, len_bytes, true, &given, &realm);

	if (r == -ENOSPC)
		return refused(s, ms->link, &given);
	if (r < 0)
		return 0; /* nobody here could send to it */
	r = mesh_key_add(mod, s, ms, realm, (const struct hd_key *)p);
	hd_realm_drop(realm);
	return r;
}

int mesh_take_realm_gone(struct hd_module *mod, struct hd_stream *s,
			 struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes)
{
	struct derp_realm given;
	uint16_t realm;
	int r;

	(void)ms;
	if (realm_of(p, len_bytes, false, &given, &realm) < 0)
		return 0;
	r = mesh_key_del(mod, s, realm, (const struct hd_key *)p);
	hd_realm_drop(realm);
	return r;
}
