/* SPDX-License-Identifier: MIT */
/* modules/hd/udp.c - datagrams, and whose they are. The kernel gives one to any
 * worker; a connection id says in which its client is at home. What is for
 * another one is copied there, so many at most: a flood fills no memory.
 * Context: the worker. */
#include <errno.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "modules/hd/moved.h"
#include "modules/hd/path.h"

#define WORKERS_MAX 256 /* the core's */
#define SLOTS_MAX (1u << 24)
#define FIRST_SLOTS 16
#define WAITING_MAX 2048 /* datagrams on their way to one worker */

static uint32_t waiting[WORKERS_MAX]; /* atomic */

static struct hdp_worker *worker_of(struct hd_module *mod, struct hd_worker *w)
{
	return hd_module_worker_data(mod, w);
}

struct hd_udp *hdp_udp_of(struct hd_module *mod, struct hd_worker *w)
{
	return worker_of(mod, w)->udp;
}

/* ---- their memory: of keys, so no core dump has it ---- */

struct hdp_path_block {
	struct hdp_path_block *next;
	struct hdp_path v[];
};

enum { BLOCK_BYTES = 64 * 1024,
       BLOCK_PATHS = (BLOCK_BYTES - sizeof(struct hdp_path_block)) /
		     sizeof(struct hdp_path) };

static void path_spare(struct hdp_worker *hw, struct hdp_path *path)
{
	memcpy(path, &hw->free_paths, sizeof(hw->free_paths));
	hw->free_paths = path;
}

static void block_new(struct hdp_worker *hw)
{
	struct hdp_path_block *block =
		mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return;
	if (madvise(block, BLOCK_BYTES, MADV_DONTDUMP) < 0) {
		munmap(block, BLOCK_BYTES);
		return;
	}
	block->next = hw->blocks;
	hw->blocks = block;
	for (unsigned i = 0; i < BLOCK_PATHS; i++)
		path_spare(hw, &block->v[i]);
}

struct hdp_path *hdp_udp_path_new(struct hd_module *mod, struct hd_worker *w)
{
	struct hdp_worker *hw = worker_of(mod, w);
	struct hdp_path *path;

	if (hw->free_paths == NULL)
		block_new(hw);
	path = hw->free_paths;
	if (path == NULL)
		return NULL;
	memcpy(&hw->free_paths, path, sizeof(hw->free_paths));
	memset(path, 0, sizeof(*path));
	return path;
}

void hdp_udp_path_free(struct hd_module *mod, struct hd_worker *w,
		       struct hdp_path *path)
{
	hdp_udp_tx_end(&path->tx);
	hdp_udp_rx_end(&path->rx);
	sodium_memzero(path, sizeof(*path));
	path_spare(worker_of(mod, w), path);
}

static void blocks_free(struct hdp_worker *hw)
{
	while (hw->blocks != NULL) {
		struct hdp_path_block *block = hw->blocks;

		hw->blocks = block->next;
		munmap(block, BLOCK_BYTES);
	}
}

/* ---- places ---- */

static int grow(struct hdp_worker *hw)
{
	uint32_t n = hw->n_slots == 0 ? FIRST_SLOTS : 2 * hw->n_slots;
	struct hdp_path_slot *slots;

	if (n > SLOTS_MAX)
		return -ENOSPC;
	slots = realloc(hw->slots, n * sizeof(*slots));
	if (slots == NULL)
		return -ENOMEM;
	for (uint32_t i = hw->n_slots; i < n; i++)
		slots[i] = (struct hdp_path_slot){
			.next_free = i + 1 < n ? i + 2 : 0
		};
	hw->slots = slots;
	hw->first_free = hw->n_slots + 1;
	hw->n_slots = n;
	return 0;
}

static void give_slot(struct hdp_worker *hw, const struct hdp_path *path)
{
	hw->slots[path->slot] =
		(struct hdp_path_slot){ .next_free = hw->first_free };
	hw->first_free = path->slot + 1;
}

static int take_slot(struct hdp_worker *hw, struct hdp_path *path)
{
	int r = hw->first_free == 0 ? grow(hw) : 0;

	if (r < 0)
		return r;
	path->slot = hw->first_free - 1;
	hw->first_free = hw->slots[path->slot].next_free;
	hw->slots[path->slot].path = path;
	return 0;
}

