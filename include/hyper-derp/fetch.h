/* SPDX-License-Identifier: MIT */
/* hyper-derp/fetch.h - ask other servers over HTTP: an admission service, an
 * ACME server, the API of a program on this machine.
 *
 * libcurl does it, in one thread of the core, which starts with the first
 * request and holds no code of modules. HTTP/1.1; connections are kept for the
 * next request. At most 64 requests are under way, 32 of one module, 16 to one
 * server; the others wait for their turn. */
#pragma once
#include <hyper-derp/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is zero has its default, and everything is copied. */
struct hd_fetch_request {
	/* http:// or https://; `http://unix:/run/x.sock:/path` connects to the
	 * socket and asks for /path with `Host: localhost`. */
	const char *url;
	const char *method; /* NULL: GET, with a body POST; "PUT", "HEAD" ... */
	/* "Name: value", NULL at the end. Host, Content-Type and User-Agent of
	 * the list take the place of ours. */
	const char *const *headers;
	const void *body;
	size_t body_len_bytes;
	/* Where to connect, in place of the URL's host and port, which are
	 * still what the request and the certificate name: "192.0.2.1:443",
	 * "other.example:8443", "unix:/run/x.sock". */
	const char *via;
	uint32_t connect_ms; /* 5000; name, connection and TLS */
	uint32_t timeout_ms; /* 30000; of all, and of waiting for its turn */
	size_t answer_max_bytes; /* of the body: 1 MiB; 64 MiB at most */
	unsigned redirects; /* follow that many, 20 at most, never from https to
			       http; 0: a redirect is an answer like others */
	bool proxy; /* use that of the environment: http_proxy, no_proxy ... */
	/* The server's certificate is checked against the CAs of the system,
	 * or of a PEM file, and must have the URL's host name. A pin is the
	 * SHA-256 of its public key, "sha256//BASE64"; several with ; between
	 * them. With a pin and no ca_file only the pin counts. */
	const char *ca_file, *pin;
};

/* What came. Borrowed until the callback returns. */
struct hd_fetched {
	int error; /* 0, or why nothing did, see hd_fetch() */
	const char *text; /* with an error: one sentence; else "" */
	unsigned status; /* 200, 404 ... */
	const char *url; /* that answered, after redirects */
	const char *body; /* a NUL byte stands behind it */
	size_t body_len_bytes;
	const char *head; /* all header lines; see hd_fetched_header() */
};

/* @w  NULL: on the main thread */
typedef void hd_fetch_fn(struct hd_module *mod, struct hd_worker *w, void *arg,
			 const struct hd_fetched *got);

/* hd_fetch - ask, and call fn with the answer in worker w, on the main thread
 * when w is NULL. Any thread; fn is not called before it returns.
 * When the module goes, what has not ended does, and fn is called with
 * -ECANCELED while the code that asked still runs: at an unload and at the end
 * of the relay at once, at a reload after 4 s. Who waits for the answer is told
 * then: a login by hd_admit_answer() with HD_VERDICT_PENDING (hook.h), a stream
 * of the module by asking again in a moment, hd_stream_timer(). From then on
 * hd_fetch() is refused with -EBUSY, and fn is not called for that: so treat
 * both alike. What shall be asked again without anybody who waits the new
 * start() asks. load() may ask with w NULL only. A process that tries the file
 * of a module asks nobody.
 * @arg     taken, also on failure: either fn or drop gets it, exactly once.
 *          drop when hd_fetch() itself fails, by hd_fetch_cancel(), and when
 *          load() or start() fails; fn else
 * @drop    may be NULL; any thread, as in task.h
 * @ret_id  may be NULL; for hd_fetch_cancel(), 0 on failure
 * @err     may be NULL
 * Returns 0; -EINVAL the request is wrong, as hd_fetch_check() says; -ENOBUFS
 * 1024 requests of the module wait; -EBUSY the module is about to go;
 * -ESHUTDOWN the relay is; -ENOMEM; -ENOSYS built without libcurl.
 *
 * fn gets these errors: -ETIMEDOUT; -EHOSTUNREACH the name cannot be resolved;
 * -ECONNREFUSED nobody can be connected to; -EKEYREJECTED the certificate or
 * the pin is not right; -EPROTO TLS failed, or it speaks no HTTP;
 * -ECONNRESET the connection ended in the answer; -EFBIG the answer is too
 * long; -ELOOP too many redirects; -ECANCELED; -ENOMEM; -ENOSYS libcurl is not
 * installed; -EIO all else. */
static inline int hd_fetch(struct hd_module *mod, struct hd_worker *w,
			   const struct hd_fetch_request *request,
			   hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
			   uint64_t *ret_id, struct hd_error *err);

/* hd_fetch_cancel - drop instead of fn, before it returns. In the thread where
 * fn would be called; nothing happens when it has been. */
HD_API void hd_fetch_cancel(struct hd_module *mod, uint64_t id);

/* hd_fetch_check - is it a request? For check(), so that a wrong URL is refused
 * when the configuration is read. Opens nothing. Any thread.
 * Returns 0; -EINVAL; -ENOSYS built without libcurl. */
static inline int hd_fetch_check(const struct hd_fetch_request *request,
				 struct hd_error *err);

/* hd_fetched_header - the value of the nth header of this name (from 0),
 * compared without case. Of the last answer, when there were redirects.
 * @len_bytes  of the value, which has no NUL behind it
 * Returns NULL when there is none. */
HD_API const char *hd_fetched_header(const struct hd_fetched *got,
				     const char *name, unsigned nth,
				     size_t *ret_len_bytes);

/* ---- behind the two: they may get more fields ---- */

/* hd_fetch_sized, hd_fetch_check_sized - what the two below call. */
HD_API int hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
			  const struct hd_fetch_request *request,
			  size_t request_size, hd_fetch_fn *fn, void *arg,
			  hd_drop_fn *drop, uint64_t *ret_id,
			  struct hd_error *err);
HD_API int hd_fetch_check_sized(const struct hd_fetch_request *request,
				size_t request_size, struct hd_error *err);

static inline int hd_fetch(struct hd_module *mod, struct hd_worker *w,
			   const struct hd_fetch_request *request,
			   hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
			   uint64_t *ret_id, struct hd_error *err)
{
	return hd_fetch_sized(mod, w, request, sizeof(*request), fn, arg, drop,
			      ret_id, err);
}

static inline int hd_fetch_check(const struct hd_fetch_request *request,
				 struct hd_error *err)
{
	return hd_fetch_check_sized(request, sizeof(*request), err);
}

#ifdef __cplusplus
}
#endif
