/* SPDX-License-Identifier: MIT */
/* modules/derp/derp.h - the inside of the derp module.
 *
 * Files: frames.c the frame table, packets.c the packet path, login.c and
 * client_info.c the login, mesh.c and realms.c what other relays may,
 * server_key.c and meta_cert.c who we are, shared_keys.c whom we have met,
 * routes.c the HTTP side, derp.c the module.
 *
 * A connection:  LOGIN -ClientInfo-> ADMITTING -admitted()-> OPEN
 *                  `--------- a broken rule: CLOSED ---------' */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/derp.h>
#include <hyper-derp/http.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <sodium.h>

#define DERP_SERVER_INFO_JSON "{\"version\":2}" /* DERP_VERSION */
#define DERP_SERVER_INFO_BYTES                                                 \
	(DERP_HEADER_BYTES + DERP_NONCE_BYTES + DERP_MAC_BYTES +               \
	 sizeof(DERP_SERVER_INFO_JSON) - 1)

struct derp_conf {
	uint64_t keepalive_ms, keepalive_proxied_ms;
	struct hd_secret private_key; /* empty: state_dir/derp.key */
	const char *home; /* the page at "/": home.c */
	struct hd_place at_home;
	struct hd_secret mesh_key; /* empty: no relay meshes with us */
};

/* Who this relay is: made by load(), constant while workers run. Lives in
 * memory of hd_secret_alloc(). */
struct derp_server {
	struct derp_identity id;
	char public_hex[2 * HD_KEY_BYTES + 1];
	char switching[256]; /* the 101 answer */
	size_t switching_len;
};
extern struct derp_server *derp_server;

enum derp_phase { DERP_LOGIN, DERP_ADMITTING, DERP_OPEN, DERP_CLOSED };

enum derp_timer { DERP_TIMER_KEEP_ALIVE };

/* Of one connection. Plain data: it moves between workers and survives a
 * reload; change state_version in derp.c with it. */
struct derp_state {
	struct hd_peer *peer; /* the core's; set in phase OPEN */
	uint32_t skip_bytes; /* still to come of an unknown frame */
	uint16_t jitter; /* of the keep-alive: 1/65536 of its range */
	uint8_t phase;
	bool not_ideal; /* the client would rather be elsewhere */
	bool preferred; /* we are its home relay */
	bool proxied; /* it came through a proxy */
	bool mesh; /* another relay: it has the mesh key, or a module says so */
	/* Sealed when the login is read, because the client's key has just
	 * been expanded then; sent when it is admitted. */
	uint8_t server_info[DERP_SERVER_INFO_BYTES];
	/* In what was padding: state of before it has 0 there. */
	uint8_t realms; /* it is one of ours, and has been told of all but one
			   of so many realms; 0: it is not */
};

/* What ClientInfo's JSON says. */
struct derp_client_info {
	int64_t version; /* 0: not said */
	bool has_mesh_key, can_ack_pings, is_prober, knows_realms;
	struct hd_key mesh_key;
	char app_name[64]; /* printable ASCII; longer ones are cut */
};

enum derp_refusal { /* of a login */
		    DERP_REFUSED_FRAME,
		    DERP_REFUSED_KEY,
		    DERP_REFUSED_BOX,
		    DERP_REFUSED_JSON,
		    DERP_REFUSED_TIMEOUT,
		    DERP_REFUSED_DENIED,
		    DERP_REFUSED_N
};

/* Close reasons, rows of the table in derp.c: the order stays, a reload may
 * find connections that are closing. */
enum derp_reason {
	DERP_REASON_LOGIN_FRAME,
	DERP_REASON_LOGIN_KEY,
	DERP_REASON_LOGIN_BOX,
	DERP_REASON_LOGIN_JSON,
	DERP_REASON_FRAME_LENGTH,
	DERP_REASON_FRAME_PRIVILEGED /* it needs the mesh key */
};

struct derp_numbers {
	struct hd_counter packets[2], bytes[2]; /* 1: disco */
	struct hd_counter pings, keep_alives;
	struct hd_counter gone_disconnected, gone_not_here;
	struct hd_counter forwarded[2], forwarded_bytes[2]; /* 1: disco */
	struct hd_counter presence, peers_closed;
	struct hd_counter unknown_frames, refused_length, refused_privileged;
	struct hd_counter upgrades_tcp, upgrades_websocket;
	struct hd_counter logins_refused[DERP_REFUSED_N];
	struct hd_gauge clients, clients_home, clients_not_ideal, mesh_peers;
};

static inline struct derp_numbers *derp_metrics(struct hd_module *mod,
						const struct hd_stream *s)
{
	return hd_metrics(mod, hd_stream_worker(s));
}

/* frames.c */
extern const struct hd_proto derp_proto;

/* packets.c */
/* derp_take_packets - as many whole SendPacket frames, and ForwardPacket frames
 * of another relay, as stand at the front. Returns the bytes used. */
size_t derp_take_packets(struct hd_module *mod, struct hd_stream *s,
			 const struct derp_state *d, uint8_t *p, size_t n);

