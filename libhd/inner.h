/* SPDX-License-Identifier: MIT */
/* libhd/inner.h - the inside of libhd.
 *
 * Files: endpoint.c an endpoint's life, loop.c fd, timeout and process,
 * connect.c the TCP connection and when it is tried again, relays.c which
 * relay that is, tls.c TLS on it, login.c the upgrade and the enrolment,
 * frames.c what the relay says, peers.c whom we allow, peer.c one of them,
 * packets.c what they exchange, groups.c whom we allow by groups, intents.c
 * what they want of a path, asks.c what may not be said too often, udp*.c
 * packets by UDP, proofs.c why the relay should have us, identity*.c keys,
 * ticket.c tickets, buffer.c bytes that wait; streams*.c, quic*.c streams
 * (without ngtcp2: streams_none.c).
 *
 * A connection:  IDLE -> DIALING -> SHAKING -> UPGRADING -> HELLO -> ENROLLING
 *                 ^  (TCP)      (TLS)     (HTTP)    (RelayHello)      | Welcome
 *                 `-- lost, refused: back-off <------------- OPEN <---'  */
#pragma once
#include <hd/hd.h>
#include <hyper-derp/hd.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <sodium.h>
/* no library ends its program for want of memory */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(peer) ((peer)->no_memory = true)
#include <uthash.h>
#include "libhd/buffer.h"

/* What waits for the relay: above it libhd_send() says -EAGAIN, below half of
 * it there is room again. */
#define HDL_OUT_MAX_BYTES (256u << 10)
#define HDL_IN_BYTES (128u << 10)
#define HDL_LOGIN_MS 30000 /* TCP to Welcome; one address of several: a third  \
			    */
#define HDL_PEERS_MAX 65535u /* a relay has no more handles */
#define HDL_HOST_BYTES 256
#define HDL_HTTP_HEAD_MAX_BYTES 8192

enum hdl_phase {
	HDL_IDLE,
	HDL_DIALING,
	HDL_SHAKING,
	HDL_UPGRADING,
	HDL_HELLO,
	HDL_ENROLLING,
	HDL_OPEN,
};

struct libhd_identity {
	struct libhd_key key;
	uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* seed, key */
};

/* What shows that we are welcome, as bytes; made into proofs for each
 * connection. */
struct hdl_welcome {
	bool has_invitation, has_credential, has_subject;
	uint8_t invitation[HDP_INVITATION_ID_BYTES +
			   HDP_INVITATION_SECRET_BYTES];
	uint8_t subject[crypto_sign_SECRETKEYBYTES];
	uint8_t statement[HDP_STATEMENT_MAX_BYTES];
	size_t statement_bytes;
};

struct hdl_relay {
	char host[HDL_HOST_BYTES], port[8];
	struct libhd_key wanted; /* that it must have */
	struct libhd_key key; /* that it has proven to have */
	bool has_wanted, has_key;
	/* Redirect has led to host: what these were; else first_host is empty
	 */
	char first_host[HDL_HOST_BYTES], first_port[8];
	struct libhd_key first_key;
	bool has_first_key;
	bool by_rule; /* it has led because we belong there */
	int64_t stays_ms; /* until then no rule leads away from it */
	bool refuses; /* for good */
};

struct hdl_quic; /* quic.h */

struct hdl_group {
	uint8_t n; /* of v; 0: a free place */
	char v[HDP_WORD_MAX_BYTES];
};

/* hdl_due - what waits for its turn, of one peer; in this order. */
enum hdl_due { HDL_DUE_KNOCK = 1, HDL_DUE_OPEN = 2, HDL_DUE_ANSWER = 4 };

struct libhd_peer {
	struct libhd *h;
	struct libhd_key identity;
	struct libhd_address address;
	bool has_identity; /* else the address is all that is known */
	bool has_intent; /* of ours; the other one's and the path: -1: none */
	uint8_t intent;
	int8_t other_intent, path;
	uint8_t number[4]; /* of what is to be answered */
	uint8_t due; /* enum hdl_due */
	uint64_t due_at; /* in the order of h->asks */
	uint32_t handle; /* HDP_NO_HANDLE: none on this connection */
	bool here, knocks;
	bool no_memory; /* for its place in a table */
	uint8_t note[LIBHD_NOTE_MAX_BYTES];
	size_t note_bytes;
	struct hdl_quic *quic; /* its connections, a list */
	int64_t gone_ms; /* it has gone: when to ask whether it is back; or 0 */
	bool gone_asked;
	void *user;
	UT_hash_handle by_address, by_handle;
};

