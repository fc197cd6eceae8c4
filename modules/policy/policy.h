/* SPDX-License-Identifier: MIT */
/* modules/policy/policy.h - the inside of the module that says who may use the
 * relay.
 *
 * Files: policy.c the module; options.c its section; keys.h files of keys;
 * rules.c rules, made from the configuration; roles.c who is another relay by
 * them; terms.h what they want
 * of a client's HTTP request; devices.h lists of devices that others keep;
 * decide.c what they say of a key; verify.c, answers.c, ask.c admission
 * services, whois.c a tailscaled as one; revoked.c
 * keys that an operator has put out; publish.c rules on their way to the
 * workers; watch.c files that change; sweep.c who is connected and may no
 * longer; tenants.c whom they may reach; limits.c how much they may send;
 * account.h how much they have, quota.h how much they may have; upgrade.c what
 * goes to a new process; commands.c hdctl.
 *
 * What decides never changes: the main thread makes a new one, and each worker
 * takes it in a post, the first in start(). */
#pragma once
#include <hyper-derp/config.h>
#include <hyper-derp/control.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/metric.h>
#include <hyper-derp/module.h>
#include <hyper-derp/prefix.h>
#include <stdatomic.h>
#include <time.h>
#include "modules/policy/account.h"
#include "modules/policy/conf.h"
#include "modules/policy/devices_rule.h"
#include "modules/policy/keys.h"
#include "modules/policy/quota.h"
#include "modules/policy/terms.h"

/* ---- rules.c ---- */

struct policy_subject { /* who asks */
	const struct hd_key *key;
	const union hd_addr *from; /* NULL: matches no rule with `from` */
	const char *listener, *server_name; /* NULL: none */
	const char *app_name; /* hd_login.agent; NULL and "": none */
	const struct policy_shown *shown; /* NULL: nothing */
	unsigned unsaid; /* enum policy_term_kind: nobody has said whether */
	bool mesh; /* it has the mesh key */
	const char *tenant; /* that another module has given it; NULL: none */
	struct policy_given *given; /* to be noted; NULL: nowhere */
};

/* What rules have given it: the rest is other modules' to give. */
struct policy_given {
	bool tenant, limits[HD_LIMITS_N];
	bool unsure; /* it has waited for a service, and nothing is noted */
};

/* Beside each peer. */
struct policy_peer {
	struct account_peer account;
	struct policy_shown shown;
	struct policy_given given;
};

struct policy_rule {
	char *label; /* "staff"; "#2" of one without name */
	bool deny, has_keys;
	bool mesh; /* of who has the mesh key, and of nobody else */
	enum policy_role role; /* what it gives */
	struct policy_keys keys;
	char *keys_path;
	struct hd_prefix *from;
	size_t n_from;
	char *listener, *server_name, *app_name, *url, *reason, *tenant;
	struct policy_terms terms;
	struct policy_devices_rule devices;
	struct hd_limits limits[HD_LIMITS_N];
	struct policy_quota_conf quota; /* of each key; bytes 0: none */
};

struct policy_rules { /* never changes; owned by all who hold it */
	atomic_uint holders;
	bool deny; /* who matches no rule */
	size_t n;
	struct policy_rule v[];
};

struct policy_verdict {
	bool deny;
	const struct policy_rule *rule; /* NULL: none matched. One with a url
					   or devices counts only if these say
					   so, too */
	const char *name; /* of the key, "" none */
	unsigned unsaid; /* it matches if the client shows this, too */
};

/* policy_rules_new - files are read. Returns 0, and one holder; negative with
 * the place in err. Main thread. */
int policy_rules_new(const struct policy_conf *conf, struct policy_rules **ret,
		     struct hd_error *err);
struct policy_rules *policy_rules_hold(struct policy_rules *rules);
/* policy_rules_drop - NULL is allowed. */
void policy_rules_drop(struct policy_rules **rules);
/* policy_rules_ask - the first that matches. @at  which to begin with. Returns
 * its number, rules->n when none does. */
size_t policy_rules_ask(const struct policy_rules *rules, size_t at,
			const struct policy_subject *who,
			struct policy_verdict *ret);

/* ---- revoked.c ---- */

enum { POLICY_WHY_BYTES = 64 };

