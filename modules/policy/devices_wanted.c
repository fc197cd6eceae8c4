/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_wanted.c - which lists of devices are asked for, and
 * when: those that rules name which are in force. Context: the main thread. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/task.h>
#include <hyper-derp/worker.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "modules/policy/devices_poll.h"

static struct {
	struct hd_module *mod;
	struct hd_main_timer *timer;
	struct devices_poll *first;
	int event; /* a job is done */
} polls = { .event = -1 };

static uint64_t now_ms(void)
{
	return hd_now_ns() / 1000000;
}

struct hd_module *devices_module(void)
{
	return polls.mod;
}

int devices_event(void)
{
	return polls.event;
}

struct policy_device_list *devices_list_of(const struct devices_poll *p)
{
	return policy_devices_find(policy_main.devices, &p->rule->devices.id);
}

/* ---- metrics: written in a worker ---- */

struct numbers {
	unsigned loaded, failed, failing;
	size_t devices;
};

static void on_numbers(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct policy_numbers *to = hd_metrics(mod, w);
	const struct numbers *n = arg;

	hd_count(&to->devices_loaded, n->loaded);
	hd_count(&to->devices_failed, n->failed);
	hd_gauge_set(&to->devices, (int64_t)n->devices);
	hd_gauge_set(&to->devices_failing, n->failing);
	free(arg);
}

void devices_count(unsigned loaded, unsigned failed)
{
	struct numbers *n = calloc(1, sizeof(*n));

	if (n == NULL || hd_workers() == 0) {
		free(n);
		return;
	}
	n->loaded = loaded;
	n->failed = failed;
	for (const struct devices_poll *p = polls.first; p != NULL;
	     p = p->next) {
		const struct policy_device_list *l = devices_list_of(p);

		n->devices += l != NULL ? l->keys.n : 0;
		n->failing += p->error[0] != '\0';
	}
	hd_post(polls.mod, hd_worker_at(0), on_numbers, n, free);
}

/* ---- which are asked for ---- */

static struct devices_poll *find(const struct hd_key *id)
{
	struct devices_poll *p = polls.first;

	while (p != NULL && memcmp(&p->rule->devices.id, id, sizeof(*id)) != 0)
		p = p->next;
	return p;
}

static void take_rule(struct devices_poll *p, const struct policy_rules *rules,
		      const struct policy_rule *rule)
{
	struct policy_rules *old = p->rules;

	/* what never changes but for who holds it */
	p->rules = policy_rules_hold((struct policy_rules *)rules);
	p->rule = rule;
	p->wanted = true;
	policy_rules_drop(&old);
}

static void want(const struct policy_rules *rules,
		 const struct policy_rule *rule)
{
	struct devices_poll *p = find(&rule->devices.id);

	if (p != NULL && p->wanted)
		return; /* another rule with the same list */
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return; /* at the next tick, perhaps */
		p->next = polls.first;
		polls.first = p;
	}
	take_rule(p, rules, rule);
}

static void poll_free(struct devices_poll *p)
{
	devices_job_clear(&p->job);
	policy_rules_drop(&p->rules);
	free(p);
}

/* One that is under way goes when it has ended. Returns whether any has. */
static bool forget_unwanted(void)
{
	bool any = false;

	for (struct devices_poll **at = &polls.first; *at != NULL;) {
		struct devices_poll *p = *at;

		if (p->wanted || p->state != DEVICES_REST) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		poll_free(p);
		any = true;
	}
	return any;
}

static void sync_with(const struct policy_rules *rules)
{
	for (struct devices_poll *p = polls.first; p != NULL; p = p->next)
		p->wanted = false;
	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].devices.url != NULL)
			want(rules, &rules->v[i]);
	if (forget_unwanted())
		devices_count(0, 0); /* it fails no more, nor has keys */
	policy_devices_tidy();
}