struct libhd {
	struct libhd_events events;
	void *user;
	struct libhd_identity id;
	/* configuration */
	struct hdl_relay *relays, *relay; /* all; the one it is at */
	unsigned n_relays;
	char *ca_file;
	char agent[HDP_AGENT_MAX_BYTES + 1];
	bool insecure, wants_knocks, streams, once, no_udp;
	struct hdl_welcome welcome;
	/* the connection */
	enum libhd_state state;
	enum hdl_phase phase;
	int epfd, fd;
	uint32_t waits_for; /* of epoll, for fd */
	SSL_CTX *ssl_ctx;
	SSL *ssl;
	BIO_METHOD *bio;
	struct addrinfo *addrs, *next_addr;
	bool verified; /* its certificate */
	bool proven; /* its key */
	bool enrolled; /* Enroll has been sent */
	struct hdl_udp *udp; /* udp.h; NULL: the relay has not offered it */
	bool udp_again; /* as again, of UDP */
	bool again; /* there may be more to read, that poll does not see */
	bool broken; /* it cannot be written to; libhd_process() closes it */
	bool want_room; /* libhd_send() has said -EAGAIN */
	unsigned pings; /* not answered: what was sent before is on its way */
	uint8_t binding[HDP_BINDING_BYTES];
	bool leaves; /* for the next relay, when libhd_process() runs */
	unsigned untried; /* relays of this round */
	int64_t later_ms; /* that a relay of this round wants us to wait */
	struct hdl_buf in, out;
	int64_t deadline_ms, heard_ms; /* 0: no deadline */
	int64_t retry_ms; /* in IDLE: when to try */
	uint32_t silence_ms, packet_max;
	int64_t opened_ms; /* when it was let in, the last time */
	unsigned tries; /* since a connection has lasted */
	char error[320];
	/* whom we allow */
	struct libhd_peer *by_address, *by_handle;
	struct libhd_peer *turn; /* whom a loop over them comes to next */
	struct hdl_group groups[LIBHD_GROUPS_MAX];
	unsigned n_peers, peers_max; /* 0: the relay has not said */
	unsigned n_due; /* peers */
	uint64_t asks; /* a counter, for turns */
	int64_t asks_paid_ms; /* until when those that went are paid for */
	struct hdl_tls *tls; /* of streams; quic.h */
};

/* hdl_left_ms - until then; 0: it has passed. The clock is read once: a poll(2)
 * for less than nothing would be one without end. */
int64_t hdl_now_ms(void);
int64_t hdl_left_ms(int64_t until_ms);

/* ---- endpoint.c ---- */
/* hdl_set_state - and tell, if it is another.
 * hdl_fail - no more tries. fmt: why. From one who has not shown yet that it is
 * the relay it is a lost connection only: whoever sits in between for a moment
 * must not stop us for good. */
void hdl_set_state(struct libhd *h, enum libhd_state state);
void hdl_error(struct libhd *h, const char *fmt, ...) HD_PRINTF(2, 3);
void hdl_fail(struct libhd *h, const char *fmt, ...) HD_PRINTF(2, 3);

/* ---- connect.c ---- */
/* hdl_connect - begin; hdl_connected - what is to be done when TCP is there, or
 * is not. */
void hdl_connect(struct libhd *h);
void hdl_dialed(struct libhd *h);
/* hdl_lost - the connection is of no use: close it, and try again, after
 * at_least_ms. hdl_retry - the same; h->error is set. hdl_disconnect - close it
 * only. */
void hdl_retry(struct libhd *h, int64_t at_least_ms);
void hdl_lost(struct libhd *h, int64_t at_least_ms, const char *fmt, ...)
	HD_PRINTF(3, 4);
void hdl_disconnect(struct libhd *h);
/* hdl_leave - for the next relay. */
void hdl_leave(struct libhd *h);
/* hdl_take_redirect - to another relay; back to the first one when that cannot
 * be reached, or is lost. Where a rule has led no rule leads on. */
int hdl_take_redirect(struct libhd *h, const uint8_t *p, size_t n);
/* hdl_wait_for - events of epoll. */
void hdl_wait_for(struct libhd *h, uint32_t events);

/* ---- relays.c ---- */
/* hdl_relay_split - HOST, HOST:PORT, [IPV6]:PORT into h. Returns 0; -EINVAL
 * hdl_relays_take - those of a configuration. Returns 0; -EINVAL; -ENOMEM.
 * hdl_relays_next - the relay after this one, in turn, that has not refused us.
 * Returns NULL: none, or it is the only one. hdl_relays_first - of all.
 * hdl_relay_text - HOST:PORT, of at least LIBHD_RELAY_TEXT_BYTES; not of where
 * Redirect has led to. hdl_relay_known - the key that belongs to it, as it has
 * proven, or as it must; NULL: none.
 * hdl_relay_lead - to another host. hdl_relay_back - from there. */
