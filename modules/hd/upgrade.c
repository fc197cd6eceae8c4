/* SPDX-License-Identifier: MIT */
/* modules/hd/upgrade.c - what goes to a new process: whom each client allows,
 * by the same handles, and whom an operator may still approve.
 *
 * Ways by UDP go with them: path_upgrade.c. Their ids stay, though clients may
 * be at home in another worker: moved.h.
 *
 * Who has been let in or put out, and invitations, are read from their file,
 * once more while nobody changes it. Logins that wait are closed, and come
 * again.
 *
 * Versions: 1, the first; 2, ways by UDP; 3, with which cipher. */
#include <errno.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/upgrade.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include "modules/hd/moved.h"
#include "modules/hd/path.h"
#include "modules/hd/people.h"

#define PATHS_MAX (1u << 24)

/* ---- once ---- */

static void pack_waiting(const struct hdp_waiting *w, struct hd_pack *to)
{
	hd_pack_open(to, "waiting");
	hd_pack_bytes(to, "address", &w->address, sizeof(w->address));
	hd_pack_bytes(to, "identity", w->identity, sizeof(w->identity));
	hd_pack_text(to, "agent", w->agent);
	hd_pack_bytes(to, "from", &w->from, sizeof(w->from));
	hd_pack_number(to, "since", (uint64_t)w->since_s);
	hd_pack_close(to);
}

/* How many there are, for the table of their ids. */
static void pack_paths(struct hd_module *mod, struct hd_pack *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		n += hdp_udp_paths(mod, hd_worker_at(i));
	hd_pack_number(to, "paths", n);
}

static int pack(struct hd_module *mod, struct hd_pack *to, struct hd_error *err)
{
	const struct hdp_people *p;
	int r = hdp_people_settled(err);

	if (r < 0)
		return r;
	pack_paths(mod, to);
	p = hdp_people();
	for (size_t i = 0; i < p->n_waiting; i++)
		pack_waiting(&p->waiting[i], to);
	hdp_people_unlock();
	return 0;
}

static bool is_address(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

/* It has gone, as far as we know: there is no ticket. */
static int unpack_waiting(const struct hd_unpack *from)
{
	struct hdp_waiting w = { .ticket = NULL };
	uint64_t since = 0;

	if (hd_unpack_bytes(from, "address", &w.address, sizeof(w.address)) <
		    0 ||
	    hd_unpack_bytes(from, "identity", w.identity, sizeof(w.identity)) <
		    0 ||
	    hd_unpack_text(from, "agent", w.agent, sizeof(w.agent)) < 0 ||
	    hd_unpack_bytes(from, "from", &w.from, sizeof(w.from)) < 0 ||
	    hd_unpack_number(from, "since", &since) < 0 ||
	    !is_address(&w.from))
		return -EBADMSG;
	w.since_s = (int64_t)since;
	(void)hdp_waiting_add(hdp_people(), &w);
	hdp_people_unlock();
	return 0;
}

/* Workers stand: what they have is touched by nobody. */
static int unpack_paths(struct hd_module *mod, const struct hd_unpack *from)
{
	struct hdp_moved *moved;
	uint64_t n = 0;
	int r = 0;

	if (hd_unpack_number(from, "paths", &n) < 0 || n == 0)
		return 0;
	if (n > PATHS_MAX)
		return -EBADMSG;
	moved = hdp_moved_new((size_t)n);
	if (moved == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < hd_workers() && r == 0; i++)
		r = hdp_udp_hold_moved(mod, hd_worker_at(i), moved);
	hdp_moved_drop(moved);
	return r;
}

static int unpack(struct hd_module *mod, struct hd_unpack *from,
		  struct hd_error *err)
{
	struct hd_unpack one;
	int r;

	hdp_people_clear();
	r = hdp_people_load(err);
	if (r == 0)
		r = unpack_paths(mod, from);
	while (r == 0 && hd_unpack_next(from, "waiting", &one))
		r = unpack_waiting(&one);
	return r;
}

/* ---- beside a client ---- */

static int pack_peer(struct hd_module *mod, struct hd_worker *w,
		     const struct hd_peer *peer, struct hd_pack *to,
		     struct hd_error *err)
{
	const struct hdp_state *d = hd_stream_state(hd_peer_stream(peer));
	size_t n = hdp_contacts_bytes(&d->contacts);
	uint8_t *v = malloc(n + 1);

	(void)mod, (void)w;
	if (v == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	hdp_contacts_write(&d->contacts, v);
	hd_pack_bytes(to, "contacts", v, n);
	free(v);
	if (d->path != NULL)
		hdp_path_pack(d->path, to);
	return 0;
}

static bool is_bool(const bool *v)
{
	uint8_t byte;

	memcpy(&byte, v, sizeof(byte));
	return byte <= 1;
}

/* As the other process has written it down, and the core has copied it. */
static bool is_sound(const struct hdp_state *d)
{
	return d->phase == HDP_OPEN && d->skip_bytes <= HDP_PAYLOAD_MAX_BYTES &&
	       is_bool(&d->wants_knocks) && is_bool(&d->wants_udp) &&
	       is_bool(&d->wants_visitors) && is_bool(&d->has_operator) &&
	       is_bool(&d->in_group);
}

static int unpack_peer(struct hd_module *mod, struct hd_worker *w,
		       struct hd_peer *peer, struct hd_unpack *from,
		       struct hd_error *err)
{
	struct hdp_state *d = hd_stream_state(hd_peer_stream(peer));
	const void *v;
	size_t n;
	int r = hd_unpack_view(from, "contacts", &v, &n);

	(void)err;
	d->path = NULL;
	if (r < 0 || !is_sound(d))
		return -EBADMSG;
	d->claim = NULL;
	d->waits = 0;
	r = hdp_contacts_read(&d->contacts, v, n);
	if (r == 0)
		d->path = hdp_path_unpack(mod, w, from);
	return r;
}

const struct hd_upgrade_def hdp_upgrade = {
	.version = 3,
	.oldest = 1,
	.pack = pack,
	.unpack = unpack,
	.pack_peer = pack_peer,
	.unpack_peer = unpack_peer,
};
