/* SPDX-License-Identifier: MIT */
/* modules/hd/path_upgrade.c - a client's way by UDP goes to another process:
 * its id, its keys, and which counters have been used. Before it is the new
 * one's that one seals nothing; the old one may, and then the path goes once
 * more, with the counters that it has used by then. */
#include <errno.h>
#include <hyper-derp/upgrade.h>
#include "modules/hd/moved.h"
#include "modules/hd/path.h"

struct key { /* of an epoch */
	uint8_t v[HD_AEAD_KEY_MAX_BYTES], iv[HD_AEAD_NONCE_BYTES];
};

struct keys { /* what is secret of it */
	uint8_t tx_next[HDP_UDP_SECRET_BYTES], rx_next[HDP_UDP_SECRET_BYTES];
	struct key tx, rx, rx_before;
};

_Static_assert(sizeof(struct keys) == 64 + 3 * 44, "no padding");

static void key_get(const struct hdp_udp_key *key, struct key *ret)
{
	memcpy(ret->v, key->aead.v, sizeof(ret->v));
	memcpy(ret->iv, key->iv, sizeof(ret->iv));
}

static void key_set(struct hdp_udp_key *key, const struct key *to,
		    enum hd_aead_suite suite)
{
	*key = (struct hdp_udp_key){ .aead.suite = suite };
	memcpy(key->aead.v, to->v, sizeof(to->v));
	memcpy(key->iv, to->iv, sizeof(to->iv));
}

static void pack_keys(const struct hdp_path *path, struct hd_pack *to)
{
	struct keys keys;

	key_get(&path->tx.key, &keys.tx);
	key_get(&path->rx.key, &keys.rx);
	key_get(&path->rx.before, &keys.rx_before);
	memcpy(keys.tx_next, path->tx.next, sizeof(keys.tx_next));
	memcpy(keys.rx_next, path->rx.next, sizeof(keys.rx_next));
	hd_pack_number(to, "suite", path->tx.key.aead.suite);
	hd_pack_secret(to, "keys", &keys, sizeof(keys));
	sodium_memzero(&keys, sizeof(keys));
}

void hdp_path_pack(const struct hdp_path *path, struct hd_pack *to)
{
	hd_pack_open(to, "udp");
	hd_pack_number(to, "id", path->conn);
	if (path->valid)
		hd_pack_bytes(to, "at", &path->at, sizeof(path->at));
	hd_pack_number(to, "heard", path->heard_ms);
	hd_pack_number(to, "unheard", path->unheard_ms);
	hd_pack_number(to, "sealed", path->tx.counter);
	hd_pack_number(to, "top", path->rx.top);
	hd_pack_number(to, "opened", path->rx.opened);
	hd_pack_bytes(to, "seen", path->rx.seen, sizeof(path->rx.seen));
	hd_pack_number(to, "before", path->rx.has_before);
	pack_keys(path, to);
	hd_pack_close(to);
}

static int unpack_keys(struct hdp_path *path, const struct hd_unpack *from)
{
	struct keys keys;
	uint64_t suite = HD_AEAD_CHACHA20_POLY1305; /* all there was, before */
	int r = hd_unpack_number(from, "suite", &suite);

	if (r == -ENOENT)
		r = 0;
	if (r == 0 && !hdp_udp_suite_known(suite))
		r = -EBADMSG;
	if (r == 0)
		r = hd_unpack_secret(from, "keys", &keys, sizeof(keys));
	if (r < 0)
		return r;
	memcpy(path->tx.next, keys.tx_next, sizeof(keys.tx_next));
	memcpy(path->rx.next, keys.rx_next, sizeof(keys.rx_next));
	key_set(&path->tx.key, &keys.tx, (enum hd_aead_suite)suite);
	key_set(&path->rx.key, &keys.rx, (enum hd_aead_suite)suite);
	key_set(&path->rx.before, &keys.rx_before, (enum hd_aead_suite)suite);
	sodium_memzero(&keys, sizeof(keys));
	return 0;
}

static bool is_addr(const union hd_addr *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

/* Returns 0, also if it has none that is valid. */
static int unpack_at(struct hdp_path *path, const struct hd_unpack *from)
{
	int r = hd_unpack_bytes(from, "at", &path->at, sizeof(path->at));

	path->valid = r == 0;
	if (r == 0 && !is_addr(&path->at.addr))
		return -EBADMSG;
	return r == -ENOENT ? 0 : r;
}

static int unpack(struct hdp_path *path, const struct hd_unpack *from)
{
	uint64_t id = 0, before = 0;

	if (hd_unpack_number(from, "id", &id) < 0 || id > UINT32_MAX ||
	    unpack_at(path, from) < 0 ||
	    hd_unpack_number(from, "heard", &path->heard_ms) < 0 ||
	    hd_unpack_number(from, "unheard", &path->unheard_ms) < 0 ||
	    hd_unpack_number(from, "sealed", &path->tx.counter) < 0 ||
	    hd_unpack_number(from, "top", &path->rx.top) < 0 ||
	    hd_unpack_number(from, "opened", &path->rx.opened) < 0 ||
	    hd_unpack_bytes(from, "seen", path->rx.seen,
			    sizeof(path->rx.seen)) < 0 ||
	    hd_unpack_number(from, "before", &before) < 0 ||
	    path->tx.counter > HDP_UDP_COUNTER_MAX ||
	    path->rx.top > HDP_UDP_COUNTER_MAX)
		return -EBADMSG;
	path->conn = (uint32_t)id;
	path->rx.has_before = before != 0;
	return unpack_keys(path, from);
}

struct hdp_path *hdp_path_unpack(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_unpack *from)
{
	struct hd_unpack group;
	struct hdp_path *path;

	if (hdp_udp_of(mod, w) == NULL ||
	    hd_unpack_group(from, "udp", &group) < 0)
		return NULL;
	path = hdp_udp_path_new(mod, w);
	if (path == NULL)
		return NULL;
	path->tx.worker = path->rx.worker = w;
	if (unpack(path, &group) == 0)
		return path;
	hdp_udp_path_free(mod, w, path);
	return NULL;
}