int hdl_relay_split(const char *text, char host[HDL_HOST_BYTES], char port[8]);
int hdl_relays_take(struct libhd *h, const struct libhd_conf *conf);
struct hdl_relay *hdl_relays_next(const struct libhd *h);
struct hdl_relay *hdl_relays_first(const struct libhd *h);
void hdl_relay_text(const struct hdl_relay *r, char *ret);
const struct libhd_key *hdl_relay_known(const struct hdl_relay *r);
void hdl_relay_lead(struct hdl_relay *r, const char *host, const char *port);
void hdl_relay_back(struct hdl_relay *r);

/* ---- tls.c ---- */
/* hdl_tls_init - of an endpoint. Returns 0 or negative errno.
 * hdl_tls_begin - of a connection.
 * hdl_tls_shake - goes on. Returns 1 done; 0 later; negative: lost.
 * hdl_tls_read - into h->in. Returns bytes; 0 later; negative: lost.
 * hdl_tls_write - h->out, as far as it goes. It closes nothing and calls
 * nobody: the caller may be in the middle of a frame of h->in, or of a
 * connection of QUIC. hdl_tls_flush - the same, and then the connection is lost
 * if it is. */
int hdl_tls_init(struct libhd *h);
int hdl_tls_begin(struct libhd *h);
int hdl_tls_shake(struct libhd *h);
int hdl_tls_read(struct libhd *h);
void hdl_tls_write(struct libhd *h);
void hdl_tls_flush(struct libhd *h);

/* ---- login.c ---- */
/* hdl_login_begin - TLS is there. hdl_login_head - the answer to the request;
 * returns bytes used, 0: more must come; negative: lost.
 * hdl_take_* - frames: return 0 or negative errno: lost. */