static uint32_t id_of(const struct hd_worker *w, const struct hdp_path *path)
{
	return hd_worker_index(w) << 24 | path->slot;
}

/* A place whose id a client of another process has is not used any more. */
int hdp_udp_place(struct hd_module *mod, struct hd_worker *w,
		  struct hdp_path *path)
{
	struct hdp_worker *hw = worker_of(mod, w);
	uint32_t unused;
	int r;

	while ((r = take_slot(hw, path)) == 0) {
		path->conn = id_of(w, path);
		if (!hdp_moved_find(hw->moved, path->conn, &unused))
			return 0;
		hw->slots[path->slot].path = NULL;
	}
	return r;
}

int hdp_udp_place_moved(struct hd_module *mod, struct hd_worker *w,
			struct hdp_path *path)
{
	struct hdp_worker *hw = worker_of(mod, w);
	int r = take_slot(hw, path);

	if (r < 0 || hw->moved == NULL) /* ahead: hdp_udp_hold_moved() */
		return r;
	r = hdp_moved_add(hw->moved, path->conn, id_of(w, path));
	if (r < 0)
		give_slot(hw, path);
	return r;
}

void hdp_udp_remove(struct hd_module *mod, struct hd_worker *w,
		    struct hdp_path *path)
{
	struct hdp_worker *hw = worker_of(mod, w);

	if (hw->moved != NULL)
		hdp_moved_remove(hw->moved, path->conn);
	give_slot(hw, path);
}

int hdp_udp_hold_moved(struct hd_module *mod, struct hd_worker *w,
		       struct hdp_moved *moved)
{
	struct hdp_worker *hw = worker_of(mod, w);
	int r = 0;

	hw->moved = hdp_moved_hold(moved);
	for (uint32_t i = 0; i < hw->n_slots && r == 0; i++) {
		const struct hdp_path *path = hw->slots[i].path;

		if (path != NULL)
			r = hdp_moved_add(moved, path->conn, id_of(w, path));
	}
	return r;
}

size_t hdp_udp_paths(struct hd_module *mod, struct hd_worker *w)
{
	const struct hdp_worker *hw = worker_of(mod, w);
	size_t n = 0;

	for (uint32_t i = 0; i < hw->n_slots; i++)
		n += hw->slots[i].path != NULL;
	return n;
}

/* ---- in ---- */

static void drop(struct hd_module *mod, struct hd_worker *w,
		 enum hdp_udp_drop why, unsigned n)
{
	struct hdp_numbers *numbers = hd_metrics(mod, w);

	hd_count(&numbers->udp_dropped[why], n);
}

/* Where a client of that id is, if there is one: worker(8) slot(24). */
static uint32_t place_of(struct hd_module *mod, struct hd_worker *w,
			 uint32_t id)
{
	uint32_t place = id;

	(void)hdp_moved_find(worker_of(mod, w)->moved, id, &place);
	return place;
}

static void take(struct hd_module *mod, struct hd_worker *w,
		 const struct hdp_udp_head *head, const struct hd_datagram *dg)
{
	const struct hdp_worker *hw = worker_of(mod, w);
	uint32_t i = place_of(mod, w, head->conn) & (SLOTS_MAX - 1);

	if (i >= hw->n_slots || hw->slots[i].path == NULL ||
	    hw->slots[i].path->conn != head->conn)
		drop(mod, w, HDP_UDP_DROP_UNKNOWN, 1);
	else
		hdp_path_take(mod, hw->slots[i].path, head, dg);
}

/* ---- to another worker ---- */

struct parcel {
	unsigned to, n;
	struct hd_datagram v[]; /* their bytes stand behind them */
};

static void parcel_free(void *arg)
{
	struct parcel *parcel = arg;

	__atomic_sub_fetch(&waiting[parcel->to], parcel->n, __ATOMIC_RELAXED);
	free(parcel);
}

static void parcel_take(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct parcel *parcel = arg;

	for (unsigned i = 0; i < parcel->n; i++) {
		struct hd_datagram *dg = &parcel->v[i];
		struct hdp_udp_head head;

		if (hdp_udp_head_get(dg->data, dg->len_bytes, &head))
			take(mod, w, &head, dg);
	}
	parcel_free(parcel);
}

