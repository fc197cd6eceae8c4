/* SPDX-License-Identifier: MIT */
/* hd/hd.h - libhd: reach others by their public key, through an HD relay.
 *
 * An endpoint (struct libhd) has an identity and a connection to a relay, which
 * it keeps up; it may know several, and is at one of them. It sends packets to
 * peers and gets theirs, by consent of both; or it opens and accepts streams,
 * which are encrypted from end to end.
 * The protocol is described in doc/reference/protocol-hd.md. hd/peers.h, which
 * this header includes, has what is done with peers.
 *
 * There is no thread in it. Wait until libhd_fd() is readable or
 * libhd_timeout_ms() is over, then call libhd_process(): all callbacks come
 * from there. libhd_poll() does both for a program without a loop of its own.
 *
 * Context: an endpoint and all that is of it belong to one thread at a time;
 * several endpoints know nothing of each other. Functions that can fail return
 * negative errno. Nothing blocks but libhd_poll(), and the look-up of a relay's
 * name: give an address where that matters. */
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* LIBHD_API - what the library shows. */
#define LIBHD_API __attribute__((visibility("default")))

struct libhd;
struct libhd_identity;
struct libhd_peer;
struct libhd_stream;

/* libhd_version - of the library that runs, as "0.1.0".
 * libhd_has_streams - whether it was built with QUIC; without it the functions
 * of streams return -EOPNOTSUPP. */
LIBHD_API const char *libhd_version(void);
LIBHD_API bool libhd_has_streams(void);

/* ---- keys ---- */

/* LIBHD_KEY_BYTES - of a public key, and of a seed. LIBHD_KEY_TEXT_BYTES - of a
 * key's text, hd1..., with its NUL. LIBHD_SEED_BYTES - of a secret key.
 * LIBHD_PACKET_MAX_BYTES - of a packet. LIBHD_NOTE_MAX_BYTES - of a knock's
 * note. */
#define LIBHD_KEY_BYTES 32
#define LIBHD_KEY_TEXT_BYTES 64
#define LIBHD_SEED_BYTES 32
#define LIBHD_PACKET_MAX_BYTES 65535
#define LIBHD_NOTE_MAX_BYTES 64

/* libhd_key - an identity: an Ed25519 public key. */
struct libhd_key {
	uint8_t v[LIBHD_KEY_BYTES];
};

/* libhd_key_text - @ret  at least LIBHD_KEY_TEXT_BYTES
 * Returns ret.
 * libhd_key_parse - of hd1... Returns 0; -EINVAL it is no key, or mistyped. */
LIBHD_API char *libhd_key_text(const struct libhd_key *key, char *ret);
LIBHD_API int libhd_key_parse(const char *text, struct libhd_key *ret);

/* libhd_identity_new - a new key. The four that make one return 0; -ENOMEM;
 * -EIO there is no randomness.
 * @ret  given: release with libhd_identity_free()
 * libhd_identity_from_seed - of a seed that the caller keeps.
 * libhd_identity_load - of a file that libhd_identity_save() wrote; -EINVAL it
 * holds no key; -EPERM others may read it; or what open(2) says.
 * libhd_identity_open - loads it, or makes one and saves it if there is no such
 * file: returns as both. */
LIBHD_API int libhd_identity_new(struct libhd_identity **ret);
LIBHD_API int libhd_identity_from_seed(const uint8_t seed[LIBHD_SEED_BYTES],
				       struct libhd_identity **ret);
LIBHD_API int libhd_identity_load(const char *path,
				  struct libhd_identity **ret);
LIBHD_API int libhd_identity_open(const char *path,
				  struct libhd_identity **ret);
/* libhd_identity_save - into a new file that only its owner may read: one line,
 * hdseed: and 64 hexadecimal digits. Returns 0; -EEXIST it is there already and
 * is left alone; or what mkstemp(3), write(2), fsync(2), link(2) say. */
LIBHD_API int libhd_identity_save(const struct libhd_identity *id,
				  const char *path);
/* libhd_identity_key - the public part; lives as long as id does. */
LIBHD_API const struct libhd_key *
libhd_identity_key(const struct libhd_identity *id);
/* libhd_identity_free - wipes it; NULL is fine, and *id is NULL then. */
LIBHD_API void libhd_identity_free(struct libhd_identity **id);

/* libhd_address - a public key of X25519. Of an identity it is the same point
 * of the curve in another form: relays name clients so. A client of DERP, as
 * Tailscale's, has an address only, its nodekey.
 * LIBHD_ADDRESS_TEXT_BYTES - of one's text, nodekey: and 64 hexadecimal digits,
 * with its NUL. */
#define LIBHD_ADDRESS_TEXT_BYTES 73
struct libhd_address {
	uint8_t v[LIBHD_KEY_BYTES];
};

