/* SPDX-License-Identifier: MIT */
/* hyper-derp/datagram.h - UDP in batches. Context: the socket's worker. */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hd_datagrams_fn - n datagrams have come, in one batch. */
struct hd_datagram {
	union hd_addr from; /* IPv4 as AF_INET, also on a dual-stack socket */
	union hd_addr to;   /* which of our addresses it came to; port 0 */
	uint8_t *data;      /* borrowed for the call; may be written to */
	uint32_t len_bytes;
};
typedef void hd_datagrams_fn(struct hd_module *mod, struct hd_udp *udp,
			     void *arg, struct hd_datagram *v, unsigned n);

enum hd_udp_flag {
	HD_UDP_SINGLE = 1, /* one socket in all, not one per worker */
	HD_UDP_LARGE = 2, /* datagrams up to 64 KiB, and many of them: buffers
			     of its own (2.5 MiB, used as far as needed), large
			     ones in the kernel, GRO and GSO where it has them.
			     Without it: 16 KiB in, 2 KiB out. */
};

struct hd_udp_options { /* copied; what is left out is 0 */
	union hd_addr bind; /* port 0: any free one */
	unsigned flags; /* HD_UDP_... */
	hd_datagrams_fn *fn; /* gets what comes in; needed */
	void *arg; /* for fn; stays the module's */
	uint8_t first, last; /* the socket may be shared: fn gets datagrams
				whose first byte is one of these; 0, 0: those
				that no other module asks for */
};

/* hd_udp_open_sized - what hd_udp_open() calls: the options may get more
 * fields. */
HD_API int hd_udp_open_sized(struct hd_module *mod, struct hd_worker *w,
			     const struct hd_udp_options *options,
			     size_t options_size, struct hd_udp **ret_udp,
			     struct hd_error *err);

/* hd_udp_open - bind here; in start(), in the worker. Every worker that opens
 * the same address has its own SO_REUSEPORT socket. A port that another process
 * holds is refused although SO_REUSEPORT would share it; so is one of another
 * module, unless the first bytes of their datagrams differ. Who shares a socket
 * with one that has HD_UDP_LARGE has it, too.
 * A socket inherited through LISTEN_FDS for the address is used instead, and
 * after a reload the one that the old code had with the same HD_UDP_LARGE, with
 * its queue.
 * @ret_udp  set on success only: hd_udp_close() it in stop(), or the core
 *           closes it after that
 * @err      may be NULL
 * Returns 0; else with a sentence in err
 * -EADDRINUSE     another process or module has the address
 * -EADDRNOTAVAIL  it is none of this machine's
 * -EAFNOSUPPORT   the kernel has no IPv6 (or no IPv4)
 * -EACCES         a port below 1024, without CAP_NET_BIND_SERVICE
 * -EINVAL         no address, or no fn
 * -ENOSPC         64 other addresses are open, in all modules
 * -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM  out of descriptors, of memory
 * or what else socket(2) and bind(2) return. */
static inline int hd_udp_open(struct hd_module *mod, struct hd_worker *w,
			      const struct hd_udp_options *options,
			      struct hd_udp **ret_udp, struct hd_error *err)
{
	return hd_udp_open_sized(mod, w, options, sizeof(*options), ret_udp,
				 err);
}

/* hd_udp_send - copied; sent at the end of the loop turn.
 * @from  the address that answers come from (a datagram's `to`), or NULL
 * With HD_UDP_LARGE a full batch is sent at once, and what is too long for the
 * path leaves in IP fragments.
 * Returns 0; -ENOBUFS dropped: the batch is full, or it is too long. */
HD_API int hd_udp_send(struct hd_udp *udp, const union hd_addr *to,
		       const union hd_addr *from, const void *data,
		       size_t len_bytes);
/* hd_udp_room - where hd_udp_send() would copy the next datagram to: one that
 * is made there is not copied. It is the caller's until the next call for this
 * socket, which keeps it if it is hd_udp_send() with this address.
 * Returns room for len_bytes; NULL: there is none, or it is too long. */
HD_API uint8_t *hd_udp_room(struct hd_udp *udp, size_t len_bytes);
HD_API int hd_udp_fd(const struct hd_udp *udp); /* for setsockopt() */
HD_API struct hd_worker *hd_udp_worker(const struct hd_udp *udp);
/* hd_udp_close - in fn, too: it is not called again, and v stays valid until it
 * returns. */
HD_API void hd_udp_close(struct hd_udp **udp);

/* ---- past the kernel's sockets ---- */

/* hd_carrier_options - a carrier brings datagrams of UDP sockets in and out
 * another way: by AF_XDP, say. The sockets stay open and have all that it
 * leaves to them, so it may leave anything. Copied; what is left out is 0. */
struct hd_carrier_options {
	union hd_addr bind; /* of the sockets, as their modules open them */
	/* When it can be read, run is called. Stays the module's, which closes
	 * it after hd_carrier_close(). */
	int fd;
	void *arg; /* for what follows; stays the module's */
	/* run - hand over what has come: hd_carrier_deliver().
	 * Returns whether there may be more: then it is called again. */
	bool (*run)(struct hd_module *mod, void *arg);
	/* send - at the end of a turn, a datagram that is the only one for its
	 * address there: several are one send of the socket (UDP_SEGMENT).
	 * @from  as of hd_udp_send(); NULL: any
	 * Returns whether it has gone; else the socket sends it. */
	bool (*send)(struct hd_module *mod, void *arg, const union hd_addr *to,
		     const union hd_addr *from, const uint8_t *data,
		     size_t len_bytes);
	/* flush - after all of a turn; not where there were none. */
	void (*flush)(struct hd_module *mod, void *arg);
};

/* hd_carrier_open_sized - what hd_carrier_open() calls. */
struct hd_carrier;
HD_API int hd_carrier_open_sized(struct hd_module *mod, struct hd_worker *w,
				 const struct hd_carrier_options *options,
				 size_t options_size,
				 struct hd_carrier **ret_carrier);

/* hd_carrier_open - from start() on, in the worker whose sockets they are. An
 * address may have several; the first that sends a datagram has it.
 * @ret_carrier  set on success only: hd_carrier_close() it in stop(), or the
 *               core closes it after that
 * Returns 0; -EINVAL an address or a function is missing; -ENOMEM; what
 * epoll_ctl(2) says of the descriptor. */
static inline int hd_carrier_open(struct hd_module *mod, struct hd_worker *w,
				  const struct hd_carrier_options *options,
				  struct hd_carrier **ret_carrier)
{
	return hd_carrier_open_sized(mod, w, options, sizeof(*options),
				     ret_carrier);
}

/* hd_carrier_deliver - in run: to whom the first bytes say, as what comes by
 * the socket. Nobody has the address now: they are lost. v and what it points
 * to are the carrier's again when this returns. */
HD_API void hd_carrier_deliver(struct hd_carrier *carrier,
			       struct hd_datagram *v, unsigned n);
/* hd_carrier_close - not in run, send or flush. */
HD_API void hd_carrier_close(struct hd_carrier **carrier);

#ifdef __cplusplus
}
#endif
