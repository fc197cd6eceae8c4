/* SPDX-License-Identifier: MIT */
/* hyper-derp/upgrade.h - what a module has in memory goes to the process that
 * takes this one's place: `hdctl upgrade`.
 *
 *   old process                            new process, of another binary
 *                                          load(), start(), serving(true)
 *   all workers stand                      all workers stand
 *   pack_worker(), in each worker
 *   pack_peer(), for each that goes
 *   pack(), in the main thread    ------>  unpack(), in the main thread
 *                                          unpack_worker(), in each worker
 *                                          unpack_peer(), hd_proto.adopted()
 *   ends, without stop(), unload() <-----  taken(): it is ours
 *
 * Before taken() the upgrade may still fail, and the old process serves on as
 * if nothing had happened. So pack() and its like change nothing that a relay
 * that goes on would miss, and unpack() and its like touch nothing outside of
 * this process: no file is written, no socket read. All of them run while no
 * packet moves: milliseconds, nothing that waits.
 *
 * Ahead: most clients say nothing within a second, so they need not wait until
 * all workers stand. Those of modules with HD_MODULE_AHEAD go before, as the
 * old process serves: pack_peer() is called between two turns of the worker,
 * and again when it stands; where both have written the same bytes the client
 * has gone, otherwise it comes once more. So it packs no descriptor, and
 * nothing that changes by itself. unpack_peer() and adopted() are called before
 * unpack() and unpack_worker(), and hd_proto.closed() where a client comes once
 * more. on_here waits until all have come.
 *
 * What is packed has a name and a length, and is found by its name, in any
 * order. What the reader does not ask for is passed over. The version of a
 * module's format says who understands whom: a new binary reads all versions
 * from `oldest` to its own. Where it does not, what the module has is not
 * packed and begins anew, and the clients beside which it keeps memory cannot
 * move: `hdctl upgrade --dry-run` says so. All others do.
 *
 * Secrets by hd_pack_secret() only: the rest may reach the swap space. Times
 * are those of hd_now_ms() and hd_now_ns(), which both processes share. Realms,
 * tenants, indexes of workers and ids of streams are numbers of one process:
 * pack names and keys, and let hd_relay_home() say whose they are. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hd_peer;

/* ---- written ---- */

struct hd_pack;

/* Up to HD_PACK_NAME_MAX bytes of name; the same name may come again where
 * hd_unpack_next() reads it. Bytes are copied. Without memory the upgrade
 * fails, whatever comes next. Until the function that was given `to` returns.
 *
 * hd_pack_number - hd_pack_bytes - len_bytes of any bytes, up to 1 GiB.
 * hd_pack_text - a text that ends with NUL; NULL packs nothing.
 * hd_pack_fd - the new process gets a duplicate of the descriptor; it stays
 * open here. For a lock of flock(), a map of BPF, a device.
 * hd_pack_secret - up to HD_PACK_SECRET_MAX_BYTES, sealed; read by
 * hd_unpack_secret().
 * hd_pack_open - what follows is a group, up to hd_pack_close(): up to
 * HD_PACK_DEPTH within each other. */
HD_API void hd_pack_number(struct hd_pack *to, const char *name,
			   uint64_t value);
HD_API void hd_pack_bytes(struct hd_pack *to, const char *name, const void *p,
			  size_t len_bytes);
HD_API void hd_pack_text(struct hd_pack *to, const char *name,
			 const char *text);
HD_API void hd_pack_secret(struct hd_pack *to, const char *name, const void *p,
			   size_t len_bytes);
HD_API void hd_pack_fd(struct hd_pack *to, const char *name, int fd);
HD_API void hd_pack_open(struct hd_pack *to, const char *name);
HD_API void hd_pack_close(struct hd_pack *to);
#define HD_PACK_NAME_MAX 63
#define HD_PACK_DEPTH 8
#define HD_PACK_SECRET_MAX_BYTES 65536

/* ---- read ---- */

/* hd_unpack - what was packed, or a group of it; may be copied. Borrowed until
 * the function that was given it returns. Another version has written it: check
 * what it says as you check what comes from the network. */
struct hd_unpack {
	uint32_t version; /* of the module's format, when it was packed */
	uint32_t reserved;
	const uint8_t *p; /* what follows is the core's */
	size_t len_bytes;
	void *fds;
};

