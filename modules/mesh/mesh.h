/* SPDX-License-Identifier: MIT */
/* modules/mesh/mesh.h - the inside of the mesh module: this relay is a client
 * of other relays of its region, with their mesh key, and learns which keys are
 * there. doc/reference/protocol-derp.md has the frames.
 *
 * Files: member.c whom to dial, list.c lists of members, dns.c those that DNS
 * names, sources.c files and DNS looked at from time to time, links.c the links
 * of a worker, link.c the life of one, greet.c up to the login, frames.c what
 * comes and goes then, realms.c the same of other realms, health.c is it alive,
 * demand.c links that another module wishes for, commands.c what operators ask,
 * upgrade.c what goes to a new process.
 *
 *   WAITING --timer--> DIALLING --> GREETING --first PeerPresent--> UP
 *      ^                  |            |`-- our own key --> SELF    |
 *      `------------------+------------+-----------------------------'
 *
 * Each link lives in one worker, by its name. Packets to us come over the
 * connection that the other relay has opened, to the module derp: what comes
 * over ours are keys, not packets. */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/derp.h>
#include <hyper-derp/dial.h>
#include <hyper-derp/link.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/relay.h>
#include <hyper-derp/timer.h>
#include <hyper-derp/worker.h>

#define MESH_NAME_BYTES 262 /* host, colon, port, NUL */
#define MESH_REALM 0 /* that of derper's frames; others: realms.c */
#define MESH_MEMBERS_MAX 256 /* of one source */

/* ---- the configuration ---- */

struct mesh_member_conf {
	struct hd_place at;
	const char *name, *dial, *ca_file, *pin;
	const char *server; /* no option: whom the certificate is for, if not
			       for the name */
	bool tls;
};

struct mesh_conf {
	struct hd_place at;
	HD_ENTRIES_OF(struct mesh_member_conf) members;
	const char *ca_file, *members_file, *members_dns;
	struct hd_place at_file, at_dns;
	uint64_t refresh_ms;
	uint64_t ping_ms, silence_ms, retry_max_ms, idle_ms;
};

/* mesh_member - whom to dial; all of it is its own. */
struct mesh_member {
	char name[MESH_NAME_BYTES]; /* "host" or "host:port" */
	char host[MESH_NAME_BYTES]; /* SNI, Host, the certificate's name */
	char dial[MESH_NAME_BYTES]; /* where; most often host */
	char *ca_file, *pin; /* NULL: unset */
	uint16_t port;
	bool tls;
};

/* ---- a link ---- */

enum mesh_state {
	MESH_WAITING, /* for its time */
	MESH_DIALLING,
	MESH_GREETING, /* connected; it has not said who is there */
	MESH_UP,
	MESH_SELF, /* it is this relay: never again */
};

/* mesh_source - who named it; a member that several name is the first one's. */
enum mesh_source {
	MESH_FROM_CONF,
	MESH_FROM_FILE,
	MESH_FROM_DNS,
	MESH_FROM_OPERATOR,
	MESH_ON_DEMAND, /* another module wishes for it: demand.c */
	MESH_SOURCES
};

/* Close reasons, rows of the table in mesh.c: the order stays. */
enum mesh_reason {
	MESH_REASON_SILENT,
	MESH_REASON_GREETING,
	MESH_REASON_FRAME,
	MESH_REASON_SELF,
	MESH_REASON_REMOVED,
};

struct mesh_numbers { /* of a link, for each worker */
	struct hd_gauge up, down, keys;
	struct hd_counter packets, bytes, drops, losses, failures;
	struct hd_histogram latency;
};

