/* SPDX-License-Identifier: MIT */
/* modules/hd/grouped.c - a client and its groups: the one that its credential
 * names, those that it allows, and packets to all of one. Context: the stream's
 * worker, which is the client's home. */
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/worker.h>
#include <string.h>
#include "modules/hd/hd.h"

static struct hdp_groups *groups_of(struct hd_module *mod,
				    const struct hd_stream *s)
{
	const struct hdp_worker *hw =
		hd_module_worker_data(mod, hd_stream_worker(s));

	return hw->groups;
}

/* ---- here and gone ---- */

static void join(struct hd_module *mod, struct hd_stream *s,
		 struct hdp_state *d)
{
	struct hdp_groups *groups = groups_of(mod, s);

	d->in_group = groups != NULL && !hdp_group_is_none(&d->group) &&
		      hdp_groups_join(groups, &d->group,
				      hd_peer_login(d->peer)->realm,
				      hd_peer_key(d->peer)) == 0;
}

static bool is_outside(const struct hdp_state *d)
{
	return d->has_operator && !hdp_group_is_none(&d->group) && !d->in_group;
}

bool hdp_grouped_tell_full(struct hd_stream *s, const struct hdp_state *d)
{
	if (is_outside(d))
		hdp_tell_health(s, "your group is full at this relay: packets "
				   "to it do not reach you");
	return is_outside(d);
}

/* It is in a text of JSON, and the client's operator has chosen it: it may be
 * no UTF-8. */
static void plain(char to[HDP_WORD_MAX_BYTES + 1], const char *name)
{
	size_t i = 0;

	for (; name[i] != '\0'; i++)
		to[i] = name[i] < ' ' || name[i] > '~' || name[i] == '"' ||
					name[i] == '\\'
				? '?'
				: name[i];
	to[i] = '\0';
}

/* The operator may give others of it another group. */
static void say_full(struct hd_module *mod, struct hd_stream *s,
		     const struct hdp_state *d, const struct hdp_claim *claim)
{
	char json[256], name[HDP_WORD_MAX_BYTES + 1];
	char key[2 * HD_KEY_BYTES + 1];

	plain(name, claim->group_name);
	sodium_bin2hex(key, sizeof(key), hd_peer_key(d->peer)->b,
		       HD_KEY_BYTES);
	hd_count(&hdp_metrics(mod, s)->groups_full, 1);
	hd_log_warn("hd: the group %s is full: packets to it do not reach "
		    "%.8s",
		    name, key);
	snprintf(json, sizeof(json),
		 "{\"key\":\"%s\",\"group\":\"%s\",\"members\":%d}", key, name,
		 HDP_GROUP_MEMBERS_MAX);
	hd_event("hd.group_full", json);
}

void hdp_grouped_again(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d)
{
	if (!is_outside(d))
		return;
	join(mod, s, d);
	/* while the relay drains its own text stands there, which came later */
	if (d->in_group && hd_worker_serving(hd_stream_worker(s)))
		hdp_tell_health(s, "");
}

/* Whose credential names no operator of its own: it has none. */
void hdp_grouped_begin(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, const struct hdp_claim *claim)
{
	memcpy(d->operator_identity, hdp_relay->operator_key.identity,
	       sizeof(d->operator_identity));
	d->has_operator = claim != NULL && claim->has_credential;
	if (!d->has_operator)
		return;
	memcpy(d->operator_identity, claim->operator_identity,
	       sizeof(d->operator_identity));
	d->group = claim->group;
	join(mod, s, d);
	if (is_outside(d))
		say_full(mod, s, d, claim);
}

/* Who found its group full may not take the place of who is in it. */
void hdp_grouped_adopted(struct hd_module *mod, struct hd_stream *s,
			 struct hdp_state *d)
{
	if (d->in_group)
		join(mod, s, d);
}

void hdp_grouped_end(struct hd_module *mod, struct hd_stream *s,
		     struct hdp_state *d)
{
	if (d->in_group)
		hdp_groups_leave(groups_of(mod, s), &d->group,
				 hd_peer_login(d->peer)->realm,
				 hd_peer_key(d->peer));
	d->in_group = false;
}

/* ---- consent ---- */

static struct hdp_group *allowed(struct hdp_state *d,
				 const struct hdp_group *group)
{
	for (unsigned i = 0; i < HDP_GROUPS_ALLOWED_MAX; i++)
		if (hdp_group_is(&d->allows[i], group))
			return &d->allows[i];
	return NULL;
}

bool hdp_grouped_allows(struct hdp_state *d, const uint8_t *id)
{
	struct hdp_group group;

	memcpy(group.id, id, sizeof(group.id));
	return !hdp_group_is_none(&group) && allowed(d, &group) != NULL;
}

void hdp_grouped_tell_allowed(struct hdp_state *d, const struct hd_key *to)
{
	bool none = hdp_group_is_none(&d->group);

	hdp_signal(d->peer, to, HDP_SIGNAL_ALLOWED, d->group.id,
		   none ? 0 : sizeof(d->group.id));
}

