/* SPDX-License-Identifier: MIT */
/* modules/wg/roster.h - who may use the relay, and who with whom.
 *
 * Peers have a name, and a public key or a fixed endpoint or both; links are
 * pairs of peers, any number each. What the configuration lists is marked:
 * commands cannot change it and the roster's file does not repeat it.
 * No private key ever gets in here.
 * Context: the main thread. */
#pragma once
#include <hyper-derp/base.h>
#include <stdio.h>
#include <uthash.h>

enum {
	WG_NAME_MAX_BYTES = 63,
	WG_LABEL_MAX_BYTES = 255,
	WG_NIC_MAX_BYTES = 15, /* IFNAMSIZ - 1 */
	WG_KEY_TEXT_BYTES = 45, /* base64 and its end */
	WG_PEERS_MAX = 1000000,
	WG_LINKS_MAX = 4000000,
};

/* A refusal: what and why for people, the predecessor's word for programs. */
struct wg_refusal {
	struct hd_error err;
	const char *code; /* "wg_peer_unknown" */
};

struct wg_edge { /* a link as one of its ends sees it */
	struct wg_entry *peer; /* the other end */
	bool first; /* this end was named first */
	bool fixed; /* by the configuration */
};

struct wg_entry {
	uint64_t id; /* never used again; grows with the age of the roster */
	char name[WG_NAME_MAX_BYTES + 1];
	struct hd_key key; /* all zero: none */
	union hd_addr endpoint; /* AF_UNSPEC: none, it is learned */
	char *label; /* NULL: none */
	char nic[WG_NIC_MAX_BYTES + 1];
	bool fixed; /* by the configuration */
	bool fixed_nic; /* its interface too */
	struct wg_edge *edges;
	uint32_t n_edges, edges_size;
	UT_hash_handle by_name;
	union { /* it is found by the one or by the other */
		UT_hash_handle by_key, by_endpoint;
	};
};

struct wg_roster {
	struct wg_entry *by_name; /* in the order of their coming */
	struct wg_entry *by_key; /* those that have one */
	struct wg_entry *by_endpoint; /* those that have no key */
	uint64_t next_id;
	uint32_t n_peers, n_links;
};

/* What is said of a peer, as text; NULL or "": nothing. In an update NULL
 * leaves it as it is, and "-" takes it away. */
struct wg_entry_text {
	const char *name, *endpoint, *pubkey, *label, *nic;
	bool fixed;
};

/* wg_roster_free - accepts NULL; clears the pointer. */
struct wg_roster *wg_roster_new(void);
void wg_roster_free(struct wg_roster **roster);

struct wg_entry *wg_roster_find(const struct wg_roster *r, const char *name);
struct wg_entry *wg_roster_by_key(const struct wg_roster *r,
				  const struct hd_key *key);
/* wg_roster_peer - the same as wg_roster_find, or a refusal. */
struct wg_entry *wg_roster_peer(const struct wg_roster *r, const char *name,
				struct wg_refusal *why);

/* All below return 0 or a negative errno with the reason in why; the roster
 * has not changed then. */

/* wg_roster_add - a new peer. It needs a key or an endpoint. */
int wg_roster_add(struct wg_roster *r, const struct wg_entry_text *text,
		  struct wg_entry **ret_peer, struct wg_refusal *why);
/* wg_roster_update - change a peer; text->name says which. */
int wg_roster_update(struct wg_roster *r, const struct wg_entry_text *text,
		     struct wg_refusal *why);
/* wg_roster_restore - the values that it had: they raise no question. */
void wg_roster_restore(struct wg_roster *r, struct wg_entry *p,
		       struct wg_entry *values);
/* wg_roster_detach - take a peer and its links out of the roster, which hold on
 * to each other: wg_roster_attach() undoes it, wg_entry_free() ends it. */
void wg_roster_detach(struct wg_roster *r, struct wg_entry *p);
void wg_roster_attach(struct wg_roster *r, struct wg_entry *p);
void wg_entry_free(struct wg_entry **p); /* of no roster */

/* wg_roster_link - a and b may exchange packets. */
int wg_roster_link(struct wg_roster *r, const char *a, const char *b,
		   bool fixed, struct wg_refusal *why);
int wg_roster_unlink(struct wg_roster *r, const char *a, const char *b,
		     struct wg_refusal *why);
/* wg_edge_find - NULL: there is none. */
struct wg_edge *wg_edge_find(const struct wg_entry *a,
			     const struct wg_entry *b);

/* The other ends' halves of a peer's links: gone, back. For detach, attach. */
void wg_edges_drop(struct wg_roster *r, const struct wg_entry *p);
void wg_edges_back(struct wg_roster *r, struct wg_entry *p);

/* wg_fixed_check - whether commands may change the peer.
 * wg_refuse - fill why; returns r. */
int wg_fixed_check(const struct wg_entry *p, struct wg_refusal *why);
int wg_refuse(struct wg_refusal *why, int r, const char *code, const char *fmt,
	      ...) HD_PRINTF(4, 5);

static inline bool wg_entry_has_key(const struct wg_entry *p)
{
	static const struct hd_key none;

	return __builtin_memcmp(&p->key, &none, sizeof(none)) != 0;
}