struct policy_revoked { /* never changes; owned by all who hold it */
	atomic_uint holders;
	size_t n;
	struct policy_revocation {
		struct hd_key key;
		int64_t until_s; /* since the epoch; 0: for good */
		char why[POLICY_WHY_BYTES];
	} v[]; /* by key */
};

/* policy_revoked_load - state_dir/policy.revoked, empty where there is none.
 * policy_revoked_save - writes it. Main thread. Return 0 or negative errno. */
int policy_revoked_load(struct policy_revoked **ret, struct hd_error *err);
int policy_revoked_save(const struct policy_revoked *r, struct hd_error *err);
/* policy_revoked_with - a copy with this one, in place of an older one of the
 * key. policy_revoked_without - a copy without a key. Those that are over are
 * left out. Return NULL when out of memory. */
struct policy_revoked *policy_revoked_with(const struct policy_revoked *old,
					   const struct policy_revocation *add);
struct policy_revoked *policy_revoked_without(const struct policy_revoked *old,
					      const struct hd_key *key);
/* policy_revoked_find - NULL: it is not, or no longer. */
const struct policy_revocation *
policy_revoked_find(const struct policy_revoked *r, const struct hd_key *key,
		    time_t now);
struct policy_revoked *policy_revoked_hold(struct policy_revoked *r);
void policy_revoked_drop(struct policy_revoked **r);

/* ---- policy.c ---- */

struct policy_answers;

struct policy_worker { /* its data in a worker */
	struct hd_module *mod;
	struct hd_worker *w;
	struct policy_answers *answers; /* NULL: of the main thread, which asks
					   nobody */
	struct policy_rules *rules;
	struct policy_revoked *revoked;
	struct hd_timer *sweep;
	uint64_t sweep_at; /* hd_about_peers() */
	bool sweep_again; /* something has changed since it began */
	bool sweep_later; /* somebody stays since a service does not answer */
	bool sweep_soon; /* more must be asked about than can be at once */
	uint64_t sweep_due_ms; /* the timer; 0: it is not set */
	struct account_worker account;
	struct policy_quotas *quotas; /* NULL: none is used */
	struct policy_devices *devices; /* NULL: none is loaded */
};

/* How a login ends. */
enum policy_end {
	POLICY_ENDS_ALLOWED,
	POLICY_ENDS_RULE,
	POLICY_ENDS_DEFAULT,
	POLICY_ENDS_REVOKED,
	POLICY_ENDS_FAILURE,
	POLICY_ENDS_QUOTA,
	POLICY_ENDS_N
};

struct policy_numbers { /* its metrics in a worker */
	struct hd_counter logins[POLICY_ENDS_N];
	struct hd_counter account_lost, account_failed;
	struct hd_counter quotas[4]; /* policy_quota_said() */
	struct hd_counter asks_answered, asks_failed; /* services */
	struct hd_counter devices_loaded, devices_failed;
	struct hd_gauge devices, devices_failing;
};

struct policy_main { /* the main thread's: what workers are given */
	struct hd_module *mod;
	struct policy_rules *rules;
	struct policy_revoked *revoked;
	struct policy_quotas *quotas;
	struct policy_devices *devices;
	/* of the last check(): it counts if its configuration is taken */
	struct policy_rules *candidate;
	const struct policy_conf *candidate_conf;
};
extern struct policy_main policy_main;

enum policy_by {
	POLICY_BY_RULE,
	POLICY_BY_DEFAULT,
	POLICY_BY_REVOCATION,
	POLICY_BY_FAILURE, /* rule->url cannot be asked: fail_open decided */
	POLICY_BY_QUOTA, /* a rule allows it; its tenant, or it, has used all */
	POLICY_UNSAID, /* rule->terms: what is shown is not known; of explain
			  only */
	POLICY_ASK, /* nobody knows yet: rule->url is to be asked */
};

struct policy_decision {
	bool deny;
	enum policy_by by;
	const struct policy_rule *rule; /* NULL: none matched */
	const char *name; /* of the key, "" none */
	unsigned unsaid; /* with POLICY_UNSAID: which of them */
	const struct policy_extra *extra; /* of its service; NULL: none */
	bool slow; /* the key has used its quota, rule->quota */
	const char *tenant; /* policy_subject.tenant */
	char reason[96]; /* of a denial; else "" */
};