static void tell(struct hd_stream *s, const uint8_t *name, uint32_t n,
		 uint8_t flags)
{
	uint8_t frame[HDP_HEADER_BYTES + 1 + HDP_WORD_MAX_BYTES];
	uint8_t *p = hdp_header_put(frame, HDP_ALLOW_GROUP, 1 + n);

	*p++ = flags;
	memcpy(p, name, n);
	hd_stream_append(s, HD_LANE_CONTROL, frame,
			 HDP_HEADER_BYTES + 1 + (size_t)n);
}

int hdp_take_allow_group(struct hd_module *mod, struct hd_stream *s,
			 struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	struct hdp_group group = hdp_group_of(d->operator_identity, p,
					      len_bytes);
	static const struct hdp_group none;
	struct hdp_group *at = allowed(d, &group);

	(void)mod;
	if (at == NULL)
		at = allowed(d, &none);
	if (at != NULL)
		*at = group;
	tell(s, p, len_bytes, at != NULL ? 0 : HDP_CONTACT_REFUSED);
	return 0;
}

int hdp_take_forbid_group(struct hd_module *mod, struct hd_stream *s,
			  struct hdp_state *d, uint8_t *p, uint32_t len_bytes)
{
	struct hdp_group group = hdp_group_of(d->operator_identity, p,
					      len_bytes);
	struct hdp_group *at = allowed(d, &group);

	(void)mod, (void)s;
	if (at != NULL)
		*at = (struct hdp_group){ 0 };
	return 0;
}

/* ---- to all of a group ---- */

static bool may_take(struct hdp_state *d, uint32_t packet_bytes)
{
	const struct hd_stream *s = hd_peer_stream(d->peer);

	return hdp_copies_take(&d->copies, hd_now_ms(hd_stream_worker(s)),
			       packet_bytes);
}

/* A copy is charged as a frame, or an empty packet would cost nothing; not as a
 * packet, of which limits count what hd_relay_send() is given. */
static bool may_copy(struct hdp_state *d, uint32_t packet_bytes, bool paid)
{
	return may_take(d, packet_bytes) &&
	       (paid ||
		hd_peer_received(d->peer,
				 HDP_PACKET_FRAME_HEAD_BYTES + packet_bytes,
				 0) == 0);
}

/* Not to itself. Returns how many others are left of n, in any order. */
static size_t without(struct hd_key *to, size_t n, const struct hd_key *self)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&to[i], self, sizeof(to[i])) == 0)
			to[i--] = to[--n];
	return n;
}

/* The stream has paid for one of them. Returns how many of n may go. */
static size_t paid_for(struct hdp_state *d, size_t n, uint32_t packet_bytes)
{
	size_t i = 0;

	while (i < n && may_copy(d, packet_bytes, i == 0))
		i++;
	return i;
}

/* Returns how many of the copies are dropped. */
static size_t send_all(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, const struct hdp_group *to,
		       const uint8_t *packet, uint32_t packet_bytes)
{
	uint8_t body[HDP_GROUP_BYTES + HDP_GROUP_PACKET_MAX_BYTES];
	struct hd_key members[HDP_GROUP_MEMBERS_MAX];
	size_t n, paid;

	memcpy(body, d->group.id, HDP_GROUP_BYTES);
	memcpy(body + HDP_GROUP_BYTES, packet, packet_bytes);
	n = hdp_groups_members(groups_of(mod, s), to,
			       hd_peer_login(d->peer)->realm, members);
	n = without(members, n, hd_peer_key(d->peer));
	paid = paid_for(d, n, packet_bytes);
	hdp_signal_group(d->peer, members, paid, body,
			 HDP_GROUP_BYTES + packet_bytes);
	hd_count(&hdp_metrics(mod, s)->group_copies, paid);
	return n - paid;
}

/* To look who is there counts as a copy. */
int hdp_take_packet_to_group(struct hd_module *mod, struct hd_stream *s,
			     struct hdp_state *d, uint8_t *p,
			     uint32_t len_bytes)
{
	struct hdp_numbers *numbers = hdp_metrics(mod, s);
	uint32_t packet_bytes;
	struct hdp_group group;
	size_t dropped = 1;

	if (p[0] == 0 || p[0] > HDP_WORD_MAX_BYTES || p[0] > len_bytes - 1 ||
	    len_bytes - 1 - p[0] > HDP_GROUP_PACKET_MAX_BYTES)
		return -EBADMSG;
	packet_bytes = len_bytes - 1 - p[0];
	hd_count(&numbers->packets_in, 1);
	hd_count(&numbers->packet_bytes_in, packet_bytes);
	if (!d->has_operator || groups_of(mod, s) == NULL)
		return 0;
	if (may_take(d, packet_bytes)) {
		group = hdp_group_of(d->operator_identity, p + 1, p[0]);
		dropped = send_all(mod, s, d, &group, p + 1 + p[0],
				   packet_bytes);
	}
	hd_count(&numbers->group_copies_dropped, dropped);
	return 0;
}
