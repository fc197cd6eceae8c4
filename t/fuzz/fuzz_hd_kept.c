/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_hd_kept.c - what the hd module has kept, and reads again, on the
 * fake core: its file hd.people, and what another process hands over at an
 * upgrade.
 *
 * Input: 1 byte what it is.
 * PEOPLE: the file. What is read and written is the same when it is read again.
 * ONCE: what the module packs once, as it stands in the snapshot.
 * PEER: a client: n(1), so many changes of its state, each place(2) value(1);
 * then steps, each one byte and what it needs: enum field; behind FIELDS_END
 * frames, which it sends. What it allows is the same when it is packed again.
 */
#include "core/base/pack.h"
#include "modules/hd/moved.h"
#include "modules/hd/people.h"
#include "t/fuzz/hd_fuzz.h"
#include <hyper-derp/state_file.h>
#include <hyper-derp/upgrade.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { PEOPLE, ONCE, PEER, KINDS };

enum field {
	CONTACT, /* key(1) generation(2) used(1) */
	CONTACT_CUT, /* a byte of one */
	NUMBER, /* which(1) value(8) */
	AT, /* family(1) port(1) */
	SEEN, /* value(1), of each byte */
	KEYS, /* value(1), of each byte, sealed */
	KEYS_RAW, /* n(1), so many bytes in their place */
	FIELDS_END,
	FIELDS,
};

static const uint8_t *input;
static size_t input_n;

static uint64_t take(unsigned bytes)
{
	uint64_t v = 0;

	for (; bytes > 0 && input_n > 0; bytes--, input_n--)
		v = v << 8 | *input++;
	return v;
}

/* ---- what the fake core does not have ---- */

void hd_admit_answer(struct hd_ticket **ticket, enum hd_verdict verdict,
		     const char *reason)
{
	(void)verdict, (void)reason;
	hd_assert(*ticket == NULL); /* nobody waits here who is connected */
}

void hd_admit_name(struct hd_ticket *ticket, const char *name)
{
	(void)ticket, (void)name;
}

void hd_admit_tenant(struct hd_ticket *ticket, const char *name)
{
	(void)ticket, (void)name;
}

void hd_admit_limits(struct hd_ticket *ticket, enum hd_limits_of of,
		     const struct hd_limits *limits)
{
	(void)ticket, (void)of, (void)limits;
}

const char *hd_state_file_path(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s", name);
	return buf;
}

int hd_state_file_update(const char *name, const void *buf, size_t len,
			 struct hd_error *err)
{
	(void)name, (void)err;
	fake_bytes_free(&fake.state_file);
	fake_bytes_add(&fake.state_file, buf, len);
	return 0;
}

/* ---- the file ---- */

/* Returns whether it could be read. */
static bool people_read(const uint8_t *p, size_t n)
{
	struct hd_error err;

	hdp_people_clear();
	fake_bytes_free(&fake.state_file);
	fake_bytes_add(&fake.state_file, p, n);
	return hdp_people_load(&err) == 0;
}

static void check_order(void)
{
	const struct hdp_people *p = hdp_people();

	for (size_t i = 1; i < p->n_persons; i++)
		hd_assert(memcmp(&p->person[i - 1].address,
				 &p->person[i].address, HD_KEY_BYTES) < 0);
	hd_assert(p->n_invites <= HDP_INVITES_MAX);
	hdp_people_unlock();
}

static void people(const uint8_t *p, size_t n)
{
	struct fake_bytes first = { 0 };
	struct hd_error err;

	if (people_read(p, n)) {
		check_order();
		hd_assert(hdp_people_save(&err) == 0);
		fake_bytes_add(&first, fake.state_file.v, fake.state_file.n);
		hd_assert(people_read(first.v, first.n));
		hd_assert(hdp_people_save(&err) == 0);
		hd_assert(first.n == fake.state_file.n);
		hd_assert(first.n == 0 ||
			  memcmp(first.v, fake.state_file.v, first.n) == 0);
		fake_bytes_free(&first);
	}
	hdp_people_clear();
}