static void on_event(struct hd_module *mod, int fd, unsigned events, void *arg)
{
	uint64_t n;

	(void)mod;
	(void)events;
	(void)arg;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	for (struct devices_poll *p = polls.first; p != NULL; p = p->next)
		devices_take(p);
}

/* The time between two may have become shorter. */
static bool is_due(const struct devices_poll *p, uint64_t now)
{
	const struct policy_conf *conf = hd_module_conf(polls.mod);

	return p->due_ms <= now || (p->failures == 0 &&
				    p->due_ms - now >
					    2 * conf->devices_every_ms);
}

static void on_tick(struct hd_module *mod, void *arg)
{
	uint64_t now = now_ms();

	(void)mod;
	(void)arg;
	sync_with(policy_rules_now());
	for (struct devices_poll *p = polls.first; p != NULL; p = p->next) {
		devices_take(p);
		if (p->state == DEVICES_REST && p->wanted && is_due(p, now))
			devices_ask(p);
	}
	hd_main_timer_set(polls.timer, DEVICES_TICK_MS);
}

void policy_devices_now(void)
{
	for (struct devices_poll *p = polls.first; p != NULL; p = p->next) {
		p->again = p->state != DEVICES_REST;
		p->due_ms = 0;
	}
	if (polls.first != NULL)
		hd_main_timer_set(polls.timer, 1);
}

/* ---- what state_dir has ---- */

static void load(const struct policy_rule *rule, bool again)
{
	struct policy_device_list *l = NULL;
	struct hd_error err;
	int r = 0;

	if (again || policy_devices_find(policy_main.devices,
					 &rule->devices.id) == NULL)
		r = policy_device_list_load(&rule->devices, &l, &err);
	if (r < 0 && r != -ENOENT)
		hd_log_warn("the last list of devices cannot be read: %s",
			    err.text);
	if (l != NULL)
		policy_devices_keep(&l);
}

static bool load_all(const struct policy_rules *rules, bool again)
{
	bool any = false;

	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].devices.url != NULL) {
			load(&rules->v[i], again);
			any = true;
		}
	return any;
}

void policy_devices_want(const struct policy_rules *rules)
{
	if (load_all(rules, false) || polls.first != NULL)
		hd_main_timer_set(polls.timer, 1);
}

void policy_devices_again(void)
{
	load_all(policy_rules_now(), true);
}

/* ---- shown ---- */

void policy_devices_each(policy_devices_each_fn *fn, void *arg)
{
	static const char *const states[] = { [DEVICES_REST] = "rests",
					      [DEVICES_ASK] = "asks",
					      [DEVICES_READ] = "reads" };
	uint64_t now = now_ms();

	for (const struct devices_poll *p = polls.first; p != NULL;
	     p = p->next) {
		const struct policy_devices_poll row = {
			.rule = p->rule,
			.list = devices_list_of(p),
			.state = states[p->state],
			.found = p->found,
			.ok_s_ago = p->ok_ms != 0 ? (now - p->ok_ms) / 1000
						  : UINT64_MAX,
			.next_s = p->due_ms > now ? (p->due_ms - now) / 1000
						  : 0,
			.error = p->error[0] != '\0' ? p->error : NULL,
		};

		fn(arg, &row);
	}
}

/* ---- its life ---- */

int policy_devices_init(struct hd_module *mod, struct hd_error *err)
{
	polls.mod = mod;
	polls.timer = hd_main_timer_new(mod, on_tick, NULL);
	polls.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (polls.timer == NULL || polls.event < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	if (hd_watch(mod, polls.event, HD_WATCH_READ, on_event, NULL) < 0)
		return hd_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

void policy_devices_end(void)
{
	while (polls.first != NULL) {
		struct devices_poll *p = polls.first;

		polls.first = p->next;
		poll_free(p);
	}
	if (polls.event >= 0) {
		hd_unwatch(polls.mod, polls.event);
		close(polls.event);
	}
	polls.event = -1;
	polls.mod = NULL;
}
