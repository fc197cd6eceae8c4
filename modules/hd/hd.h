/* SPDX-License-Identifier: MIT */
/* modules/hd/hd.h - the inside of the hd module.
 *
 * Files: routes.c the HTTP side and RelayHello, enroll.c the login, addresses.h
 * who has enrolled before, frames.c the frame table and the receive loop,
 * packets.c packets, knocks and contacts, grouped.c a client's groups, groups.h
 * who is in one, intents.c what two clients want of their path, udp.c datagrams
 * and whose they are, path*.c a client's way by UDP, moved.c ids of another
 * process, udp_keys.c what seals datagrams, tell.c what the relay tells a
 * client, signals.c what relays tell each other, late.c and owed.c what waits
 * for a key that may come, contacts.c whom a client allows, proofs.c why a
 * client should be welcome, credential.c what operators sign, admission.c the
 * admit hook, people.h whom the operator knows, keys.c who we are, bech32.c
 * keys as text, commands*.c what operators ask and order, upgrade.c what goes
 * to a new process, redirect.h who belongs to another relay, hd.c the module.
 *
 * A connection:  HELLO -Enroll, proven-> ADMITTING -admitted()-> OPEN
 *                  `---------- a broken rule: CLOSED -----------' */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/datagram.h>
#include <hyper-derp/hd.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/http.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/tls.h>
#include <sodium.h>
#include "modules/hd/contacts.h"
#include "modules/hd/groups.h"
#include "modules/hd/rule.h"
#include "modules/hd/signals.h"

#define HDP_REALM "hd"
#define HDP_IDENTITY_PART "hd"
#define HDP_IDENTITY_TEXT_BYTES 64 /* with its NUL */
#define HDP_REDIRECTS_MAX 8
#define HDP_REDIRECT_HOST_MAX_BYTES 255
#define HDP_OPERATORS_MAX 8 /* each costs a refused credential 0.1 ms */

enum hdp_who { /* `enroll:`'s choices; each lets in those before it, too */
	       HDP_WHO_NOBODY,
	       HDP_WHO_INVITED, /* or with a credential, or approved before */
	       HDP_WHO_APPROVED, /* others wait for a person */
	       HDP_WHO_ANYBODY,
};

struct hdp_conf {
	uint64_t keepalive_ms, contacts_max, approval_ms;
	uint64_t enroll; /* enum hdp_who */
	struct hd_place at_operators, at_redirect;
	struct hd_place at_private_key, at_operator_key;
	struct hd_list operators; /* texts of identities, beside our own */
	struct hd_list redirect; /* HOST[:PORT] of other relays */
	HD_ENTRIES_OF(struct hdp_redirect_rule) redirect_rules;
	struct hd_secret private_key, operator_key; /* empty: in state_dir */
	union hd_addr udp; /* family AF_UNSPEC: no UDP */
	bool bridge; /* our clients are in DERP's realm */
	uint64_t udp_port; /* that clients are told; 0: udp's */
};