/* ---- what another process has packed ---- */

static const uint8_t seal[HD_PACK_KEY_BYTES] = { 5 };

static void once(const uint8_t *p, size_t n)
{
	struct hd_unpack_fds fds = { .key = seal };
	struct hd_unpack from = hd_unpack_of((struct hd_snap_in){ p, n },
					     hdp_upgrade.version, &fds);
	struct hdp_worker *hw = fake.module.worker_data;
	struct hd_error err;

	fake_bytes_free(&fake.state_file);
	hdp_people_clear();
	(void)hdp_upgrade.unpack(&fake.module, &from, &err);
	hd_assert(hdp_people()->n_waiting <= HDP_WAITING_MAX);
	hdp_people_unlock();
	hdp_people_clear();
	hdp_moved_drop(hw->moved);
	hw->moved = NULL;
}

static const char *const numbers[] = {
	"id",	  "heard",  "unheard", "sealed", "top",
	"opened", "before", "suite",   "other",
};

static void put_at(struct hd_pack *to, uint64_t family, uint64_t port)
{
	struct hdp_path_place at = {
		.addr.in = { .sin_family = family % 16 < 8 ? AF_INET
							   : (uint16_t)family,
			     .sin_port = (uint16_t)port },
	};

	hd_pack_bytes(to, "at", &at, sizeof(at));
}

static void put_keys(struct hd_pack *to, bool sealed, uint64_t n)
{
	uint8_t v[256];

	memset(v, (int)n, sizeof(v));
	if (sealed)
		hd_pack_secret(to, "keys", v, 64 + 3 * 44);
	else
		hd_pack_bytes(to, "keys", v, n);
}

static void put_seen(struct hd_pack *to, uint64_t value)
{
	uint8_t v[sizeof(((struct hdp_udp_rx *)NULL)->seen)];

	memset(v, (int)value, sizeof(v));
	hd_pack_bytes(to, "seen", v, sizeof(v));
}

/* One field of its way by UDP. Returns false: that was the last. */
static bool field_put(struct hd_pack *to, struct fake_bytes *contacts)
{
	uint8_t slot[HD_KEY_BYTES + 3] = { 0 };
	enum field what = take(1) % FIELDS;
	size_t which;

	if (what == CONTACT) {
		slot[0] = (uint8_t)take(1);
		slot[HD_KEY_BYTES] = (uint8_t)take(1);
		slot[HD_KEY_BYTES + 1] = (uint8_t)take(1);
		slot[HD_KEY_BYTES + 2] = (uint8_t)take(1);
		fake_bytes_add(contacts, slot, sizeof(slot));
	} else if (what == CONTACT_CUT) {
		fake_bytes_add(contacts, slot, 1);
	} else if (what == NUMBER) {
		which = take(1) % HD_ARRAY_N(numbers);
		hd_pack_number(to, numbers[which], take(8));
	} else if (what == AT) {
		which = take(1);
		put_at(to, which, take(1));
	} else if (what == SEEN) {
		put_seen(to, take(1));
	} else if (what == KEYS || what == KEYS_RAW) {
		put_keys(to, what == KEYS, take(1));
	} else {
		return false;
	}
	return input_n > 0;
}

/* Unsealed below a key that is the client's, so that some are right. */
static void datagrams_to(struct hd_stream *s)
{
	const struct hdp_state *d = s->state;
	struct hd_datagram dg = { .from.in.sin_family = AF_INET };
	uint8_t v[HDP_UDP_MAX_BYTES];
	struct hdp_udp_tx tx = { 0 };

	if (d->path == NULL)
		return;
	tx.key = d->path->rx.key;
	tx.counter = d->path->rx.top;
	for (unsigned i = 0; i < 3; i++) {
		size_t n = hdp_udp_seal(&tx, i % 2 == 0 ? HDP_UDP_CONTROL
							: HDP_UDP_PACKET,
					d->path->conn, input,
					HD_MIN(input_n, (size_t)100), NULL, 0,
					v);

		dg.data = v;
		dg.len_bytes = (uint32_t)n;
		fake.udp.fn(&fake.module, &fake.udp, fake.udp.arg, &dg, 1);
	}
	hdp_udp_tx_end(&tx);
}