static struct parcel *parcel_make(unsigned to, const struct hd_datagram *v,
				  unsigned n)
{
	size_t bytes = 0;
	struct parcel *parcel;
	uint8_t *p;

	for (unsigned i = 0; i < n; i++)
		bytes += v[i].len_bytes;
	parcel = malloc(sizeof(*parcel) + n * sizeof(*v) + bytes);
	if (parcel == NULL)
		return NULL;
	parcel->to = to;
	parcel->n = n;
	memcpy(parcel->v, v, n * sizeof(*v));
	p = (uint8_t *)&parcel->v[n];
	for (unsigned i = 0; i < n; i++) {
		memcpy(p, v[i].data, v[i].len_bytes);
		parcel->v[i].data = p;
		p += v[i].len_bytes;
	}
	return parcel;
}

static void hand_over(struct hd_module *mod, struct hd_worker *w, unsigned to,
		      const struct hd_datagram *v, unsigned n)
{
	struct parcel *parcel;

	if (__atomic_add_fetch(&waiting[to], n, __ATOMIC_RELAXED) >
		    WAITING_MAX ||
	    (parcel = parcel_make(to, v, n)) == NULL) {
		__atomic_sub_fetch(&waiting[to], n, __ATOMIC_RELAXED);
		drop(mod, w, HDP_UDP_DROP_BUSY, n);
		return;
	}
	if (hd_post(mod, hd_worker_at(to), parcel_take, parcel, parcel_free) <
	    0)
		drop(mod, w, HDP_UDP_DROP_BUSY, n);
}

/* ---- the socket ---- */

/* Returns the worker that is meant; WORKERS_MAX: it is no datagram of ours. */
static unsigned home_of(struct hd_module *mod, struct hd_worker *w,
			const struct hd_datagram *dg, struct hdp_udp_head *head)
{
	return hdp_udp_head_get(dg->data, dg->len_bytes, head)
		       ? place_of(mod, w, head->conn) >> 24
		       : WORKERS_MAX;
}

/* Of the n the first, and those behind it that go where it goes. Returns how
 * many. */
static unsigned take_some(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_datagram *v, unsigned n)
{
	struct hdp_udp_head head, next;
	unsigned home = home_of(mod, w, v, &head), same = 1;

	if (home == hd_worker_index(w)) {
		take(mod, w, &head, v);
		return 1;
	}
	while (same < n && home_of(mod, w, &v[same], &next) == home)
		same++;
	if (home == WORKERS_MAX)
		drop(mod, w, HDP_UDP_DROP_SHAPE, same);
	else if (home >= hd_workers())
		drop(mod, w, HDP_UDP_DROP_UNKNOWN, same);
	else
		hand_over(mod, w, home, v, same);
	return same;
}

static void on_datagrams(struct hd_module *mod, struct hd_udp *udp, void *arg,
			 struct hd_datagram *v, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n;)
		i += take_some(mod, hd_udp_worker(udp), v + i, n - i);
}

int hdp_udp_start(struct hd_module *mod, struct hd_worker *w,
		  struct hd_error *err)
{
	const struct hdp_conf *conf = hd_module_worker_conf(mod, w);
	const struct hd_udp_options options = { .bind = conf->udp,
						.flags = HD_UDP_LARGE,
						.first = HDP_UDP_PACKET,
						.last = HDP_UDP_CONTROL,
						.fn = on_datagrams };

	if (conf->udp.sa.sa_family == AF_UNSPEC)
		return 0;
	return hd_udp_open(mod, w, &options, &worker_of(mod, w)->udp, err);
}

void hdp_udp_stop(struct hd_module *mod, struct hd_worker *w)
{
	struct hdp_worker *hw = worker_of(mod, w);

	if (hw->udp != NULL)
		hd_udp_close(&hw->udp);
	if (hd_module_kept(mod, w))
		return;
	free(hw->slots);
	hdp_moved_drop(hw->moved);
	free(hw->owed);
	blocks_free(hw);
	*hw = (struct hdp_worker){ 0 };
}