/* libhd_key_address - of an identity: what it is called by clients of DERP.
 * Returns 0; -EINVAL no key that can be used.
 * libhd_address_text - @ret  at least LIBHD_ADDRESS_TEXT_BYTES
 * Returns ret.
 * libhd_address_parse - of nodekey:... Returns 0; -EINVAL. */
LIBHD_API int libhd_key_address(const struct libhd_key *key,
				struct libhd_address *ret);
LIBHD_API char *libhd_address_text(const struct libhd_address *address,
				   char *ret);
LIBHD_API int libhd_address_parse(const char *text, struct libhd_address *ret);

/* ---- an endpoint ---- */

/* libhd_state - of an endpoint. */
enum libhd_state {
	LIBHD_CONNECTING, /* and enrolling */
	LIBHD_PENDING, /* a person at the relay has to approve of us */
	LIBHD_OPEN, /* packets pass */
	LIBHD_WAITING, /* it is lost, and tried again in a while */
	LIBHD_FAILED, /* the relay will not have us: it is not tried again */
};

/* libhd_peer_state - of a peer, as the relay tells. */
enum libhd_peer_state {
	LIBHD_PEER_HERE, /* it is connected, and has allowed us */
	LIBHD_PEER_GONE, /* its connection has ended */
	LIBHD_PEER_NOT_HERE, /* nobody with that key is connected */
	LIBHD_PEER_REFUSED, /* the relay has no room for one more of ours */
};

/* libhd_intent - what one of two wants of the path between them.
 * libhd_path - what both have come to: directly, by a path that they find
 * themselves; through relays; or not at all, since they require different
 * ones. */
enum libhd_intent {
	LIBHD_PREFER_DIRECT,
	LIBHD_REQUIRE_DIRECT,
	LIBHD_PREFER_RELAY,
	LIBHD_REQUIRE_RELAY,
};
enum libhd_path {
	LIBHD_PATH_DIRECT,
	LIBHD_PATH_RELAY,
	LIBHD_PATH_NONE,
};

/* libhd_events - what an endpoint tells, from libhd_process(); NULL for what
 * does not matter. They may call any function of this header but libhd_free()
 * and libhd_process() of the same endpoint.
 *
 * state: libhd_error() says why. packet: data is borrowed. knock: somebody asks
 * to be allowed; return whether it is, as libhd_allow() would. peer: its state
 * has changed. writable: after -EAGAIN of libhd_send(), there is room again.
 * stream: a peer has opened one; it is ours from now on, release with
 * libhd_stream_close(). stream_ready: it can be read from or written to, or has
 * failed. member: somebody of a group that we allow has become a peer of ours,
 * as if by libhd_allow(). visitor: a packet has come from somebody whom we do
 * not allow, as a client of DERP, which cannot knock, and was dropped; return
 * whether it is allowed from now on. path: what an intent has come to. */
struct libhd_events {
	size_t size; /* sizeof(struct libhd_events) */
	void (*state)(struct libhd *h, enum libhd_state state, void *user);
	void (*packet)(struct libhd *h, struct libhd_peer *from,
		       const void *data, size_t len_bytes, void *user);
	bool (*knock)(struct libhd *h, const struct libhd_key *from,
		      const void *note, size_t len_bytes, void *user);
	void (*peer)(struct libhd *h, struct libhd_peer *peer,
		     enum libhd_peer_state state, void *user);
	void (*writable)(struct libhd *h, void *user);
	void (*stream)(struct libhd *h, struct libhd_peer *from,
		       struct libhd_stream *s, void *user);
	void (*stream_ready)(struct libhd *h, struct libhd_stream *s,
			     void *user);
	void (*member)(struct libhd *h, struct libhd_peer *peer, void *user);
	bool (*visitor)(struct libhd *h, const struct libhd_address *from,
			void *user);
	void (*path)(struct libhd *h, struct libhd_peer *peer,
		     enum libhd_path path, void *user);
};

/* LIBHD_RELAYS_MAX - that an endpoint, or a ticket, may have.
 * LIBHD_RELAY_TEXT_BYTES - of a relay's name, with its NUL. */
#define LIBHD_RELAYS_MAX 4
#define LIBHD_RELAY_TEXT_BYTES 264

/* libhd_relay - one of several: see libhd_conf. */
struct libhd_relay {
	char name[LIBHD_RELAY_TEXT_BYTES]; /* HOST, HOST:PORT, [IPV6]:PORT */
	struct libhd_key key; /* that it must have */
	bool has_key;
};

