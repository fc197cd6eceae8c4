/* SPDX-License-Identifier: MIT */
/* modules/wg/state.h - what the engine knows. All of it is plain memory of one
 * worker, without a pointer to code: a reload of the module keeps it. Whoever
 * changes a struct here raises WG_STATE_VERSION. */
#pragma once
#include <hyper-derp/datagram.h>
#include <hyper-derp/event.h>
#include <hyper-derp/timer.h>
#include "bpf/wg_relay.h"
#include "modules/wg/engine.h"
#include "modules/wg/mac1.h"
#include "modules/wg/table.h"
#include "modules/wg/yaml.h"

#define WG_STATE_VERSION 9

/* Seconds of the WireGuard protocol (whitepaper, section 6.1). */
#define WG_REJECT_AFTER_MS 180000
#define WG_COOKIE_MS 120000
#define WG_PENDING_MS 30000
#define WG_ALIVE_MS 30000 /* a keepalive is due after 25 s */
#define WG_SETTLE_MS 12000 /* who is asked says something within 10 s */

enum {
	WG_POOL_PEERS = 1 << 20,
	WG_POOL_LINKS = 1 << 22,
	WG_PENDING_MAX = 16384,
	WG_CALLERS_MAX = 16384,
	WG_SOURCES_MAX = 16384,
	WG_BLOCKS_MAX = 8192,
	WG_DROP_SOURCES_MAX = 256,
	WG_RINGS_MAX = 65536,
	WG_HOT_KEYS = 64,
	WG_SEARCHES_MAX = 128,
	WG_STANDING_MAX = 8, /* sessions of a link that stand */
	WG_NEWCOMERS_MAX = 8, /* others, of each kind (standing.c) */
	WG_STANDING_AWAY_MAX = 4, /* with one end elsewhere; with both */
	WG_LINK_SESSIONS = WG_STANDING_MAX + 2 * WG_STANDING_AWAY_MAX +
			   3 * WG_NEWCOMERS_MAX,
	WG_TARGETS = 5,
	WG_FEW_LINKS = 64, /* so many are looked through at once */
};

struct wg_conf {
	uint64_t port;
	union hd_addr listen; /* family 0: any address, that port */
	struct wg_yaml yaml;
	const char *roster_path; /* NULL: in state_dir */
	uint64_t xdp; /* enum wg_xdp_mode */
	const char *xdp_interface;
	uint64_t source_rate, dest_rate, pressure;
	uint64_t search_rate;
};

struct wg_bucket { /* thousandths of a token */
	uint64_t at_ms;
	uint32_t milli;
};

/* Addresses that may be somebody. Newest first. */
struct wg_ring {
	struct wg_addr addr[WG_CANDIDATES];
};

struct wg_peer {
	struct wg_item item;
	uint64_t serial; /* never used twice, as the id is */
	char name[WG_NAME_BYTES];
	char nic[WG_NIC_BYTES];
	uint8_t key[WG_KEY_BYTES];
	bool has_key, fixed;
	struct wg_addr pinned; /* as the roster says, if it does */
	struct wg_addr endpoint; /* proven, or the pinned one */
	struct wg_addr local; /* our address that it speaks to */
	uint32_t *links; /* ids */
	uint32_t n_links, links_cap;
	struct wg_ring *could_be; /* who may be this peer */
	struct wg_ring *callers; /* who asked for it: with many links */
	struct wg_bucket inits; /* that come to it from unknown addresses */
	uint64_t crowded_ms; /* until: these must prove themselves */
	uint64_t asked_ms; /* for a cookie, as a responder */
	uint64_t seen_ms, handshake_ms, relearned;
	uint64_t alive_ms; /* at its endpoint, by more than an initiation */
	uint64_t placed_ms; /* its session showed its endpoint then */
	struct wg_count rx, tx;
	uint64_t drops[WG_DROP_N];
};

/* peer[0] has the smaller id. */
struct wg_link {
	struct wg_item item;
	uint32_t peer[2];
	uint32_t at[2]; /* where it stands in the peer's list */
	uint32_t newest; /* session, then by `older`; WG_NONE */
	bool trusted; /* each has proven where the other is */
	uint64_t handshake_ms;
	struct wg_count sum[2]; /* from peer[i] */
};

struct wg_end { /* of a session; what goes TO it carries `index` */
	struct wg_addr addr, local;
	uint32_t index;
	bool xdp; /* the kernel forwards what comes FROM here */
	uint64_t xdp_ms; /* when it last did */
	uint64_t next; /* above all counters seen from here */
	struct wg_count sum; /* from here, not yet in the link's numbers */
};

struct wg_roam { /* where an end may be */
	struct wg_addr addr, local;
	uint64_t last_ms;
	uint64_t next;
	uint64_t asked_ms; /* since then the old one is silent; 0: none */
	uint32_t credit_bytes; /* that may go there */
	uint32_t sent_bytes; /* came from there until then */
	bool gone; /* the old one: silent for so long */
	bool doubted; /* nobody answered from there: never again */
};

/* What a packet needs comes first: few cache lines, whatever the number of
 * sessions. */
struct wg_session {
	struct wg_item item;
	uint32_t link;
	uint32_t older; /* session of the link, or WG_NONE */
	uint8_t initiator; /* 0 or 1: which end */
	uint8_t proofs; /* ends that showed our cookie in its handshake */
	bool confirmed; /* the initiator has sent data */
	bool stands; /* both have, and nothing speaks against it */
	bool fast; /* so far nothing does: the kernel may forward it */
	uint8_t away; /* ends that were not at home at first, one bit each */
	uint8_t roams; /* ends that may have moved, one bit each */
	uint64_t used_ms;
	struct wg_end end[2]; /* end[i] is peer[i] of the link */
	uint64_t heard_ms[2]; /* of each end */
	uint64_t fresh_ms[2]; /* the same, with a counter not seen before */
	uint64_t made_ms, confirmed_ms;
	/* no packet needs these: */
	uint64_t read_ms, judged_ms;
	uint32_t ask_bytes[2]; /* initiations that may go to each end */
	struct wg_roam roam[2];
};