/* ---- decide.c ---- */

enum policy_when { /* which answers of services count */
	POLICY_LOGIN, /* fresh ones; old ones where it has just failed */
	POLICY_KNOWN, /* old ones, too: who is known need not wait */
	POLICY_HERE, /* the same, of who is connected, and stays while it is not
			known */
	POLICY_DEAD, /* none: as if no service could be asked */
};

/* policy_conf_of - that of the worker; of the main thread where there is none.
 */
const struct policy_conf *policy_conf_of(const struct policy_worker *pw);
/* policy_decide - asks nobody: with POLICY_ASK it is not known yet, which does
 * not deny. In the worker, or the main thread with one that has no w. */
void policy_decide(const struct policy_worker *pw,
		   const struct policy_subject *who, enum policy_when when,
		   struct policy_decision *ret);
/* policy_renew - ask, behind this decision, what it took from old answers.
 * policy_renew_owed - of those only what came to nothing the last time. Returns
 * whether there is such. */
void policy_renew(struct policy_worker *pw, const struct policy_subject *who,
		  const struct policy_decision *d);
bool policy_renew_owed(struct policy_worker *pw,
		       const struct policy_subject *who,
		       const struct policy_decision *d);

/* ---- publish.c ---- */

/* policy_main_init - in load(). Returns 0; negative with the reason in err. */
int policy_main_init(struct hd_module *mod, struct hd_error *err);
/* policy_check, policy_changed, policy_stop, policy_unload - the module's.
 * policy_take - in start(): the worker has what main has. */
int policy_check(struct hd_module *mod, const void *conf, struct hd_error *err);
void policy_changed(struct hd_module *mod, struct hd_worker *w,
		    const void *old_conf);
void policy_take(struct hd_module *mod, struct hd_worker *w);
void policy_stop(struct hd_module *mod, struct hd_worker *w);
void policy_unload(struct hd_module *mod);
/* policy_rules_now - those that are in force. Main thread. */
const struct policy_rules *policy_rules_now(void);
/* policy_revoke_now - from now on these are revoked in all workers, which look
 * who is connected and may no longer, and then on disk. Takes it. Main thread.
 * Returns 0; negative: it is not on disk, and in force all the same.
 * @put_out  whose connections close at once
 * policy_unrevoke_with - the same without anybody who goes, on disk first.
 * Returns 0; negative: nothing has changed. */
int policy_revoke_now(struct policy_revoked **revoked,
		      const struct hd_key *put_out, struct hd_error *err);
int policy_unrevoke_with(struct policy_revoked **revoked, struct hd_error *err);
/* policy_quotas_publish - the same of tenants that have used their quotas.
 * Takes it. */
void policy_quotas_publish(struct policy_quotas **quotas);
/* policy_reread - files of keys are read once more. If one cannot be, all stays
 * as it is. Main thread. */
int policy_reread(struct hd_error *err);

/* policy_conclude - decide, or ask who is to be asked. In a worker.
 * @ticket  of on_admit; NULL: the login waits, and is answered
 * @held    its ticket then, and taken
 * Returns the verdict. */
enum hd_verdict policy_conclude(struct policy_worker *pw,
				const struct policy_subject *who,
				struct hd_ticket *ticket,
				struct hd_ticket **held);

/* ---- tenants.c ---- */

/* policy_tenant_check - Returns 0; -EINVAL with the place in err.
 * policy_tenant_of - "" the one without a name. Lives as long as the rules.
 * policy_gives_tenant - it is the rules' word.
 * policy_tenant_moved - who is connected as one of `now` should be of another,
 * and is known to. */
int policy_tenant_check(const struct policy_rule_conf *c, struct hd_error *err);
const char *policy_tenant_of(const struct policy_decision *d);
bool policy_gives_tenant(const struct policy_decision *d);
bool policy_tenant_moved(const struct policy_decision *d, const char *now);

/* ---- roles.c ---- */

extern const char *const policy_roles[]; /* by enum policy_role */

/* policy_role_check - Returns 0; -EINVAL with the place in err.
 * policy_is_mesh - whether who is allowed is another relay then. @has_key  the
 * mesh key: what it is where no rule says it.
 * policy_role_of - for people; NULL: it is denied, or not known yet. */
