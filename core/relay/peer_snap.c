/* SPDX-License-Identifier: MIT */
/* core/relay/peer_snap.c - peers go to another process. */
#include "core/relay/peer_snap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/key.h"
#include "core/base/snap_format.h"
#include "core/relay/limits.h"
#include "core/relay/peer_data.h"
#include "core/relay/relay_worker.h"
#include "core/relay/tenant.h"
#include "core/stream/limit.h"
#include "core/stream/stream_worker.h"

enum { /* HD_SNAP_PEER_BITS */
       BIT_MESH = 1,
       BIT_PROBER = 2,
       BIT_MOVED = 4,
       BIT_ROLE_GIVEN = 8, /* mesh is not what its protocol said */
       BITS_ALL = 15,
};

#define N(field, tag) HD_SNAP_NUMBER(struct hd_peer, field, tag)
#define B(field, tag) HD_SNAP_ARRAY(struct hd_peer, field, tag)

static const struct hd_snap_field fields[] = {
	B(login.key, HD_SNAP_PEER_KEY),
	B(login.agent, HD_SNAP_PEER_AGENT),
	N(login.flags, HD_SNAP_PEER_FLAGS),
	N(packets_in, HD_SNAP_PEER_PACKETS_IN),
	N(packets_out, HD_SNAP_PEER_PACKETS_OUT),
	N(not_here_tokens, HD_SNAP_PEER_NOT_HERE_TOKENS),
	N(not_here_ms, HD_SNAP_PEER_NOT_HERE_MS),
	N(proven_us, HD_SNAP_PEER_PROVEN_US),
};

const char *hd_peer_stays(const struct hd_stream *s, const bool *reads)
{
	const struct hd_peer *p = hd_peer_up_of(s);

	if (p == NULL && hd_peer_of(s) != NULL)
		return "logging in";
	if (p == NULL)
		return s->proto->adopted != NULL
			       ? "not logged in"
			       : "passed on or dialled by a module";
	if (p->watch != NULL)
		return "another relay of the mesh, which dials again";
	if (hd_peer_data_stays(p, reads))
		return "a module keeps data beside it that the new binary "
		       "does not read";
	return s->proto->adopted == NULL ? "its module cannot hand it over"
					 : NULL;
}

bool hd_peer_is_alone(const struct hd_stream *s)
{
	const struct hd_peer *p = hd_peer_up_of(s);

	return p != NULL && p->entry->active == p && p->next == NULL;
}

bool hd_peer_is_plain(const struct hd_stream *s)
{
	const struct hd_peer *p = hd_peer_up_of(s);

	return p != NULL && p->data == NULL && hd_peer_packer(p) == NULL;
}

bool hd_peer_goes_ahead(const struct hd_stream *s)
{
	const struct hd_peer *p = hd_peer_up_of(s);

	return p != NULL && hd_peer_data_ahead(p);
}

static uint64_t bits_of(const struct hd_peer *p)
{
	return (p->login.mesh ? BIT_MESH : 0) |
	       (p->login.prober ? BIT_PROBER : 0) |
	       (p->moved ? BIT_MOVED : 0) |
	       (p->login.mesh != p->mesh_key ? BIT_ROLE_GIVEN : 0);
}

int hd_peer_pack(const struct hd_stream *s, struct hd_snap *to,
		 struct hd_pack_fds *fds, struct hd_error *err)
{
	const struct hd_peer *p = hd_peer_of(s);
	const struct hd_limit *limit = p->entry->limit;
	size_t at = hd_snap_begin(to, HD_SNAP_PEER);

	hd_snap_struct(to, fields, HD_ARRAY_N(fields), p);
	hd_snap_number(to, HD_SNAP_PEER_BITS, bits_of(p));
	hd_snap_text(to, HD_SNAP_PEER_REALM, hd_realm_name(p->login.realm));
	if (p->tenant != 0)
		hd_snap_text(to, HD_SNAP_PEER_TENANT,
			     hd_tenant_name(p->tenant));
	hd_snap_text(to, HD_SNAP_PEER_LABEL, p->label);
	hd_limits_pack(p, to);
	if (limit != NULL) /* a debt, not the rate: that is configured */
		hd_snap_number(to, HD_SNAP_PEER_LIMIT, limit->bucket.paid_ns);
	int r = hd_peer_data_pack(p, to, fds, err);

	hd_snap_end(to, at);
	return r;
}

/* ---- in the new process ---- */

struct extra { /* what is not a field */
	uint64_t bits;
	char *realm, *tenant, *label;
};

static void extra_free(struct extra *x)
{
	free(x->realm);
	free(x->tenant);
	free(x->label);
}

static int take_extra(struct extra *x, const struct hd_snap_item *item,
		      struct hd_error *err)
{
	switch (item->tag) {
	case HD_SNAP_PEER_BITS:
		return hd_snap_to_number(item, &x->bits);
	case HD_SNAP_PEER_REALM:
		return hd_snap_to_text(item, &x->realm);
	case HD_SNAP_PEER_TENANT:
		return hd_snap_to_text(item, &x->tenant);
	case HD_SNAP_PEER_LABEL:
		return hd_snap_to_text(item, &x->label);
	case HD_SNAP_PEER_LIMIT: /* for hd_peer_adopt() */
	case HD_SNAP_PEER_LIMITS:
	case HD_SNAP_PEER_PACK:
		return 0;
	default:
		return hd_snap_unknown(item, "a peer", err);
	}
}

static int take_items(struct hd_peer *p, struct extra *x, struct hd_snap_in in,
		      struct hd_error *err)
{
	uint64_t seen = 0;
	struct hd_snap_item item;
	int r;