static inline bool wg_entry_has_endpoint(const struct wg_entry *p)
{
	return p->endpoint.sa.sa_family != AF_UNSPEC;
}

/* ---- roster_values.c: text of single values ---- */

/* Return 0 or -EINVAL with the reason in why. */
int wg_name_check(const char *name, struct wg_refusal *why);
int wg_nic_check(const char *nic, struct wg_refusal *why);
int wg_label_check(const char *label, struct wg_refusal *why);
int wg_key_parse(const char *text, struct hd_key *ret, struct wg_refusal *why);
/* 192.0.2.1:51820, [2001:db8::1]:51820; an IPv4-mapped address is IPv4. */
int wg_addr_parse(const char *text, union hd_addr *ret, struct wg_refusal *why);
const char *wg_key_text(const struct hd_key *key, char buf[WG_KEY_TEXT_BYTES]);

/* ---- roster_looks.c: what is almost a key or an address ---- */

/* A key with a character too few or too many, a piece of one, one in hex; an
 * address with a port or without, a good one or not. */
bool wg_looks_like_key(const char *text);
bool wg_looks_like_hex(const char *text);
bool wg_looks_like_addr(const char *text);
/* wg_addr_check - 0.0.0.0, ::, multicast and broadcast are nobody's.
 * wg_looks_check - of what somebody enters. A file of an earlier relay may have
 * worse, and is taken.
 * Return 0 or -EINVAL with the reason in why. */
int wg_addr_check(const union hd_addr *addr, struct wg_refusal *why);
int wg_looks_check(const struct wg_entry *p, struct wg_refusal *why);

/* ---- roster_change.c: several changes, all or none ---- */

enum wg_change_kind {
	WG_PEER_ADDED,
	WG_PEER_UPDATED,
	WG_PEER_REMOVED, /* and its links */
	WG_LINK_ADDED,
	WG_LINK_REMOVED,
};

struct wg_change {
	enum wg_change_kind kind;
	struct wg_entry *a, *b; /* b: of links */
	struct wg_entry *old; /* WG_PEER_UPDATED: its values before */
};

struct wg_changes { /* zeroed at first */
	struct wg_change *v;
	size_t n, size;
};

/* The operations above, kept account of. */
int wg_change_add(struct wg_changes *c, struct wg_roster *r,
		  const struct wg_entry_text *text, struct wg_refusal *why);
int wg_change_update(struct wg_changes *c, struct wg_roster *r,
		     const struct wg_entry_text *text, struct wg_refusal *why);
int wg_change_remove(struct wg_changes *c, struct wg_roster *r,
		     const char *name, struct wg_refusal *why);
int wg_change_link(struct wg_changes *c, struct wg_roster *r, const char *a,
		   const char *b, struct wg_refusal *why);
int wg_change_unlink(struct wg_changes *c, struct wg_roster *r, const char *a,
		     const char *b, struct wg_refusal *why);
/* wg_changes_undo - the roster is as it was.
 * wg_changes_free - they stand; forget how to undo them. */
void wg_changes_undo(struct wg_changes *c, struct wg_roster *r);
void wg_changes_free(struct wg_changes *c);

/* ---- roster_text.c: the file's grammar ----
 *
 *   # comment
 *   peer NAME IP:PORT|- [KEY|- [LABEL...]]
 *   link NAME NAME
 *   nic NAME INTERFACE
 *
 * as the predecessor wrote it; "-" is new and says: none. Lines may come in
 * any order. */

/* wg_text_apply - add what a text says.
 * @file  its name, for messages; NULL: "line 7" has to do
 * A peer that the configuration lists is passed over: the configuration wins.
 * So is a link that there is already, and a peer of which the text says what
 * is known: the same text may be applied twice.
 * Returns 0; -EINVAL with FILE:LINE in why; -ENOMEM. Then the changes made so
 * far are in c, to be undone. */
int wg_text_apply(struct wg_changes *c, struct wg_roster *r, const char *file,
		  const char *text, size_t n, struct wg_refusal *why);
/* wg_text_print - all that the configuration does not list. */
void wg_text_print(const struct wg_roster *r, FILE *out);

/* ---- roster_seal.c: the file is whole, or refused ----
 *
 *   # Hyper-DERP's WireGuard peers, sealed by the last line: …
 *   peer alice - KEY
 *   # end lines=2 sha256=HEX
 *
 * The hash is of everything before the last line: `head -n -1 | sha256sum`.
 * A file without our first line is from an earlier relay, or somebody has
 * edited it and taken the line away: it is not sealed. */

#define WG_SEAL_FIRST                                                          \
	"# Hyper-DERP's WireGuard peers, sealed by the last line: change "    \
	"them with hdctl wg. Who edits this file takes this line away.\n"

/* wg_seal_print - the roster, and what seals it.
 * @ret  the caller's: free()
 * Returns 0; -ENOMEM. */
int wg_seal_print(const struct wg_roster *r, char **ret, size_t *ret_n);
/* wg_seal_check - whether a text is whole.
 * @file  its name, for messages; NULL: an import, "line 7" has to do
 * Returns 1 it is; 0 it is not sealed; -EBADMSG it is empty, cut off or
 * changed, with FILE:LINE and a remedy in why. */
int wg_seal_check(const char *file, const char *text, size_t n,
		  struct wg_refusal *why);
