/* SPDX-License-Identifier: MIT */
/* core/stream/dial_private.h - a connection that is being opened, between
 * core/stream/dial*.c. Context: the worker, but for hd_dial_look_up(). */
#pragma once
#include <hyper-derp/dial.h>
#include <hyper-derp/timer.h>
#include <sys/un.h>
#include "core/base/descriptors.h"
#include "core/stream/stream.h"
#include "core/tls/tls.h"

enum {
	HD_DIAL_ADDRS_MAX = 16,
	HD_DIAL_PATH_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path),
};

/* ---- dial_check.c, dial_copy.c ---- */

struct hd_dial_target { /* the options; all its own memory */
	char *host; /* NULL: addr it is; a name, never an address */
	char *path; /* of a Unix socket: addr has that family, and no more */
	union hd_addr addr, source; /* family 0: none */
	uint16_t port;
	uint32_t connect_ms, handshake_ms;
	enum hd_fds fds; /* whose descriptor it is */
	bool tls;
	char *server_name, *cert_name, *ca_file;
	uint8_t (*pins)[HD_TLS_PIN_BYTES];
	uint8_t *alpn;
	struct hd_tls_peer peer; /* points to the five above */
};

/* hd_dial_widen - a module that was built earlier has fewer fields.
 * hd_dial_pin - the text of one pin. Returns what stands behind it; NULL: it is
 * none. */
struct hd_dial_options hd_dial_widen(const struct hd_dial_options *o,
				     size_t size);
const char *hd_dial_pin(const char *text, uint8_t ret[HD_TLS_PIN_BYTES]);
/* hd_dial_copy - of options that were checked. Returns 0; -ENOMEM.
 * hd_dial_target_free - also half made.
 * hd_dial_target_text - "relay.example:443", for people. */
int hd_dial_copy(struct hd_dial_target *t, const struct hd_dial_options *o);
void hd_dial_target_free(struct hd_dial_target *t);
#define HD_DIAL_TEXT_BYTES 272
const char *hd_dial_target_text(const struct hd_dial_target *t,
				char buf[static HD_DIAL_TEXT_BYTES]);

/* ---- dial_lookup.c ---- */

/* What has to be known first: addresses, and whom we trust. */
struct hd_dial_job {
	uint64_t id; /* of the dial, which may have ended */
	char *host, *ca_file;
	uint16_t port;
	bool tls, pin_only;
	void (*done)(struct hd_worker *w, struct hd_dial_job *job);
	/* the answer */
	int error;
	struct hd_error err;
	union hd_addr addrs[HD_DIAL_ADDRS_MAX];
	unsigned n_addrs;
	SSL_CTX *ctx;
};

/* hd_dial_look_up - done() is called in w, later; it takes the job.
 * Returns 0; -ENOBUFS; -ENOMEM; -ESHUTDOWN. */
int hd_dial_look_up(struct hd_worker *w, uint64_t id,
		    const struct hd_dial_target *t,
		    void (*done)(struct hd_worker *w, struct hd_dial_job *job));
void hd_dial_job_free(struct hd_dial_job *job);

/* ---- dial.c ---- */

struct hd_dial {
	struct hd_stream_user user;
	struct hd_module *mod;
	struct hd_worker *w;
	uint32_t slot, gen;
	bool told; /* it is in no list any more */
	const struct hd_proto *proto;
	hd_dial_fn *fn;
	hd_drop_fn *drop;
	void *arg;
	struct hd_dial_target to;
	struct hd_timer *timer;
	uint64_t until_ms; /* to be connected */
	union hd_addr addrs[HD_DIAL_ADDRS_MAX];
	unsigned n_addrs, at; /* at: the next one */
	SSL_CTX *ctx;
	struct hd_stream *stream; /* NULL: none yet */
	int error; /* of the last address */
	char text[512];
};

static inline uint64_t hd_dial_id(const struct hd_dial *d)
{
	return ((uint64_t)d->slot + 1) << 32 | d->gen;
}

/* hd_dial_free - one that nobody knows (any more). */
void hd_dial_free(struct hd_dial *d);

/* ---- dial_steps.c ---- */

extern const struct hd_stream_user_ops hd_dial_user;

/* hd_dial_try_next - the addresses are known.
 * hd_dial_late - for its timer.
 * hd_dial_fail - fn is called. hd_dial_cancelled - the same, with -ECANCELED.
 * hd_dial_forget - arg is dropped, fn not called. The dial has gone, or will
 * with its stream. */
void hd_dial_try_next(struct hd_dial *d);
hd_timer_fn hd_dial_late;
void hd_dial_fail(struct hd_dial *d, int error, const char *text);
void hd_dial_cancelled(struct hd_dial *d);
void hd_dial_forget(struct hd_dial *d);

/* ---- dial_socket.c ---- */

/* hd_dial_socket - on its way to an address. Returns the descriptor; -errno.
 * hd_dial_look - what came of it. Returns 1 connected; 0 not yet; -errno.
 * hd_dial_reason - an errno as hd_dial_fn gets it. */
int hd_dial_socket(const struct hd_dial *d, const union hd_addr *to);
int hd_dial_look(const struct hd_stream *s);
int hd_dial_reason(int e);