/* libhd_conf - what an endpoint is to be; zeros but for size, identity and
 * relay, or relays, are fine. All is copied.
 *
 * Of several relays the first that lets us in is ours until it is lost. Then it
 * is tried again, and after it the others in turn, at once; then all again with
 * back-off, from the first. One that refuses us for good is left out;
 * LIBHD_FAILED is when all do. A relay may say that we belong to another one:
 * LIBHD_CONNECTING follows LIBHD_OPEN then, and libhd_error() names it.
 *
 * Who is the relay? With relay_key it must prove to have that key, on this TLS
 * connection; then its certificate need not be one that we trust. Without it
 * the certificate must be valid for the name. `insecure`: whoever answers. */
struct libhd_conf {
	size_t size; /* sizeof(struct libhd_conf) */
	const struct libhd_identity *identity;
	const char *relay; /* HOST, HOST:PORT, [IPV6]:PORT; port 443 */
	const struct libhd_key *relay_key;
	const char *ca_file; /* PEM; NULL: those of the system */
	const char *invitation; /* hdinvite1..., if the relay wants one */
	const char *credential; /* hdcred1..., likewise */
	const char *agent; /* what the operator sees; at most 63 bytes */
	bool insecure;
	bool wants_knocks; /* else nobody new can ask */
	bool streams; /* what peers exchange is streams, not packets */
	/* LIBHD_FAILED when it is lost, instead of trying again; and it is not
	 * left for another relay that the relay names */
	bool once;
	bool no_udp; /* by TCP only, also where the relay offers UDP */
	const struct libhd_relay *relays; /* in place of relay, relay_key */
	unsigned n_relays; /* 1..LIBHD_RELAYS_MAX; 0: relay is the only one */
};

/* libhd_new - an endpoint; it connects in libhd_process().
 * @events  copied
 * @ret     given: release with libhd_free()
 * Returns 0; -EINVAL conf has no identity, no relay, or an invitation or a
 * credential that is mistyped; -EOPNOTSUPP streams, and it has none; -ENOENT,
 * -EACCES, -EBADMSG ca_file cannot be read or is none; -ENOMEM, -EMFILE. */
LIBHD_API int libhd_new(const struct libhd_conf *conf,
			const struct libhd_events *events, void *user,
			struct libhd **ret);
/* libhd_free - ends it with its peers and streams; NULL is fine. What peers
 * should still get must be gone: libhd_stream_end(), and wait. */
LIBHD_API void libhd_free(struct libhd **h);

/* libhd_fd - to be waited on for POLLIN; the same for all its life. It is no
 * socket (an epoll instance with those of TCP and UDP in it): only wait on it.
 * libhd_timeout_ms - call libhd_process() when so much time is over, if the fd
 * has not been readable before; 0: now; -1: never. Ask again after each call of
 * any function of the endpoint.
 * libhd_process - do what is to be done; never blocks (but for a look-up of
 * names). Returns 0; -ENOTCONN the state is LIBHD_FAILED. */
LIBHD_API int libhd_fd(const struct libhd *h);
LIBHD_API int libhd_timeout_ms(const struct libhd *h);
LIBHD_API int libhd_process(struct libhd *h);
/* libhd_poll - wait for the endpoint and for fds, at most timeout_ms (-1:
 * however long), and process it.
 * @fds  as poll(2) has them, revents too; NULL if n is 0; n at most 62
 * Returns how many of fds have revents; -EINTR a signal came; else as
 * libhd_process(). */
LIBHD_API int libhd_poll(struct libhd *h, struct pollfd *fds, unsigned n,
			 int timeout_ms);

/* libhd_state_of - its state. libhd_error - why it has that state, a sentence;
 * "" if there is nothing to tell; the text of the last call's end.
 * libhd_by_udp - whether short packets go by UDP now. That is tried as soon as
 * the relay offers it, and given up within a second where it does not get
 * through, while packets pass. Packets may overtake each other then.
 * libhd_udp_port - the port that the relay has offered on this connection; 0:
 * none, or it is not wanted.
 * libhd_relay_key - the relay's identity, once it has proven it; else NULL.
 * libhd_unsent_bytes - what waits here to be sent to the relay; with streams,
 * above 0 also until the relay has the end of those of a forbidden peer. Who
 * waits for 0 before libhd_free() has told its peers. */
LIBHD_API enum libhd_state libhd_state_of(const struct libhd *h);
LIBHD_API const char *libhd_error(const struct libhd *h);
LIBHD_API bool libhd_by_udp(const struct libhd *h);
LIBHD_API unsigned libhd_udp_port(const struct libhd *h);
LIBHD_API const struct libhd_key *libhd_relay_key(const struct libhd *h);
LIBHD_API size_t libhd_unsent_bytes(const struct libhd *h);
/* libhd_relay_at - which relay it is at, or tries: 0 is the first of conf.
 * libhd_next_relay - leave it for the next one, and after the last, in a while,
 * for the first: whom we look for may be there. Done by libhd_process(). It is
 * nothing where there is one only. */