	while ((r = hd_snap_next(&in, &item)) == 1) {
		r = hd_snap_fill(&item, fields, HD_ARRAY_N(fields), p, &seen);
		if (r == 0)
			r = take_extra(x, &item, err);
		if (r < 0)
			return r;
	}
	return r == 0 && hd_snap_whole(fields, HD_ARRAY_N(fields), seen) &&
			       x->realm != NULL && x->bits <= BITS_ALL
		       ? 0
		       : -EBADMSG;
}

static int apply(struct hd_peer *p, const struct extra *x)
{
	int realm = hd_realm_find(x->realm);

	p->login.agent[sizeof(p->login.agent) - 1] = '\0';
	p->login.mesh = x->bits & BIT_MESH;
	p->mesh_key = p->login.mesh != !!(x->bits & BIT_ROLE_GIVEN);
	p->login.prober = x->bits & BIT_PROBER;
	p->moved = x->bits & BIT_MOVED;
	p->home = true;
	p->name = hd_key_text(&p->login.key);
	if (realm < 0)
		return -ENOENT;
	p->login.realm = (uint16_t)realm;
	if (x->label != NULL)
		hd_peer_set_label(p, x->label);
	return x->tenant != NULL ? hd_peer_set_tenant(p, x->tenant) : 0;
}

int hd_peer_unpack(struct hd_stream *s, struct hd_snap_in in,
		   struct hd_error *err)
{
	const struct hd_login nobody = { .realm = 0 };
	struct hd_peer *p = hd_peer_new(s, &nobody);
	struct extra x = { .bits = 0 };

	if (p == NULL)
		return -ENOMEM;
	s->user = &p->user;
	int r = take_items(p, &x, in, err);

	if (r == 0)
		r = apply(p, &x);
	extra_free(&x);
	return r;
}

void hd_peer_drop(struct hd_stream *s)
{
	struct hd_peer *p = s != NULL ? hd_peer_of(s) : NULL;

	if (p == NULL)
		return;
	s->user = NULL;
	hd_tenant_drop(p->tenant);
	free(p->label);
	free(p->limits);
	free(p);
}

void hd_peer_back(struct hd_stream *s)
{
	hd_peer_down(s);
	hd_peer_data_free(hd_peer_of(s));
	hd_peer_drop(s);
}

static int realm_of(struct hd_snap_in text)
{
	for (unsigned i = 0; i < hd_realms_n(); i++) {
		const char *name = hd_realm_name((uint16_t)i);

		if (strlen(name) == text.n &&
		    strncmp(name, (const char *)text.p, text.n) == 0)
			return (int)i;
	}
	return -ENOENT;
}

int hd_peer_home_in(struct hd_snap_in in)
{
	struct hd_snap_item item;
	struct hd_key key;
	int realm = -ENOENT, has_key = -ENOENT;

	while (hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_PEER_KEY)
			has_key = hd_snap_to_bytes(&item, &key, sizeof(key));
		else if (item.tag == HD_SNAP_PEER_REALM)
			realm = realm_of(item.in);
	if (has_key < 0 || realm < 0)
		return -ENOENT;
	return (int)hd_key_home(hd_key_hash((uint16_t)realm, &key));
}

struct adopting {
	struct hd_peer *p;
	const uint64_t *version;
	struct hd_unpack_fds *fds;
	uint64_t paid_ns; /* what its key owes */
};

static int adopt_item(struct adopting *a, const struct hd_snap_item *item,
		      struct hd_error *err)
{
	int r;

	switch (item->tag) {
	case HD_SNAP_PEER_LIMIT:
		return hd_snap_to_number(item, &a->paid_ns);
	case HD_SNAP_PEER_LIMITS:
		return hd_limits_unpack(a->p, item->in, err);
	case HD_SNAP_PEER_PACK:
		r = hd_peer_data_unpack(a->p, item->in, false, a->version,
					a->fds, err);
		return HD_MIN(r, 0);
	default:
		return 0; /* hd_peer_unpack() has read it */
	}
}

static int adopt_items(struct adopting *a, struct hd_snap_in in,
		       struct hd_error *err)
{
	struct hd_snap_item item;
	int r = hd_peer_data_give(a->p);

	while (r == 0 && hd_snap_next(&in, &item) == 1)
		r = adopt_item(a, &item, err);
	return r;
}

/* What its protocol's state points to comes once, and last: until then the
 * pointers there are the other process's, and nobody can clear them. */
static int adopt_own(struct adopting *a, struct hd_snap_in in,
		     struct hd_error *err)
{
	const struct hd_module *own = hd_peer_packer(a->p);
	struct hd_snap_item item;
	int r = own == NULL;

	while (r == 0 && hd_snap_next(&in, &item) == 1)
		if (item.tag == HD_SNAP_PEER_PACK)
			r = hd_peer_data_unpack(a->p, item.in, true, a->version,
						a->fds, err);
	if (r == 0)
		r = hd_error_set(err, -EBADMSG,
				 "nothing of module %s is beside it",
				 own->name);
	return HD_MIN(r, 0);
}

int hd_peer_adopt(struct hd_stream *s, struct hd_snap_in in,
		  const uint64_t *version, struct hd_unpack_fds *fds,
		  struct hd_error *err)
{
	struct hd_peer *p = hd_peer_of(s);
	struct adopting a = { .p = p, .version = version, .fds = fds };
	int r = adopt_items(&a, in, err);

	if (r == 0)
		r = adopt_own(&a, in, err);
	if (r == 0) {
		hd_limits_again(p);
		r = hd_peer_up(p);
	}
	if (r < 0) {
		hd_peer_back(s);
		return r;
	}
	hd_limits_owe(p, a.paid_ns);
	s->proto->adopted(s->mod, s, s->state, p);
	return 0;
}