struct hdp_key { /* an Ed25519 key with its secret */
	uint8_t identity[crypto_sign_PUBLICKEYBYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	char text[HDP_IDENTITY_TEXT_BYTES];
};

/* Who this relay is: made by load(), constant while workers run. Lives in
 * memory of hd_secret_alloc(). */
struct hdp_relay {
	struct hdp_key key, operator_key;
	uint8_t inviting[crypto_auth_hmacsha256_KEYBYTES]; /* of secrets of
							      invitations */
	uint8_t bridging[crypto_generichash_KEYBYTES]; /* signals.c */
	uint16_t realm; /* of clients that log in */
};
extern struct hdp_relay *hdp_relay;
extern struct hdp_groups *hdp_groups; /* for workers that begin */

enum hdp_phase { HDP_HELLO, HDP_ADMITTING, HDP_OPEN, HDP_CLOSED };
enum hdp_timer { HDP_TIMER_KEEP_ALIVE };

struct hdp_bucket { /* so many at once, one a second */
	uint64_t paid_ms; /* until when what was taken is paid for */
};

/* Of one connection. It moves between workers and survives a reload; change
 * state_version in hd.c with it, and upgrade.c with its pointers. */
struct hdp_state {
	struct hd_peer *peer; /* the core's; set in phase OPEN */
	struct hdp_contacts contacts;
	struct hdp_bucket knocks_in, knocks_out; /* from it; to it */
	struct hdp_bucket visits;
	struct hd_key visitor; /* that it has been told of last, */
	uint64_t visited_ms; /* and when */
	struct hdp_path *path; /* by UDP; NULL: it has none */
	struct hdp_claim *claim; /* until it is admitted; NULL: none */
	uint64_t waits; /* its number among those who wait for a person */
	uint32_t skip_bytes; /* still to come of an unknown frame */
	uint8_t phase;
	uint8_t denied; /* enum hdp_denied, if a hook says no; 0: WELCOME */
	bool wants_knocks, wants_udp, wants_visitors;
	union {
		uint8_t identity[HD_KEY_BYTES];
		uint8_t binding[HDP_BINDING_BYTES]; /* in HELLO; 0: none */
	};
	uint8_t operator_identity[HD_KEY_BYTES]; /* whose groups it names */
	bool has_operator; /* by its credential; else it is this relay's */
	uint64_t credential; /* the beginning of its subject; 0: it has none */
	bool in_group; /* it has joined */
	struct hdp_group group, allows[HDP_GROUPS_ALLOWED_MAX];
	struct hdp_copies copies;
};

enum hdp_refusal { /* of an enrolment */
		   HDP_REFUSED_FRAME,
		   HDP_REFUSED_VERSION,
		   HDP_REFUSED_IDENTITY,
		   HDP_REFUSED_SIGNATURE,
		   HDP_REFUSED_WELCOME,
		   HDP_REFUSED_PROOFS,
		   HDP_REFUSED_OPERATOR,
		   HDP_REFUSED_EXPIRED,
		   HDP_REFUSED_SUBJECT,
		   HDP_REFUSED_DENIED, /* by a hook */
		   HDP_REFUSED_TIMEOUT,
		   HDP_REFUSED_N
};

enum hdp_udp_drop { /* of a datagram, or of the packet in it */
		    HDP_UDP_DROP_SHAPE,
		    HDP_UDP_DROP_UNKNOWN, /* no such connection */
		    HDP_UDP_DROP_FORGED,
		    HDP_UDP_DROP_REPLAY,
		    HDP_UDP_DROP_LIMIT, /* the client's limits */
		    HDP_UDP_DROP_BUSY, /* its worker */
		    HDP_UDP_DROP_N
};

/* Close reasons, rows of the table in hd.c: the order stays, a reload may find
 * connections that are closing. */
enum hdp_reason {
	HDP_REASON_ENROLL_FRAME,
	HDP_REASON_ENROLL_VERSION,
	HDP_REASON_ENROLL_IDENTITY,
	HDP_REASON_ENROLL_SIGNATURE,
	HDP_REASON_ENROLL_WELCOME,
	HDP_REASON_FRAME_LENGTH,
	HDP_REASON_ENROLL_PROOFS,
	HDP_REASON_ENROLL_CREDENTIAL,
};

struct hdp_numbers {
	struct hd_counter packets_in, packet_bytes_in;
	struct hd_counter packets_no_handle, packets_not_allowed;
	struct hd_counter knocks, knocks_dropped, visitors;
	struct hd_counter group_copies, group_copies_dropped, groups_full;
	struct hd_counter unknown_frames, refused_length;
	struct hd_counter refused_proxy, enrolls_refused[HDP_REFUSED_N];
	struct hd_gauge clients, contacts;
	struct hd_counter udp_packets_in, udp_packets_out;
	struct hd_counter udp_dropped[HDP_UDP_DROP_N];
	struct hd_counter paths_found, paths_lost;
	struct hd_gauge paths;
};

struct hdp_worker { /* of a worker; plain memory, a reload keeps it */
	struct hd_udp *udp; /* NULL: no UDP */
	struct hdp_path_slot *slots;
	uint32_t n_slots, first_free; /* number + 1; 0: none is free */
	struct hdp_path_block *blocks; /* that paths are cut from */
	void *free_paths; /* the first one, which points to the next */
	struct hdp_moved *moved; /* ids of another process; NULL: none */
	struct hdp_groups *groups; /* of all workers */
	struct hdp_owed *owed; /* owed.c; NULL: nothing yet */
	struct hdp_addresses *addresses; /* of who has enrolled here */
};

static inline struct hdp_numbers *hdp_metrics(struct hd_module *mod,
					      const struct hd_stream *s)
{
	return hd_metrics(mod, hd_stream_worker(s));
}

/* ---- upgrade.c ---- */
extern const struct hd_upgrade_def hdp_upgrade;

/* ---- frames.c ---- */
extern const struct hd_proto hdp_proto;

/* ---- routes.c ---- */
int hdp_routes_add(struct hd_module *mod, struct hd_error *err);

/* ---- enroll.c ---- */
/* hdp_binding - the exporter of this connection: RFC 9266; d keeps it for the
 * Enroll. Returns as hd_stream_export(). */
int hdp_binding(struct hd_stream *s, struct hdp_state *d,
		uint8_t ret[HDP_BINDING_BYTES]);
/* hdp_enroll - an Enroll frame has come; on success asks the core to admit.
 * Returns 0; -EACCES refused: counted, logged, told, the stream closes. */
int hdp_enroll(struct hd_module *mod, struct hd_stream *s, struct hdp_state *d,
	       uint8_t *p, uint32_t len_bytes);
/* hdp_enroll_refused - count, log, tell and close. Returns -EACCES. */
int hdp_enroll_refused(struct hd_module *mod, struct hd_stream *s,
		       enum hdp_refusal why);

/* ---- proofs.c ---- */
/* hdp_grant - what goes with being welcome. */
struct hdp_grant {
	char name[HDP_WORD_MAX_BYTES + 1];
	char tenant[HDP_WORD_MAX_BYTES + 1]; /* "": none */
	uint64_t bytes_per_s; /* 0: no limit, as connections */
	uint32_t connections;
};
/* hdp_claim - what a client has proven beside its identity, or says: the MAC of
 * an invitation is looked at later. Plain memory, from malloc(). Logins wait
 * with one over a reload: change state_version with it, as hdp_state says. */
struct hdp_claim {
	bool has_invitation, has_credential;
	uint8_t id[HDP_INVITATION_ID_BYTES], mac[HDP_MAC_BYTES];
	uint8_t binding[HDP_BINDING_BYTES];
	struct hd_key subject; /* the credential's, as an address */
	uint8_t operator_identity[HD_KEY_BYTES]; /* who has signed it */
	struct hdp_group group; /* that it names */
	char group_name[HDP_WORD_MAX_BYTES + 1]; /* for people */
	struct hdp_grant grant; /* the credential's */
};
/* hdp_claim_of - of what an Enroll has; after its signature has been checked.
 * @ret  NULL: it claims nothing; else the caller's: free()
 * Returns 0; the refusal, an enum hdp_refusal, above 0; -ENOMEM. */
int hdp_claim_of(const struct hdp_conf *conf, const struct hdp_enroll *e,
		 const uint8_t *binding, struct hdp_claim **ret);
/* hdp_claim_subject - what a client that is let in keeps of its credential, to
 * be found if that is denied: the beginning of an address. Two that are alike
 * are out together; nobody makes such a pair of keys by chance.
 * @claim  NULL: it has none. Returns 0: it has no credential. */
uint64_t hdp_claim_subject(const struct hdp_claim *claim);
uint64_t hdp_subject_of(const struct hd_key *address);
/* hdp_invitation_mac - of a client, on a connection.
 * hdp_invitation_secret - follows from the id: it is kept nowhere. */
void hdp_invitation_mac(const uint8_t *id, const uint8_t *binding,
			const uint8_t *identity, uint8_t ret[HDP_MAC_BYTES]);
void hdp_invitation_secret(const uint8_t *id,
			   uint8_t ret[HDP_INVITATION_SECRET_BYTES]);
/* hdp_identity_parse - text to identity. Returns whether it is one. */
bool hdp_identity_parse(const char *text, uint8_t *ret);

/* ---- credential.c ---- */
#define HDP_CREDENTIAL_PART "hdcred"
#define HDP_CREDENTIAL_TEXT_BYTES                                              \
	(16 + (8 * (1 + 32 + HDP_STATEMENT_MAX_BYTES) + 4) / 5)
/* hdp_credential_new - signed by our operator's key.
 * @subject  an identity; NULL: a key is made, and handed out with it
 * @group    "": none */
void hdp_credential_new(const struct hdp_grant *grant, const char *group,
			const uint8_t *subject, uint64_t issued_s,
			uint64_t expires_s,
			char ret[HDP_CREDENTIAL_TEXT_BYTES]);

/* ---- late.c ---- */
/* hdp_late - for hd_hook_unknown(). */
hd_unknown_fn hdp_late;

/* ---- admission.c ---- */
int hdp_admission_add(struct hd_module *mod, struct hd_error *err);
/* hdp_admission_waits - for a person, who has not answered.
 * hdp_admission_over - it has been admitted, or has ended. */
bool hdp_admission_waits(const struct hdp_state *d);
void hdp_admission_over(struct hdp_state *d);

/* ---- packets.c; the client is OPEN. Those for the table in frames.c return
 * 0, or negative errno: refused, the stream closes ---- */
/* hdp_take_packets - as many whole Packets frames as stand at the front.
 * Returns the bytes used. Nothing in it allocates. */
size_t hdp_take_packets(struct hd_module *mod, struct hd_stream *s,
			struct hdp_state *d, uint8_t *p, size_t n);
int hdp_take_packet_to(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_allow(struct hd_module *mod, struct hd_stream *s,
		   struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_forbid(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_knock(struct hd_module *mod, struct hd_stream *s,
		   struct hdp_state *d, uint8_t *p, uint32_t len_bytes);

/* ---- grouped.c ---- */
/* hdp_grouped_begin - in admitted(). @claim  NULL: it has none
 * hdp_grouped_tell_full - behind Welcome, and each time that an empty Health
 * has been due: it has no place in its group. Returns whether that is so.
 * hdp_grouped_again - there may be one by now.
 * hdp_grouped_allows - whether a client allows who is in a group.
 * hdp_grouped_tell_allowed - I have allowed you, and this is my group. */
void hdp_grouped_begin(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d, const struct hdp_claim *claim);
bool hdp_grouped_tell_full(struct hd_stream *s, const struct hdp_state *d);
void hdp_grouped_again(struct hd_module *mod, struct hd_stream *s,
		       struct hdp_state *d);
void hdp_grouped_adopted(struct hd_module *mod, struct hd_stream *s,
			 struct hdp_state *d);
void hdp_grouped_end(struct hd_module *mod, struct hd_stream *s,
		     struct hdp_state *d);
bool hdp_grouped_allows(struct hdp_state *d, const uint8_t *id);
void hdp_grouped_tell_allowed(struct hdp_state *d, const struct hd_key *to);
int hdp_take_allow_group(struct hd_module *mod, struct hd_stream *s,
			 struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_forbid_group(struct hd_module *mod, struct hd_stream *s,
			  struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_packet_to_group(struct hd_module *mod, struct hd_stream *s,
			     struct hdp_state *d, uint8_t *p,
			     uint32_t len_bytes);

/* ---- tell.c ---- */
extern const struct hd_peer_ops hdp_peer_ops;
void hdp_tell_denied(struct hd_stream *s, enum hdp_denied why,
		     const char *text);
void hdp_tell_health(struct hd_stream *s, const char *text);
void hdp_tell_pending(struct hd_stream *s, const char *text);
void hdp_tell_welcome(struct hd_stream *s, const struct hdp_conf *conf,
		      const struct hd_key *address);
void hdp_tell_contact(struct hd_stream *s, uint32_t handle,
		      const struct hd_key *address, uint8_t flags);
/* hdp_bucket_take - Returns whether there was one. */
bool hdp_bucket_take(struct hdp_bucket *b, uint64_t now_ms);

/* ---- udp.c; context: the worker ---- */
/* hdp_udp_start - the socket, if there is to be one. Returns as hd_udp_open().
 * hdp_udp_stop - all paths have ended, or new code takes them over.
 * hdp_udp_path_new - zeroed; NULL: out of memory. hdp_udp_path_free - wiped.
 * hdp_udp_place - its number becomes path->conn. Returns 0; -ENOMEM; -ENOSPC.
 * hdp_udp_place_moved - the same, but path->conn stays what it is; -EEXIST.
 * hdp_udp_remove - the other way.
 * hdp_udp_paths - how many this worker has. hdp_udp_hold_moved - ids that
 * another process has given; it holds them, too, and enters those of paths that
 * have come ahead. Returns as hdp_moved_add(). */
int hdp_udp_start(struct hd_module *mod, struct hd_worker *w,
		  struct hd_error *err);
void hdp_udp_stop(struct hd_module *mod, struct hd_worker *w);
struct hdp_path *hdp_udp_path_new(struct hd_module *mod, struct hd_worker *w);
void hdp_udp_path_free(struct hd_module *mod, struct hd_worker *w,
		       struct hdp_path *path);
int hdp_udp_place(struct hd_module *mod, struct hd_worker *w,
		  struct hdp_path *path);
int hdp_udp_place_moved(struct hd_module *mod, struct hd_worker *w,
			struct hdp_path *path);
size_t hdp_udp_paths(struct hd_module *mod, struct hd_worker *w);
int hdp_udp_hold_moved(struct hd_module *mod, struct hd_worker *w,
		       struct hdp_moved *moved);
void hdp_udp_remove(struct hd_module *mod, struct hd_worker *w,
		    struct hdp_path *path);
/* hdp_udp_of - where a worker sends from; NULL: it has no UDP. */
struct hd_udp *hdp_udp_of(struct hd_module *mod, struct hd_worker *w);

/* ---- path.c; context: the client's home worker ---- */
/* hdp_path_begin - in admitted(): keys, and the offer to the client.
 * hdp_path_adopted - from another process: d->path gets its place, or goes.
 * hdp_path_end - NULL is nothing.
 * hdp_path_take - a datagram that names this path, from anybody.
 * hdp_path_send - a packet to the client. Returns false: not that way.
 * hdp_take_udp_lost - the client hears nothing by UDP: for frames.c. */
void hdp_path_begin(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d);
void hdp_path_adopted(struct hd_module *mod, struct hd_stream *s,
		      struct hdp_state *d);
void hdp_path_end(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d);
void hdp_path_take(struct hd_module *mod, struct hdp_path *path,
		   const struct hdp_udp_head *head,
		   const struct hd_datagram *dg);
bool hdp_path_send(struct hd_module *mod, struct hdp_path *path,
		   uint32_t handle, const struct hd_packet *packet);
int hdp_take_udp_lost(struct hd_module *mod, struct hd_stream *s,
		      struct hdp_state *d, uint8_t *p, uint32_t len_bytes);

/* ---- packets.c again ---- */
/* hdp_send_packet - one that has come by UDP. Returns whether there is somebody
 * behind its handle.
 * hdp_allowed_again - tells an address once more that it is allowed, if it
 * still is. */
bool hdp_send_packet(struct hdp_state *d, uint32_t handle, const uint8_t *p,
		     uint32_t len_bytes);
void hdp_allowed_again(struct hdp_state *d, const struct hd_key *to);

/* ---- keys.c ---- */
/* hdp_keys_load - the relay's and the operator's: from the options, else from
 * state_dir, else made and kept there. Main thread; blocks. Returns 0 or
 * negative errno.
 * hdp_keys_check - whether the options' files hold keys. Likewise. */
int hdp_keys_load(struct hdp_relay *relay, const struct hdp_conf *conf,
		  struct hd_error *err);
int hdp_keys_check(const struct hdp_conf *conf, struct hd_error *err);