void hdl_login_begin(struct libhd *h);
int hdl_login_head(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_hello(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_welcome(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_denied(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_pending(struct libhd *h, const uint8_t *p, size_t n);

/* ---- frames.c ---- */
/* hdl_frames - what stands at the front of n bytes. Returns the bytes used;
 * negative: lost. */
int hdl_frames(struct libhd *h, const uint8_t *p, size_t n);
/* hdl_put - a frame of head and tail, to the relay. Returns 0; -ENOMEM. */
int hdl_put(struct libhd *h, enum hdp_type type, const void *head,
	    size_t head_bytes, const void *tail, size_t tail_bytes);
/* hdl_answer - a frame that the relay has caused; not if too much waits: one
 * that asks and does not read is not to have all of our memory. Returns as
 * hdl_put().
 * hdl_text - what a relay says, of it what can be printed. */
int hdl_answer(struct libhd *h, enum hdp_type type, const uint8_t *p, size_t n);
void hdl_text(char *to, size_t size, const uint8_t *p, size_t n);

/* ---- peers.c, packets.c ---- */
/* hdl_peers_open - after Welcome: allow them all again.
 * hdl_peers_lost - handles mean nothing any more. */
void hdl_peers_open(struct libhd *h);
void hdl_peers_lost(struct libhd *h);
void hdl_peers_free(struct libhd *h);
/* hdl_peer_ask - allow it again: the relay says whether it is here. */
int hdl_peer_ask(struct libhd_peer *peer);
int hdl_knock_put(struct libhd_peer *peer);
int hdl_take_contact(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_allowed(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_gone(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_knock(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_packets(struct libhd *h, const uint8_t *p, size_t n);
/* hdl_peer_of_handle - NULL: none. hdl_out_room - whether something may be sent
 * by TCP: returns 0; -ENOTCONN; -EAGAIN, and asks for `writable`.
 * hdl_take_packet - one, however it came.
 * hdl_packet_put - as libhd_send(), streams or not. hdl_packet_put_tcp - the
 * same, in order with frames: the last one before Forbid. */
struct libhd_peer *hdl_peer_of_handle(struct libhd *h, uint32_t handle);
int hdl_out_room(struct libhd *h);
int hdl_packet_put_tcp(struct libhd_peer *peer, const void *data, size_t n);
void hdl_take_packet(struct libhd *h, const struct hdp_packet *packet);
int hdl_packet_put(struct libhd_peer *peer, const void *data, size_t n);

/* ---- groups.c ---- */
/* hdl_groups_open - after Welcome: allow them again. hdl_groups_any - whether
 * there are some. */
void hdl_groups_open(struct libhd *h);
bool hdl_groups_any(const struct libhd *h);
int hdl_take_group(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_visitor(struct libhd *h, const uint8_t *p, size_t n);

/* ---- asks.c ---- */
/* hdl_ask - now, or when its turn comes. Nothing without a connection. Returns
 * 0; -ENOMEM. hdl_ask_not - it need not be said any more; what: several.
 * hdl_asks_run - those whose turn it is. Returns as hdl_put().
 * hdl_asks_timeout_ms - until then; -1.
 * hdl_asks_lost - with the connection. */
int hdl_ask(struct libhd_peer *peer, enum hdl_due what);
void hdl_ask_not(struct libhd_peer *peer, unsigned what);
int hdl_asks_run(struct libhd *h);
int64_t hdl_asks_timeout_ms(const struct libhd *h);
void hdl_asks_lost(struct libhd *h);

/* ---- intents.c ---- */
/* hdl_intents_here - it can be asked. hdl_intents_away - what it has said is
 * over. hdl_intent_put - ask it. hdl_intent_answer - what it has asked. */
int hdl_intent_put(struct libhd_peer *peer);
int hdl_intent_answer(struct libhd_peer *peer);
void hdl_intents_here(struct libhd_peer *peer);
void hdl_intents_away(struct libhd_peer *peer);
int hdl_take_incoming(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_agreed(struct libhd *h, const uint8_t *p, size_t n);

/* ---- udp.c, udp_io.c ---- */
/* hdl_udp_put - a packet, which waits for hdl_udp_flush(). Returns
 * HDL_UDP_NOT: it has to go by TCP; HDL_UDP_FULL: later.
 * hdl_udp_full - whether it would say so. hdl_udp_waits - whether something
 * waits that the kernel would take.
 * hdl_udp_up - whether packets of up to HDP_UDP_PACKET_MAX_BYTES go that way.
 * hdl_udp_passed - a packet of so many bytes has come or gone, by UDP or not.
 * hdl_udp_run - what has come, and what is due. hdl_udp_timeout_ms - until it
 * has to do something; -1.
 * hdl_udp_end - with the connection. */
int hdl_take_udp(struct libhd *h, const uint8_t *p, size_t n);
int hdl_take_udp_lost(struct libhd *h, const uint8_t *p, size_t n);
enum hdl_udp_put { HDL_UDP_SENT, HDL_UDP_NOT, HDL_UDP_FULL };
enum hdl_udp_put hdl_udp_put(struct libhd *h, uint32_t handle, const void *data,
			     size_t n);
void hdl_udp_flush(struct libhd *h);
bool hdl_udp_full(const struct libhd *h);
bool hdl_udp_waits(const struct libhd *h);
bool hdl_udp_up(const struct libhd *h);
void hdl_udp_passed(struct libhd *h, size_t in, size_t out);
void hdl_udp_run(struct libhd *h);
int64_t hdl_udp_timeout_ms(const struct libhd *h);
void hdl_udp_end(struct libhd *h);

/* ---- proofs.c ---- */
/* hdl_welcome_parse - texts; NULL: none. Returns 0; -EINVAL.
 * hdl_proofs_put - for this connection. Returns bytes. */
int hdl_welcome_parse(struct hdl_welcome *w, const char *invitation,
		      const char *credential);
size_t hdl_proofs_put(const struct libhd *h, const uint8_t *relay,
		      uint8_t to[HDP_PROOFS_MAX_BYTES]);

/* ---- ticket.c ---- */
/* hdl_text_bytes - Bech32m of any length up to size. Returns the bytes;
 * -EINVAL. */
int hdl_text_bytes(const char *part, const char *text, uint8_t *v, size_t size);

/* ---- streams.c, or streams_none.c ---- */
int hdl_streams_init(struct libhd *h);
void hdl_streams_free(struct libhd *h);
void hdl_streams_peer_free(struct libhd_peer *peer);
/* hdl_streams_here - it is here (again): does it know our connections still?
 * hdl_streams_away - it may come back as another, or we to another.
 * hdl_streams_gone - its connection to the relay has ended; not_here: it has
 * none, the relay has been asked.
 * hdl_streams_packet - of a peer, borrowed.
 * hdl_streams_run - timers, and what is to be sent.
 * hdl_streams_timeout_ms - until hdl_streams_run() has to do something; -1 */
void hdl_streams_here(struct libhd_peer *peer);
void hdl_streams_away(struct libhd_peer *peer);
void hdl_streams_gone(struct libhd_peer *peer, bool not_here);
void hdl_streams_packet(struct libhd_peer *peer, const uint8_t *p, size_t n);
void hdl_streams_run(struct libhd *h);
int64_t hdl_streams_timeout_ms(const struct libhd *h);