struct mesh_link {
	struct mesh_link *next;
	struct mesh_member to;
	enum mesh_source source;
	enum mesh_state state;
	struct hd_timer *timer; /* to dial; made by start() */
	uint64_t dial_id; /* DIALLING */
	struct hd_stream *stream; /* GREETING, UP; NULL else */
	uint64_t since_ms; /* up, or not up, since then; 0: new */
	unsigned tries; /* since it was up for long */
	bool refused; /* nothing but an operator can change that */
	bool full; /* it has told more keys than one may; said */
	/* one whose tenant had no number, of this connection; "" none */
	char refused_realm[HD_REALM_TEXT_BYTES];
	uint64_t ask_ms; /* for all keys again, not before */
	uint32_t ask_after_ms; /* so long after it was refused; 0: never was */
	bool marked; /* links.c: the configuration has it still */
	/* MESH_ON_DEMAND: */
	uint64_t wanted_ms; /* the last wish, or packet */
	uint64_t wanted_packets; /* that were seen then */
	struct mesh_wanted {
		struct hd_key key;
		uint16_t realm; /* held */
	} *waiting; /* ways to add when it is up; NULL: none */
	unsigned n_waiting;
	/* of the other relay */
	bool has_key;
	struct hd_key key;
	union hd_addr addr;
	char health[128]; /* what it says is wrong there */
	/* of the connection */
	uint64_t packets, bytes; /* in all, of all its connections */
	uint64_t packets_shown, bytes_shown; /* of it in the metrics */
	uint64_t drops, drops_shown; /* in all; of this connection */
	uint64_t latency_ns; /* smoothed; 0: not known */
	/* what went wrong last */
	char error[256];
	uint64_t error_ms;
	uint64_t logged_ms; /* the same error was logged then; 0: never */
	struct hd_series series;
};

enum mesh_phase { MESH_HTTP, MESH_KEY, MESH_INFO, MESH_OPEN, MESH_CLOSED };
enum mesh_timer { MESH_TIMER_GREETING, MESH_TIMER_PING, MESH_TIMER_CUT };

/* Of its connection. Survives a reload: state_version in mesh.c. */
struct mesh_stream {
	struct mesh_link *link; /* NULL: it has been removed */
	uint8_t phase;
	bool ping_due; /* one was sent, no answer yet */
	uint8_t realms_told; /* so many of ours; 0: none */
	uint32_t skip_bytes; /* still to come of an unknown frame */
	uint64_t heard_ms;
	uint64_t ping_ns; /* when it was sent */
	uint8_t ping[DERP_PONG_BYTES];
	uint32_t realms; /* that it has, too, by our numbers; 0: not ours */
};

struct mesh_list { /* of members; shared, constant once made */
	unsigned refs; /* atomic */
	size_t n;
	struct mesh_member_conf v[MESH_MEMBERS_MAX];
};

struct mesh_stamp { /* a version of a file; zeros: there is none */
	uint64_t ino, size;
	int64_t s, ns;
};

struct mesh_worker { /* kept over a reload */
	struct mesh_link *links;
	struct mesh_list *lists[MESH_SOURCES]; /* NULL: nothing yet */
	/* sources.c, of the first worker: */
	struct hd_timer *timer;
	bool looking; /* a job is under way */
	uint64_t ask_ms; /* DNS: not before */
	struct mesh_stamp read, seen; /* the file */
	char error[MESH_SOURCES][256]; /* what was logged last */
};

extern struct hd_family *mesh_family;
extern const struct hd_proto mesh_proto;

static inline struct mesh_worker *mesh_here(struct hd_module *mod,
					    struct hd_worker *w)
{
	return hd_module_worker_data(mod, w);
}

static inline struct mesh_numbers *mesh_numbers_of(const struct mesh_link *l,
						   struct hd_worker *w)
{
	return hd_series_numbers(mesh_family, w, l->series);
}

/* ---- member.c ---- */

/* mesh_member_set - from "host[:port][/dialhost]" and the rest.
 * @ret  freed with mesh_member_free(), also on failure
 * Returns 0; -EINVAL; -ENOMEM. */
int mesh_member_set(struct mesh_member *ret,
		    const struct mesh_member_conf *conf, const char *ca_file,
		    struct hd_error *err);
void mesh_member_free(struct mesh_member *m);
bool mesh_member_same(const struct mesh_member *a, const struct mesh_member *b);
/* mesh_member_options - as hd_dial() wants them; borrows m. */
struct hd_dial_options mesh_member_options(const struct mesh_member *m);
/* mesh_members_check - for check(). */
int mesh_members_check(const struct mesh_conf *conf, struct hd_error *err);

