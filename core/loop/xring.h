/* SPDX-License-Identifier: MIT */
/* core/loop/xring.h - packets from one worker to another: a single-producer,
 * single-consumer ring of bytes per ordered pair, made on first use. */
#pragma once
#include "core/loop/worker.h"

#define HD_XRING_BYTES (256u * 1024)
/* What a ring may have before a read, for it to be as large as any. */
#define HD_XRING_NEAR_BYTES (HD_XRING_BYTES / 8)
#define HD_XBITS 64
#define HD_XBIT(to) (1ull << (to) % HD_XBITS)

enum hd_xkind {
	HD_X_PACKET,
	HD_X_DELIVERED, /* back to the source's home: dst (src there) got one */
	HD_X_NOT_HERE,  /* back to it: nobody has the key */
	HD_X_GONE,      /* src has left; dst, there, is to be told */
	HD_X_FORWARDED, /* a packet that another relay has brought */
	HD_X_LINK, /* a packet for a link, whose name is in hash */
	HD_X_BROUGHT, /* one of dst, which is elsewhere, has reached src */
	HD_X_ASTRAY, /* a forwarded one for src, which is not here; slot of the
			peer that brought it in hash */
	HD_X_FANOUT, /* one packet for many: struct hd_xmember, n of them, stand
			before its bytes, and count in len_bytes */
};

struct hd_xrecord { /* what stands before the packet's bytes */
	uint32_t total_bytes; /* with this head, a multiple of 8; 0: wrap */
	uint32_t len_bytes;
	uint64_t hash; /* of the key that is looked up: dst */
	struct hd_key src, dst;
	uint16_t realm;
	uint8_t kind; /* enum hd_xkind */
	bool urgent;
	union {
		bool first; /* HD_X_PACKET: HD_X_DELIVERED is wanted */
		uint32_t n; /* HD_X_FANOUT */
		uint32_t from; /* HD_X_FORWARDED: who brought it: the worker,
				  8 bits, and the slot of its stream */
	};
};

struct hd_xmember { /* one of those who get the packet of HD_X_FANOUT */
	uint64_t hash; /* of dst */
	struct hd_key dst;
	bool first; /* as in struct hd_xrecord */
};
_Static_assert(sizeof(struct hd_xrecord) % 8 == 0, "what follows is aligned");
_Static_assert(sizeof(struct hd_xmember) % 8 == 0, "and what follows that");

/* hd_xring_put - copy a record for worker `to`; it is woken at the end of the
 * turn, by hd_xring_wake(). Returns 0; -ENOBUFS full; -ENOMEM. */
int hd_xring_put(struct hd_worker *w, unsigned to,
		 const struct hd_xrecord *record, const uint8_t *data);
/* hd_xring_put_members - the same with HD_X_FANOUT: record->n members, and data
 * of what they leave of record->len_bytes. */
int hd_xring_put_members(struct hd_worker *w, unsigned to,
			 const struct hd_xrecord *record,
			 const struct hd_xmember *members, const uint8_t *data);
void hd_xring_wake(struct hd_worker *w);
/* hd_xring_has_room - for what can wait and must not hold packets up. */
bool hd_xring_has_room(struct hd_worker *w, unsigned to);

/* hd_xring_look - set w->xfull and w->xused by what the others have taken.
 * hd_xring_fullest - the bit of w->xfull that has least room; not while it is
 * 0. */
void hd_xring_look(struct hd_worker *w);
unsigned hd_xring_fullest(const struct hd_worker *w);
/* hd_xring_await - before it sleeps until there is room: who takes enough wakes
 * it. Returns false: one of those that are full has room by now. */
bool hd_xring_await(struct hd_worker *w);

/* hd_xring_fits - what may be given to a protocol, all of which may go to the
 * fullest ring: packets have larger heads there than on the wire, and leave the
 * end of the ring empty that they do not fit into. */
static inline size_t hd_xring_fits(const struct hd_worker *w)
{
	return (HD_XRING_BYTES - w->xused) / 2;
}

bool hd_xring_any(const struct hd_worker *w);
/* hd_xring_run - take at most a ring's worth from every other worker. */
typedef void hd_xring_fn(struct hd_worker *w, const struct hd_xrecord *record,
			 const uint8_t *data);
void hd_xring_run(struct hd_worker *w, hd_xring_fn *fn);

int hd_xring_init(struct hd_worker *w, unsigned n_workers);
void hd_xring_free(struct hd_worker *w); /* the rings it consumes */