/* adopted.c */
/* derp_count_client - it is admitted, or adopted.
 * derp_adopted - for struct hd_proto. */
void derp_count_client(struct derp_numbers *numbers,
		       const struct derp_state *d);
void derp_adopted(struct hd_module *mod, struct hd_stream *s, void *state,
		  struct hd_peer *peer);

/* login.c */
/* derp_login - a whole ClientInfo arrived; on success asks the core to admit.
 * @p  the payload; the box is opened in place
 * Returns 0; -EACCES refused: counted, logged, the stream closes. */
int derp_login(struct hd_module *mod, struct hd_stream *s, struct derp_state *d,
	       uint8_t *p, uint32_t len_bytes);
/* derp_present_flags - what it is, for other relays. */
uint32_t derp_present_flags(const struct derp_state *d, bool is_prober);
/* derp_login_refused - count, log and close a login that ends here. */
void derp_login_refused(struct hd_module *mod, struct hd_stream *s,
			enum derp_refusal why);

/* client_info.c */
/* derp_client_info_parse - as derper reads it: `null` is an empty object,
 * names in any letter case, unknown fields ignored.
 * Returns 0; -EBADMSG not JSON, bytes behind it, a field of the wrong type. */
int derp_client_info_parse(const char *json, size_t len_bytes,
			   struct derp_client_info *ret_info);

/* server_key.c */
/* derp_server_key_load - from the option, else from state_dir, else made and
 * kept there. Main thread; blocks. Returns 0 or negative errno. */
int derp_server_key_load(struct derp_server *server,
			 const struct hd_secret *option, struct hd_error *err);

/* shared_keys.c: of the relay's key and those of clients. Any thread. Keys have
 * crypto_box_BEFORENMBYTES. */
/* derp_shared_keys_start, derp_shared_keys_end - main thread, without workers;
 * the end wipes them. start returns whether there was memory. */
bool derp_shared_keys_start(void);
void derp_shared_keys_end(void);
/* derp_shared_key_find - returns whether it was kept.
 * @client  not 0 */
bool derp_shared_key_find(const struct hd_key *client, uint8_t *ret_shared);
/* derp_shared_key_keep - of a client that has proven its key: else whoever
 * names keys puts out those who have them. */
void derp_shared_key_keep(const struct hd_key *client, const uint8_t *shared);

/* mesh.c */
/* derp_mesh_key_load - from the option; empty: there is none. Main thread.
 * Returns 0; -EINVAL it is none. */
int derp_mesh_key_load(struct derp_server *server,
		       const struct hd_secret *option, struct hd_error *err);
/* derp_is_mesh - whether the login has our mesh key. Takes the same time
 * whatever it has. */
bool derp_is_mesh(const struct derp_client_info *info);
/* derp_take_watch, derp_take_close - frames of other relays, for the table in
 * frames.c; the length is right. Return 0; negative errno: close.
 * derp_presence - for struct hd_peer_ops. */
int derp_take_watch(struct hd_module *mod, struct hd_stream *s,
		    struct derp_state *d, uint8_t *p, uint32_t len_bytes);
int derp_take_close(struct hd_module *mod, struct hd_stream *s,
		    struct derp_state *d, uint8_t *p, uint32_t len_bytes);
void derp_presence(struct hd_module *mod, struct hd_peer *peer,
		   const struct hd_presence *what);

/* realms.c */
struct hd_presence;
/* derp_realms_tell - to a relay of ours: which realms there are here.
 * derp_realms_look - the same, if there are more by now.
 * derp_take_realms, derp_take_realm_forward - frames of such a relay, for the
 * table in frames.c.
 * derp_realm_presence - a key of another realm than "". Returns the frame's
 * length, at most DERP_HEADER_BYTES + DERP_REALM_KEY_MAX_BYTES. */
void derp_realms_tell(struct hd_stream *s, struct derp_state *d);
void derp_realms_look(struct hd_stream *s, struct derp_state *d);
int derp_take_realms(struct hd_module *mod, struct hd_stream *s,
		     struct derp_state *d, uint8_t *p, uint32_t len_bytes);
int derp_take_realm_forward(struct hd_module *mod, struct hd_stream *s,
			    struct derp_state *d, uint8_t *p,
			    uint32_t len_bytes);
size_t derp_realm_presence(uint8_t *frame, const struct hd_presence *what);

/* meta_cert.c */
/* derp_meta_cert_make - the certificate that tells a client our key within
 * the TLS handshake, so that it may start at once.
 * @ret_der  given: release with OPENSSL_free()
 * Returns the length; negative errno. */
int derp_meta_cert_make(const struct derp_server *server, uint8_t **ret_der,
			struct hd_error *err);

/* routes.c */
/* derp_home_check - returns 0, or a negative errno: no such page.
 * derp_answer_home - the page at "/". In a worker. */
int derp_home_check(const struct derp_conf *conf, struct hd_error *err);
void derp_answer_home(struct hd_module *mod, struct hd_request *req);
/* derp_routes_add - every path of the module. In load(). */
int derp_routes_add(struct hd_module *mod, struct hd_error *err);