LIBHD_API unsigned libhd_relay_at(const struct libhd *h);
LIBHD_API void libhd_next_relay(struct libhd *h);

/* ---- streams ---- */

/* libhd_stream_open - a stream of bytes to a peer, both ways, by QUIC: both
 * ends have proven their keys to each other, and the relay sees ciphertext.
 * Bytes can be written at once; they wait until the peer is reached.
 * @ret  given: release with libhd_stream_close()
 * Returns 0; -EOPNOTSUPP no QUIC, or libhd_conf.streams was not set; -ENOMEM;
 * -EAGAIN the peer takes no more for now. */
LIBHD_API int libhd_stream_open(struct libhd_peer *peer,
				struct libhd_stream **ret);
/* libhd_stream_read - what has come. Returns how many bytes, above 0; 0 the
 * peer has ended it; -EAGAIN nothing yet; -ECONNRESET the peer has broken it
 * off; -ETIMEDOUT the peer does not answer; -ECONNREFUSED it refuses, or has
 * another key; -ENOMEM it sends more out of order than is kept (libhd(3)), or
 * there is no memory; -EPROTO.
 * libhd_stream_write - takes what there is room for. Returns how many bytes,
 * above 0 (0 if len_bytes is); -EAGAIN no room; -EPIPE it was ended here, or
 * the peer wants no more; else as libhd_stream_read(). */
LIBHD_API ssize_t libhd_stream_read(struct libhd_stream *s, void *data,
				    size_t len_bytes);
LIBHD_API ssize_t libhd_stream_write(struct libhd_stream *s, const void *data,
				     size_t len_bytes);
/* libhd_stream_end - nothing more comes from us; the peer reads to the end.
 * libhd_stream_unsent_bytes - what the peer has not acknowledged yet, its end
 * too: 0 once all that was written, and the end, have arrived.
 * libhd_stream_close - release it; the peer is told if it was not at its end
 * both ways. What it has not been sent yet is lost. NULL is fine, and *s is
 * NULL then. */
LIBHD_API void libhd_stream_end(struct libhd_stream *s);
LIBHD_API size_t libhd_stream_unsent_bytes(const struct libhd_stream *s);
LIBHD_API void libhd_stream_close(struct libhd_stream **s);
/* libhd_stream_peer - whose it is; NULL: it has been forbidden.
 * libhd_stream_set_user, libhd_stream_user - a pointer of the caller's. */
LIBHD_API struct libhd_peer *libhd_stream_peer(const struct libhd_stream *s);
LIBHD_API void libhd_stream_set_user(struct libhd_stream *s, void *user);
LIBHD_API void *libhd_stream_user(const struct libhd_stream *s);

/* ---- tickets ---- */

/* LIBHD_TICKET_TEXT_BYTES - of the longest, with its NUL.
 * LIBHD_TICKET_NOTE_BYTES - of the note that proves one. */
#define LIBHD_TICKET_TEXT_BYTES 2048
#define LIBHD_TICKET_NOTE_BYTES 32

/* libhd_ticket - all that somebody needs to reach a listener: its key, its
 * relays (libhd_conf.relays), and a secret, by which the listener knows that
 * it gave the ticket away. The secret itself goes to nobody: a knock proves it
 * by a MAC over both keys, with which nobody else can do anything, the relay
 * neither. */
struct libhd_ticket {
	struct libhd_key listener;
	uint8_t secret[16];
	unsigned n_relays;
	struct libhd_relay relays[LIBHD_RELAYS_MAX];
};

/* libhd_ticket_new - for this endpoint, with a new secret, and all relays of
 * its conf, with their keys as far as they are known. One must have been
 * reached.
 * Returns 0; -ENOTCONN none has.
 * libhd_ticket_text - hdticket1...
 * @ret  at least LIBHD_TICKET_TEXT_BYTES
 * Returns ret.
 * libhd_ticket_parse - Returns 0; -EINVAL it is none, or mistyped. */
LIBHD_API int libhd_ticket_new(const struct libhd *h, struct libhd_ticket *ret);
LIBHD_API char *libhd_ticket_text(const struct libhd_ticket *t, char *ret);
LIBHD_API int libhd_ticket_parse(const char *text, struct libhd_ticket *ret);
/* libhd_ticket_note - the note of a knock with which `from` shows that it has
 * the ticket.
 * libhd_ticket_admits - whether the note of a knock of `from` does. */
LIBHD_API void libhd_ticket_note(const struct libhd_ticket *t,
				 const struct libhd_key *from,
				 uint8_t ret[LIBHD_TICKET_NOTE_BYTES]);
LIBHD_API bool libhd_ticket_admits(const struct libhd_ticket *t,
				   const struct libhd_key *from,
				   const void *note, size_t len_bytes);

#ifdef __cplusplus
}
#endif

#include <hd/peers.h>