enum wg_proof { /* that somebody really is at an address */
		WG_PROOF_NONE,
		WG_PROOF_WAIVED, /* it has a responder's cookie and would refuse
				    ours */
		WG_PROOF_BEFORE, /* our cookie came back from it a while ago */
		WG_PROOF_NOW, /* this very message has it */
};

struct wg_pending { /* an initiation that may be answered */
	struct wg_item item;
	uint32_t index; /* sender_index */
	uint32_t to; /* peer */
	uint64_t to_serial;
	struct wg_addr from, local;
	struct wg_addr target[WG_TARGETS];
	uint32_t n_targets, n_cookies;
	enum wg_proof proof; /* of its source */
	bool known; /* the source is a peer that is linked with `to` */
	bool judge; /* sent to a confirmed endpoint: silence is a failure */
	bool answered;
	bool done; /* a later one, or this one, led to a session */
	uint64_t made_ms;
};

struct wg_at { /* a peer is, or has a session, at this address */
	struct wg_item item;
	struct wg_addr addr;
	uint32_t peer, refs;
};

struct wg_caller { /* an address that has proven itself, but not a key */
	struct wg_keyed keyed;
	struct wg_addr local;
	uint64_t proven_ms; /* until */
	uint64_t cookie_ms; /* until: it has a responder's cookie */
	uint64_t sent_ms, struck_ms;
	uint32_t credit_bytes; /* it may be sent as much as came from it */
	uint32_t last_peer; /* whom it wanted last, or WG_NONE */
	uint32_t spare; /* initiations without cookie: wg_caller_spare */
};

struct wg_source { /* an address without port that handshakes come from */
	struct wg_keyed keyed;
	struct wg_bucket inits, data;
	uint64_t suspect_ms; /* until: it must prove its address */
	uint32_t searches; /* that wait */
};

struct wg_block {
	struct wg_keyed keyed;
	uint64_t until_ms;
	bool below; /* the kernel drops its handshakes, too */
	in_port_t port; /* of the last strike, network order */
	uint64_t strike_ms[10]; /* newest first; 0 none */
};

struct wg_drop_source {
	struct wg_keyed keyed;
	uint64_t seen_ms;
	uint64_t drops[WG_DROP_N];
};

/* Looking for a key goes on over several turns. */
struct wg_search {
	struct wg_addr from, local;
	uint8_t message[148];
	uint32_t of; /* the links of this peer, or WG_NONE: of everybody */
	uint64_t of_serial;
	uint32_t at; /* the next to try */
	uint32_t pending; /* a response to it; WG_NONE: an initiation */
	enum wg_proof proof;
	bool known; /* its source is */
};

struct wg_searches { /* a queue */
	struct wg_search v[WG_SEARCHES_MAX];
	uint32_t first, n;
};

struct wg_numbers;

struct wg_engine {
	struct hd_module *mod;
	struct hd_worker *w;
	struct hd_udp *udp;
	struct wg_xdp *xdp; /* NULL: all goes through here */
	struct hd_timer *sweep, *search_timer, *save;
	struct wg_numbers *metrics; /* of the module in this worker */
	const struct wg_conf *conf;
	uint64_t now_ms;
	struct wg_hash_key hash;
	struct wg_pool peers, links, sessions, pendings, ats;
	struct wg_mac1_key *keys; /* by peer: a search reads only these */
	uint32_t keys_cap;
	struct wg_index by_key, by_name, by_pair, by_index, by_pending, by_try;
	struct wg_index by_addr;
	struct wg_book callers, sources, blocks, drop_sources;
	uint32_t rings;
	uint32_t hot[WG_HOT_KEYS]; /* peers whose key was found last */
	struct wg_searches *searches;
	struct wg_bucket unknown; /* initiations from unknown addresses */
	struct wg_bucket below_looks; /* looks, to block in the kernel */
	uint64_t pressure_ms; /* until */
	uint8_t secret[2][32]; /* of our cookies: now, before */
	uint64_t secret_ms;
	uint32_t swept_session, swept_pending; /* how far */
	uint64_t serial, swept_ms, dirty_ms, saved_ms;
	struct wg_saving *saving; /* under way */
	size_t saved_bytes; /* the last time */
	bool save_running;
	struct wg_totals sum;
	struct wg_relay_stats below; /* what the driver did, of all its loads */
};

struct wg_worker {
	struct wg_engine *engine; /* in worker 0 */
	uint64_t version; /* WG_STATE_VERSION */
};

enum { WG_XDP_PASS_N = 9 }; /* why the driver left it to us */

struct wg_traffic {
	struct hd_counter packets, bytes;
};

struct wg_numbers {
	struct wg_traffic rx, fwd, xdp; /* xdp: of both, in the kernel */
	struct hd_counter xdp_pass[WG_XDP_PASS_N];
	struct hd_counter handshakes, relearned, cookies;
	struct hd_counter drops[WG_DROP_N];
	struct hd_gauge peers, links, sessions, pending, blocked;
};
extern const struct hd_metric wg_metrics[];
extern const struct hd_event_def wg_events[]; /* tell.c */

#include "modules/wg/parts.h"
