/* SPDX-License-Identifier: MIT */
/* hyper-derp/dial.h - connections that a module opens itself: to another relay,
 * to a broker. What comes of it is a struct hd_stream like those that clients
 * open (stream.h), on the worker that dialled, with TLS 1.3 on the relay's own
 * record layer where wanted.
 *
 *   hd_dial() -> name, CA file -> connect -> TLS -> fn(stream) -> data() ...
 *                      `----------- `------- `----> fn(error)
 *
 * Names are resolved and CA files are read in helper threads, which hold no
 * code of modules. */
#pragma once
#include <hyper-derp/stream.h>
#include <hyper-derp/task.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HD_DIAL_ALPN_MAX 8 /* names that are offered */

/* What is zero has its default, and everything but proto is copied. */
struct hd_dial_options {
	/* What is spoken from the first byte on; opened() is not called, the
	 * hd_dial_fn is. One of hd_module_def.dials: a reload keeps the
	 * streams of those that the new code has, too, with the same name and
	 * state_size. */
	const struct hd_proto *proto;
	const union hd_addr *addr; /* where; its port counts when port is 0 */
	const char *host; /* or a name, or an address as text; not both */
	/* Or the absolute path of a Unix socket, without TLS: no address, host,
	 * port or source. hd_stream_addr() of it has the family AF_UNIX. */
	const char *path;
	uint16_t port; /* host order */
	const union hd_addr *source; /* where from; NULL: the kernel's choice.
					Addresses of another family are not
					tried */
	/* Time limits. A host with several addresses: one after the other; each
	 * gets its share of what is left. */
	uint32_t connect_ms; /* 5000; name and connection */
	uint32_t handshake_ms; /* 5000; TLS */

	bool tls; /* 1.3 only; TLS 1.2 is refused */
	/* SNI; NULL: host, unless that is an address: then none is sent. */
	const char *server_name;
	/* The name, or address, that the certificate must have; NULL:
	 * server_name, else host, else addr. */
	const char *cert_name;
	/* CAs that are trusted, PEM; NULL: those of the system. */
	const char *ca_file;
	/* "sha256-raw:HEX": SHA-256 of the server's certificate, DER, as
	 * CertName in Tailscale's DERP map has it. Several with ; between them:
	 * one of them must be it. With a pin and no ca_file only the pin and
	 * the dates count: neither CA nor name. */
	const char *pin;
	const char *const *alpn; /* offered, in order; NULL at the end */
	/* A client makes us dial, not the relay: its descriptor is one of those
	 * for clients. Of the others some are kept for who dials for the relay,
	 * whatever crowd of clients comes. */
	bool for_client;
};

/* What came of it. Borrowed until the callback returns. */
struct hd_dialled {
	int error; /* 0, or why there is no stream: see hd_dial() */
	const char *text; /* with an error: one sentence that names the server
			     and what is wrong; else "" */
	struct hd_stream *stream; /* NULL with an error */
	const char *alpn; /* what the server chose; NULL: nothing */
	const union hd_addr *addr; /* of stream; with an error the last one
				      that was tried, NULL: none */
};

/* hd_dial_fn - in worker w. On success the stream may be written to and closed;
 * its state (hd_stream_state()) is zeroed. It has no login_timeout. closed()
 * comes at its end as for any other. */
typedef void hd_dial_fn(struct hd_module *mod, struct hd_worker *w, void *arg,
			const struct hd_dialled *got);

/* hd_dial - open a connection in worker w, and call fn there with the stream or
 * the reason. fn is not called before hd_dial() returns. Worker w only.
 * When the module goes, what is under way ends: fn is called with -ECANCELED
 * while the code that dialled still runs: at an unload and at the end of the
 * relay at once, at a reload after 4 s. From then on hd_dial() is refused with
 * -EBUSY: so dial again by a timer, not at once, and from start(). Established
 * streams stay over a reload, see proto, and are closed by an unload, as those
 * of clients. start() may dial. A process that tries the file of a module dials
 * nobody.
 * @arg     taken, also on failure: either fn or drop gets it, exactly once.
 *          drop when hd_dial() itself fails, by hd_dial_cancel(), and when
 *          start() fails; fn else
 * @drop    may be NULL
 * @ret_id  may be NULL; for hd_dial_cancel(), 0 on failure
 * @err     may be NULL
 * Returns 0; -EINVAL the options are wrong, as hd_dial_check() says, or proto
 * is not in hd_module_def.dials; -ENOBUFS 1024 of the module are under way in
 * this worker; -EBUSY the module is about to go; -ENOMEM.
 *
 * fn gets these errors: -ETIMEDOUT; -EHOSTUNREACH the name cannot be resolved,
 * or there is no way to the address, or no such socket; -ECONNREFUSED, also of
 * a Unix socket whose backlog is full; -ECONNRESET the server
 * closed during TLS; -EKEYREJECTED its certificate, its name or the pin is not
 * right; -EPROTO TLS failed otherwise; -ENOENT the CA file cannot be read;
 * -EMFILE no descriptor is left for it; -ECANCELED; -ENOMEM; -EIO all else. */
static inline int hd_dial(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_dial_options *options, hd_dial_fn *fn,
			  void *arg, hd_drop_fn *drop, uint64_t *ret_id,
			  struct hd_error *err);

/* hd_dial_cancel - drop instead of fn, before it returns. In the worker that
 * dialled; nothing happens when fn has been called. */
HD_API void hd_dial_cancel(struct hd_module *mod, struct hd_worker *w,
			   uint64_t id);

/* hd_dial_check - are the options right? For check(), so that a wrong pin is
 * refused when the configuration is read; proto may be NULL. Reads no file and
 * asks nobody. Any thread. Returns 0; -EINVAL. */
static inline int hd_dial_check(const struct hd_dial_options *options,
				struct hd_error *err);

/* ---- behind the two: options may get more fields ---- */

/* hd_dial_sized, hd_dial_check_sized - what the two below call. */
HD_API int hd_dial_sized(struct hd_module *mod, struct hd_worker *w,
			 const struct hd_dial_options *options,
			 size_t options_size, hd_dial_fn *fn, void *arg,
			 hd_drop_fn *drop, uint64_t *ret_id,
			 struct hd_error *err);
HD_API int hd_dial_check_sized(const struct hd_dial_options *options,
			       size_t options_size, struct hd_error *err);

static inline int hd_dial(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_dial_options *options, hd_dial_fn *fn,
			  void *arg, hd_drop_fn *drop, uint64_t *ret_id,
			  struct hd_error *err)
{
	return hd_dial_sized(mod, w, options, sizeof(*options), fn, arg, drop,
			     ret_id, err);
}

static inline int hd_dial_check(const struct hd_dial_options *options,
				struct hd_error *err)
{
	return hd_dial_check_sized(options, sizeof(*options), err);
}

#ifdef __cplusplus
}
#endif