/* ---- list.c, dns.c: any thread; what reads or asks blocks ---- */

struct mesh_list *mesh_list_new(void);
/* mesh_list_get - one more holds it. mesh_list_put - one less; may be NULL. */
struct mesh_list *mesh_list_get(struct mesh_list *list);
void mesh_list_put(struct mesh_list *list);
/* mesh_list_add - copies it. Returns 0; -EINVAL; -ENOSPC; -ENOMEM. */
int mesh_list_add(struct mesh_list *list, const struct mesh_member_conf *c,
		  struct hd_error *err);
int mesh_list_read(const char *path, struct mesh_list **ret_list,
		   struct hd_error *err);
int mesh_dns_check(const char *name, struct hd_error *err);
int mesh_dns_ask(const char *name, struct mesh_list **ret_list,
		 struct hd_error *err);
/* mesh_dns_take_srv - adds the targets in an answer. */
int mesh_dns_take_srv(struct mesh_list *list, const uint8_t *answer,
		      size_t len_bytes, struct hd_error *err);

/* ---- sources.c, in each worker ---- */

int mesh_sources_start(struct hd_module *mod, struct hd_worker *w);
void mesh_sources_changed(struct hd_module *mod, struct hd_worker *w,
			  const struct mesh_conf *old);

/* ---- links.c, all in the worker ---- */

/* mesh_links_sync - begins and ends links as the configuration says.
 * mesh_links_wake - after a reload: timers are new.
 * mesh_links_free - all of them, without a word. */
int mesh_links_sync(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err);
int mesh_links_wake(struct hd_module *mod, struct hd_worker *w,
		    struct hd_error *err);
void mesh_links_free(struct hd_module *mod, struct hd_worker *w);
/* mesh_links_take - these are the members of a source from now on. */
void mesh_links_take(struct hd_module *mod, struct hd_worker *w,
		     enum mesh_source source, struct mesh_list *list);
struct mesh_link *mesh_links_find(const struct mesh_worker *mw,
				  const char *name);
/* mesh_links_add - takes what *to holds, also on failure.
 * mesh_links_remove - ends it, and closes its connection. */
int mesh_links_add(struct hd_module *mod, struct hd_worker *w,
		   struct mesh_member *to, enum mesh_source source);
void mesh_links_remove(struct hd_module *mod, struct hd_worker *w,
		       struct mesh_link *l);

/* ---- link.c ---- */

/* mesh_link_arm - gives it a timer, and dials soon what has no connection. */
int mesh_link_arm(struct hd_module *mod, struct hd_worker *w,
		  struct mesh_link *l);
/* mesh_link_up - it has told the first key.
 * mesh_link_wrong - close it, for a reason: one sentence. The link has no
 * connection any more when this returns. Returns -EPROTO.
 * @refused  nothing but an operator can change that: try seldom */
void mesh_link_up(struct hd_module *mod, struct hd_stream *s);
int mesh_link_wrong(struct hd_module *mod, struct hd_stream *s,
		    enum mesh_reason why, bool refused, const char *fmt, ...)
	HD_PRINTF(5, 6);
void mesh_link_closed(struct hd_module *mod, struct hd_stream *s, void *state,
		      enum hd_close why);
const char *mesh_state_text(enum mesh_state state);
/* mesh_link_show - brings its metrics up to date. */
void mesh_link_show(const struct hd_stream *s, struct mesh_link *l);

/* ---- backoff.c ---- */

/* mesh_backoff_ms - how long to wait before the next try: twice as long each
 * time, and of that at least half.
 * @chance  any number: by it the rest is shared out */
uint32_t mesh_backoff_ms(unsigned tries, uint32_t max_ms, uint32_t chance);

/* ---- greet.c ---- */