int policy_role_check(const struct policy_rule_conf *c, struct hd_error *err);
bool policy_is_mesh(const struct policy_decision *d, bool has_key);
const char *policy_role_of(const struct policy_decision *d, bool has_key);

/* ---- limits.c ---- */

extern const struct hd_option policy_limits_options[], policy_tenant_options[];

/* policy_limits_check - of tenants. policy_limits_take - what counts for those
 * whom a rule allows. Return 0; -EINVAL with the place in err. */
int policy_limits_check(const struct policy_conf *conf, struct hd_error *err);
int policy_limits_take(const struct policy_conf *conf,
		       const struct policy_rule_conf *c,
		       struct hd_limits ret[HD_LIMITS_N], struct hd_error *err);
/* policy_limits_admit - of a login. policy_limits_again - of who is connected.
 * @given  what they give is noted there, and what they have not given is left
 * alone; NULL: all may be theirs */
void policy_limits_admit(const struct policy_worker *pw,
			 const struct policy_decision *d,
			 struct policy_given *given, struct hd_ticket *ticket);
void policy_limits_again(const struct policy_worker *pw, uint64_t conn,
			 const struct policy_decision *d,
			 struct policy_given *given);

/* ---- given.c ---- */

/* policy_given_of - beside a peer; NULL: as hd_peer_data().
 * policy_given_besides - the tenant that it has from another module; NULL: it
 * has none, or from rules.
 * policy_given_hooks - who comes with something of another module is looked at.
 * In load(). */
struct policy_given *policy_given_of(const struct hd_module *mod,
				     const struct hd_peer *peer);
const char *policy_given_besides(const struct policy_given *given,
				 const char *tenant);
int policy_given_hooks(struct hd_module *mod, struct hd_error *err);
void policy_given_pack(const struct hd_module *mod, const struct hd_peer *peer,
		       struct hd_pack *to);
void policy_given_unpack(const struct hd_module *mod,
			 const struct hd_peer *peer,
			 const struct hd_unpack *from);

/* ---- watch.c ---- */

/* policy_watch_init - in load(). Returns 0; -ENOMEM.
 * policy_watch_files - those of rules are watched from now on, beside those of
 * before.
 * policy_watch_whole - nobody writes to one that is in force. Returns 0;
 * -EAGAIN.
 * policy_watch_end - in unload(). */
int policy_watch_init(struct hd_module *mod, struct hd_error *err);
void policy_watch_files(const struct policy_rules *rules);
int policy_watch_whole(struct hd_error *err);
void policy_watch_end(struct hd_module *mod);

/* ---- devices_wanted.c ---- */

/* policy_devices_init - in load(). Returns 0; -ENOMEM; -errno.
 * policy_devices_want - what these rules name is in memory, if state_dir has
 * it, and asked for as soon as they are in force.
 * policy_devices_again - what state_dir has now, in place of what is in memory.
 * policy_devices_now - all are asked for at once.
 * policy_devices_end - in unload(). */
int policy_devices_init(struct hd_module *mod, struct hd_error *err);
void policy_devices_want(const struct policy_rules *rules);
void policy_devices_again(void);
void policy_devices_now(void);
void policy_devices_end(void);

/* ---- sweep.c ---- */

/* policy_sweep_new - returns 0; -ENOMEM. policy_sweep_begin - all peers of the
 * worker are asked about once more, some in each turn; so are logins that wait
 * for another module. In the worker. */
int policy_sweep_new(struct hd_module *mod, struct hd_worker *w);
void policy_sweep_begin(struct policy_worker *pw);
/* policy_sweep_later - the same in 30 s at the latest, policy_sweep_soon - in
 * a moment: somebody is owed a question. */
void policy_sweep_later(struct policy_worker *pw);
void policy_sweep_soon(struct policy_worker *pw);
/* policy_sweep_key - those of this key, at once. In the worker. */
void policy_sweep_key(struct policy_worker *pw, const struct hd_key *key);
/* policy_sweep_peer - this one. In hd_about_key(). */
struct hd_about_peer;
void policy_sweep_peer(struct policy_worker *pw,
		       const struct hd_about_peer *p);

/* ---- upgrade.c ---- */

extern const struct hd_upgrade_def policy_upgrade;

/* ---- commands.c ---- */

extern const struct hd_command policy_commands[]; /* ends with words NULL */