/* It is the client's from now on, as it would be in another process. */
static void taken(struct hd_stream *s)
{
	struct hdp_state *d = s->state;
	const struct hd_packet packet = { .src = &(struct hd_key){ { 1 } },
					  .dst = &(struct hd_key){ { 2 } },
					  .data = input,
					  .len_bytes = (uint32_t)input_n,
					  .realm = hdp_relay->realm };

	hdp_proto.adopted(&fake.module, s, d, &s->peer);
	s->admitted = true;
	datagrams_to(s);
	hdp_peer_ops.deliver(&fake.module, &s->peer, &packet);
	fake_feed(s, input, input_n);
}

static void check_contacts(const struct fake_bytes *packed,
			   const struct hdp_contacts *is)
{
	uint8_t *v = malloc(hdp_contacts_bytes(is) + 1);

	hd_assert(hdp_contacts_bytes(is) == packed->n);
	hdp_contacts_write(is, v);
	for (size_t i = 0; i < packed->n; i++)
		hd_assert(v[i] == packed->v[i] ||
			  (i % (HD_KEY_BYTES + 3) == HD_KEY_BYTES + 2 &&
			   packed->v[i] != 0));
	free(v);
}

static void peer_take(struct hd_stream *s, struct hd_snap *image,
		      const struct fake_bytes *contacts)
{
	struct hdp_state *d = s->state;
	struct hd_unpack_fds fds = { .key = seal };
	struct hd_unpack from =
		hd_unpack_of((struct hd_snap_in){ image->v, image->n },
			     hdp_upgrade.version, &fds);
	struct hd_error err;

	if (hdp_upgrade.unpack_peer(&fake.module, &fake.worker, &s->peer,
				    &from, &err) < 0) {
		memset(d, 0, sizeof(*d)); /* nobody has it */
		return;
	}
	check_contacts(contacts, &d->contacts);
	taken(s);
}

/* As the core copies it: the client is in OPEN, as all are that move. */
static void state_make(struct hdp_state *d)
{
	*d = (struct hdp_state){ .phase = HDP_OPEN };
	for (uint64_t n = take(1); n > 0; n--) {
		size_t place = take(2) % sizeof(*d);

		((uint8_t *)d)[place] = (uint8_t)take(1);
	}
}

static void peer(void)
{
	struct hd_stream *s = client_new(false);
	struct fake_bytes contacts = { 0 };
	struct hd_snap image = { 0 };
	struct hd_pack_fds fds = { .lock = PTHREAD_MUTEX_INITIALIZER,
				   .key = seal };
	struct hd_pack to = { .to = &image, .fds = &fds };

	fake_out_clear(s);
	s->peer.stream = s;
	state_make(s->state);
	hd_pack_open(&to, "udp");
	while (field_put(&to, &contacts))
		;
	hd_pack_close(&to);
	hd_pack_bytes(&to, "contacts", contacts.v, contacts.n);
	hd_pack_end(&to);
	hd_assert(!image.failed);
	peer_take(s, &image, &contacts);
	fake_close(s, HD_CLOSE_PEER);
	fake_stream_free(&s);
	fake_bytes_free(&contacts);
	hd_snap_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct hdp_worker *hw = fake.module.worker_data;

	if (n == 0)
		return 0;
	n_workers = 1;
	if (hw->groups == NULL)
		hw->groups = hdp_groups_new();
	hd_assert(hw->groups != NULL);
	input = p + 1;
	input_n = n - 1;
	if (p[0] % KINDS == PEOPLE)
		people(p + 1, n - 1);
	else if (p[0] % KINDS == ONCE)
		once(p + 1, n - 1);
	else
		peer();
	return 0;
}