/* mesh_greet - asks for DERP: the first thing that is said.
 * mesh_watch - asks who is there, and to be told what changes; once more: all
 * of it again.
 * mesh_take_http - the answer. Returns the bytes used; 0: more must come;
 * -EPROTO: it closes.
 * mesh_take_key, mesh_take_info - frames: for the table in frames.c. Return 0;
 * negative errno: it closes. */
void mesh_greet(struct hd_stream *s, const struct mesh_member *to);
void mesh_watch(struct hd_stream *s);
int64_t mesh_take_http(struct hd_module *mod, struct hd_stream *s,
		       struct mesh_stream *ms, const uint8_t *p, size_t n);
int mesh_take_key(struct hd_module *mod, struct hd_stream *s,
		  struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes);
int mesh_take_info(struct hd_module *mod, struct hd_stream *s,
		   struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes);

/* ---- frames.c ---- */

/* mesh_key_add, mesh_key_del - a key is at the other relay, or is no more.
 * mesh_take_no_more - it has told too many keys or tenants; said once. Return
 * 0; -EPROTO it closes. */
int mesh_key_add(struct hd_module *mod, struct hd_stream *s,
		 struct mesh_stream *ms, uint16_t realm,
		 const struct hd_key *key);
int mesh_key_del(struct hd_module *mod, struct hd_stream *s, uint16_t realm,
		 const struct hd_key *key);
int mesh_take_no_more(struct mesh_link *l, struct hd_stream *s,
		      const char *what);

/* ---- realms.c ---- */

/* mesh_take_... - frames, for the table in frames.c.
 * mesh_realms_look - are there more realms here than it has been told of? Can
 * a tenant that was refused have a number now?
 * mesh_realms_begin - nothing has been refused.
 * mesh_realms_have - may keys of a realm be there? */
int mesh_take_realms(struct hd_module *mod, struct hd_stream *s,
		     struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes);
int mesh_take_realm_present(struct hd_module *mod, struct hd_stream *s,
			    struct mesh_stream *ms, uint8_t *p,
			    uint32_t len_bytes);
int mesh_take_realm_gone(struct hd_module *mod, struct hd_stream *s,
			 struct mesh_stream *ms, uint8_t *p,
			 uint32_t len_bytes);
void mesh_realms_look(struct hd_stream *s, struct mesh_stream *ms);
void mesh_realms_begin(struct mesh_link *l);
bool mesh_realms_have(const struct mesh_stream *ms, uint16_t realm);

/* ---- health.c ---- */

/* mesh_health_begin - it is asked from now on whether it lives.
 * mesh_health_tick - it is time to. mesh_health_look - is its cable cut?
 * mesh_take_ping, mesh_take_pong - frames. */
void mesh_health_begin(struct hd_module *mod, struct hd_stream *s,
		       struct mesh_stream *ms);
void mesh_health_tick(struct hd_module *mod, struct hd_stream *s,
		      struct mesh_stream *ms);
void mesh_health_look(struct hd_module *mod, struct hd_stream *s);
int mesh_take_ping(struct hd_module *mod, struct hd_stream *s,
		   struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes);
int mesh_take_pong(struct hd_module *mod, struct hd_stream *s,
		   struct mesh_stream *ms, uint8_t *p, uint32_t len_bytes);

/* mesh_probe - asks for a sign of life: an answer is mesh_take_pong()'s. */
void mesh_probe(struct hd_stream *s, struct mesh_stream *ms);

/* ---- demand.c ---- */

int mesh_demand_load(struct hd_module *mod, struct hd_error *err);
/* mesh_demand_up - it has the ways now that were wished for.
 * mesh_demand_forget - it has none.
 * mesh_demand_ended - it was idle for long: it has ended, and l is no more. */
void mesh_demand_up(struct hd_stream *s, struct mesh_link *l);
void mesh_demand_forget(struct mesh_link *l);
bool mesh_demand_ended(struct hd_module *mod, struct hd_worker *w,
		       struct mesh_link *l);

/* ---- commands.c ---- */

int mesh_commands_add(struct hd_module *mod, struct hd_error *err);

/* ---- upgrade.c ---- */

extern const struct hd_upgrade_def mesh_upgrade;