/* Of several of a name the first counts. Return 0; -ENOENT there is none;
 * -EBADMSG it is broken, or is something else.
 *
 * hd_unpack_bytes, hd_unpack_secret - exactly len_bytes. hd_unpack_view - as
 * many as there are; borrowed. hd_unpack_text - a copy with a NUL; -ENOSPC it
 * needs more than size_bytes. hd_unpack_fd - returns the descriptor
 * (close-on-exec), which is the caller's from now on and is given once.
 * hd_unpack_group - the first group of that name.
 * hd_unpack_next - the next group of that name in `in`, which moves on: copy
 * what you are given first if you need it again. Returns false when there is
 * none. */
HD_API int hd_unpack_number(const struct hd_unpack *from, const char *name,
			    uint64_t *ret);
HD_API int hd_unpack_bytes(const struct hd_unpack *from, const char *name,
			   void *ret, size_t len_bytes);
HD_API int hd_unpack_secret(const struct hd_unpack *from, const char *name,
			    void *ret, size_t len_bytes);
HD_API int hd_unpack_view(const struct hd_unpack *from, const char *name,
			  const void **ret, size_t *ret_len_bytes);
HD_API int hd_unpack_text(const struct hd_unpack *from, const char *name,
			  char *ret, size_t size_bytes);
HD_API int hd_unpack_fd(const struct hd_unpack *from, const char *name);
HD_API int hd_unpack_group(const struct hd_unpack *from, const char *name,
			   struct hd_unpack *ret);
HD_API bool hd_unpack_next(struct hd_unpack *in, const char *name,
			   struct hd_unpack *ret);

/* hd_is_taking_over - whether this process is about to take the place of
 * another one, which still serves: from its beginning to taken(). Then load()
 * and start() leave alone what is that one's, and what unpack() and its like
 * know better. Any thread. */
HD_API bool hd_is_taking_over(void);

/* ---- a module's ---- */

/* hd_upgrade_def - hd_module_def.upgrade. Functions that are NULL are not
 * called. All return 0, or negative with the reason in err: of the old process
 * that is the end of this upgrade; of the new one, too, but for unpack_peer(),
 * which says of one client that it stays, and is closed by the old process. */
struct hd_upgrade_def {
	uint32_t version; /* of what the pack functions write; not 0 */
	uint32_t oldest; /* that the unpack functions read */

	/* pack, unpack - what the module has once. Main thread. pack() is the
	 * last of its kind, unpack() the first. */
	int (*pack)(struct hd_module *mod, struct hd_pack *to,
		    struct hd_error *err);
	int (*unpack)(struct hd_module *mod, struct hd_unpack *from,
		      struct hd_error *err);
	/* pack_worker, unpack_worker - what it has in each worker. In the
	 * worker. There may be another number of workers than before: each
	 * is given what every old one has packed, one after the other, and
	 * takes what is its own. */
	int (*pack_worker)(struct hd_module *mod, struct hd_worker *w,
			   struct hd_pack *to, struct hd_error *err);
	int (*unpack_worker)(struct hd_module *mod, struct hd_worker *w,
			     struct hd_unpack *from, struct hd_error *err);
	/* pack_peer, unpack_peer - its memory beside a peer,
	 * hd_hook_peer_data(). In the key's home worker. A peer that is
	 * unpacked is in no table yet, and its memory is zeroed. on_admit is
	 * not asked again: name, tenant and limits that it gave have moved.
	 * Without these two the peers of such a module stay.
	 * A module that has them and no such memory is asked about peers of
	 * its own protocols: what the state of the connection points to
	 * (hd_stream_state()). unpack_peer() finds the old process's bytes
	 * there, writes each pointer anew, and where it fails leaves nothing
	 * that would have to be freed; then adopted(). */
	int (*pack_peer)(struct hd_module *mod, struct hd_worker *w,
			 const struct hd_peer *peer, struct hd_pack *to,
			 struct hd_error *err);
	int (*unpack_peer)(struct hd_module *mod, struct hd_worker *w,
			   struct hd_peer *peer, struct hd_unpack *from,
			   struct hd_error *err);
	/* taken - the old process will never again touch what it has handed
	 * over, and this one serves. Main thread, while workers still stand:
	 * what must wait for that (a program in the kernel, a file) begins. */
	void (*taken)(struct hd_module *mod);
};

#ifdef __cplusplus
}
#endif
