/* SPDX-License-Identifier: MIT */
/* core/cmd/cmd_module.c - which modules there are, what they bring, and what
 * they carry and cost. Workers are asked for what only they may look at; the
 * main thread makes text of it. */
#include <hyper-derp/worker.h>
#include <stdio.h>
#include <string.h>
#include "core/base/addr.h"
#include "core/cmd/cmd.h"
#include "core/control/control.h"
#include "core/http/http.h"
#include "core/loop/hooks.h"
#include "core/loop/timer.h"
#include "core/module/module.h"
#include "core/module/module_listed.h"
#include "core/net/listener.h"
#include "core/net/udp.h"
#include "core/stream/service.h"

enum { UDPS_SHOWN = 16 };

struct part { /* of one module, from all workers */
	unsigned order; /* which module had the slot then */
	unsigned timers, n_udp;
	union hd_addr udp[UDPS_SHOWN];
};

struct gathered {
	struct part v[HD_MODULES_MAX];
};

/* ---- in workers ---- */

/* A port that workers share is one address. */
static void add_udp(void *arg, const union hd_addr *addr)
{
	struct part *p = arg;

	for (unsigned i = 0; i < p->n_udp; i++)
		if (hd_addr_same(&p->udp[i], addr))
			return;
	if (p->n_udp < UDPS_SHOWN)
		p->udp[p->n_udp++] = *addr;
}

static void each_status(struct hd_module *unused, struct hd_call *c,
			struct hd_worker *w)
{
	struct gathered *g = hd_call_data(c, sizeof(*g));

	(void)unused;
	for (unsigned i = 0; g != NULL && i < HD_MODULES_MAX; i++) {
		const struct hd_module *mod = hd_modules_slot(i);

		if (mod == NULL)
			continue;
		g->v[i].order = mod->order;
		g->v[i].timers += hd_timers_n(w, mod);
		hd_udps_list(w, mod, add_udp, &g->v[i]);
	}
}

/* ---- what it provides ---- */

static void put_requires(struct hd_call *c, const struct hd_module_def *def)
{
	hd_out_open(c, "requires", '[');
	for (const char *const *r = def->requires_; r != NULL && *r != NULL;
	     r++)
		hd_out_string(c, NULL, *r);
	hd_out_close(c);
}

static unsigned put_commands(struct hd_call *c, const struct hd_module *mod)
{
	unsigned n = 0;

	hd_out_open(c, "commands", '[');
	for (unsigned i = 0; i < hd_commands_n(); i++)
		if (hd_commands_at(i)->mod == mod) {
			hd_out_string(c, NULL,
				      hd_commands_at(i)->command->words);
			n++;
		}
	hd_out_close(c);
	return n;
}

static unsigned put_hook(struct hd_call *c, const struct hd_hook_list *list,
			 const char *name, const struct hd_module *mod)
{
	unsigned n = 0;

	for (unsigned i = 0; i < list->n; i++)
		if (list->v[i].mod == mod) {
			hd_out_string(c, NULL, name);
			n++;
		}
	return n;
}

static unsigned put_hooks(struct hd_call *c, const struct hd_module *mod)
{
	const struct hd_hooks *h = hd_modules_hooks();
	unsigned n;

	hd_out_open(c, "hooks", '[');
	n = put_hook(c, &h->accept, "accept", mod);
	n += put_hook(c, &h->hello, "hello", mod);
	n += put_hook(c, &h->admit, "admit", mod);
	n += put_hook(c, &h->admit_mesh, "admit mesh", mod);
	n += put_hook(c, &h->packet, "packet", mod);
	n += put_hook(c, &h->leave, "leave", mod);
	hd_out_close(c);
	return n;
}

static unsigned put_routes(struct hd_call *c, const struct hd_module *mod)
{
	const struct hd_route_entry *e = hd_routes_after(NULL);
	unsigned n = 0;

	hd_out_open(c, "routes", '[');
	for (; e != NULL; e = hd_routes_after(e))
		if (e->link.mod == mod) {
			hd_out_string(c, NULL,
				      e->route.rest ? "*" : e->route.path);
			n++;
		}
	hd_out_close(c);
	return n;
}

static unsigned put_services(struct hd_call *c, const struct hd_module *mod)
{
	const struct hd_service *s = mod->def->services;
	unsigned n = 0;

	hd_out_open(c, "protocols", '[');
	for (; s != NULL && s->name != NULL; s++, n++)
		hd_out_string(c, NULL, s->name);
	hd_out_close(c);
	return n;
}

static bool has_route_at(const struct hd_module *mod, const char *listener)
{
	const struct hd_route_entry *e = hd_routes_after(NULL);

	for (; e != NULL; e = hd_routes_after(e))
		if (e->link.mod == mod &&
		    strcmp(e->route.listener != NULL ? e->route.listener : "",
			   listener != NULL ? listener : "") == 0)
			return true;
	return false;
}

static bool serves(const struct hd_module *mod, const struct hd_listener *l)
{
	return l->protocol != NULL ? hd_service_is_of(mod, l->protocol)
				   : has_route_at(mod, hd_listener_routes(l));
}

static void put_addr(struct hd_call *c, const char *kind,
		     const union hd_addr *addr)
{
	char addr_text[HD_ADDR_TEXT_BYTES], text[HD_ADDR_TEXT_BYTES + 8];

	snprintf(text, sizeof(text), "%s %s", kind,
		 hd_addr_text(addr, addr_text));
	hd_out_string(c, NULL, text);
}

static void put_listener(struct hd_call *c, const struct hd_listener *l)
{
	put_addr(c, l->tls ? "tls" : "tcp", &l->addr);
}

static unsigned put_listeners(struct hd_call *c, const struct hd_module *mod,
			      const struct part *p)
{
	size_t n_daemon;
	const struct hd_listener *v = hd_daemon_ops->listeners(&n_daemon);
	const struct hd_listener *l = hd_listens_first();
	unsigned n = p->n_udp;

	hd_out_open(c, "listeners", '[');
	for (size_t i = 0; i < n_daemon; i++)
		if (serves(mod, &v[i])) {
			put_listener(c, &v[i]);
			n++;
		}
	for (; l != NULL; l = l->next)
		if (l->mod == mod) {
			put_listener(c, l);
			n++;
		}
	for (unsigned i = 0; i < p->n_udp; i++)
		put_addr(c, "udp", &p->udp[i]);
	hd_out_close(c);
	return n;
}

/* "3 routes, 1 hook": what fits into a column. */
static void add_count(char *text, size_t size, unsigned n, const char *what)
{
	size_t len = strlen(text);

	if (n > 0)
		snprintf(text + len, size - len, "%s%u %s%s",
			 len > 0 ? ", " : "", n, what, n > 1 ? "s" : "");
}

static void put_provided(struct hd_call *c, const struct hd_module *mod,
			 const struct part *p)
{
	char text[120] = "";

	add_count(text, sizeof(text), put_routes(c, mod), "route");
	add_count(text, sizeof(text), put_services(c, mod), "protocol");
	add_count(text, sizeof(text), put_hooks(c, mod), "hook");
	add_count(text, sizeof(text), put_listeners(c, mod, p), "listener");
	add_count(text, sizeof(text), put_commands(c, mod), "command");
	add_count(text, sizeof(text), p->timers, "timer");
	hd_out_uint(c, "timers", p->timers);
	hd_out_string(c, "provides", text);
}

/* ---- what it carries and costs ---- */

static uint64_t sum(const struct hd_module *mod, enum hd_account_number what)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < hd_workers(); i++)
		n += hd_counter_read(
			&hd_worker_at(i)->mods[mod->index].account.v[what]);
	return n;
}

static void put_use(struct hd_call *c, const struct hd_module *mod)
{
	static const struct {
		const char *name;
		enum hd_account_number what;
	} numbers[] = {
		{ "peers", HD_ACCOUNT_PEERS },
		{ "packets_in", HD_ACCOUNT_PACKETS_IN },
		{ "packets_out", HD_ACCOUNT_PACKETS_OUT },
		{ "bytes_in", HD_ACCOUNT_BYTES_IN },
		{ "bytes_out", HD_ACCOUNT_BYTES_OUT },
		{ "requests", HD_ACCOUNT_REQUESTS },
		{ "denied", HD_ACCOUNT_DENIED },
		{ "errors", HD_ACCOUNT_ERRORS },
	};

	hd_out_uint(c, "connections",
		    __atomic_load_n(&mod->streams, __ATOMIC_RELAXED));
	for (unsigned i = 0; i < HD_ARRAY_N(numbers); i++)
		hd_out_uint(c, numbers[i].name, sum(mod, numbers[i].what));
	hd_out_double(c, "cpu_s", (double)sum(mod, HD_ACCOUNT_CPU_NS) / 1e9);
}

struct counters {
	struct hd_call *call;
	const char *module;
};

static void put_counter(void *arg, const struct hd_sample *s)
{
	struct counters *k = arg;
	char name[1024];

	if (strcmp(s->module, k->module) != 0)
		return;
	snprintf(name, sizeof(name), "%s%s%s%s", s->name,
		 s->labels != NULL ? "{" : "",
		 s->labels != NULL ? s->labels : "",
		 s->labels != NULL ? "}" : "");
	hd_out_int(k->call, name, s->value);
}

static void put_counters(struct hd_call *c, const struct hd_module *mod)
{
	struct counters k = { c, mod->name };

	hd_out_open(c, "counters", '{');
	hd_metrics_read(NULL, put_counter, &k);
	hd_out_close(c);
}

/* ---- all of it ---- */

static const char *state_of(const struct hd_module *mod)
{
	if (__atomic_load_n(&mod->closing, __ATOMIC_RELAXED))
		return "leaving";
	if (mod->path == NULL)
		return "built in";
	return mod->def->flags & HD_MODULE_RESIDENT ? "resident" : "loaded";
}

static void put_module(struct hd_call *c, const struct hd_module *mod,
		       const struct part *part)
{
	static const struct part none;
	const struct hd_module_def *def = mod->def;
	char abi[16];

	if (part->order != mod->order)
		part = &none; /* it has come meanwhile */
	snprintf(abi, sizeof(abi), "%u.%u", def->abi_major, def->abi_minor);
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "name", mod->name);
	hd_out_string(c, "version", def->version);
	hd_out_string(c, "licence", def->licence);
	hd_out_string(c, "summary", def->summary);
	hd_out_string(c, "abi", abi);
	hd_out_uint(c, "state_version", def->state_version);
	hd_out_string(c, "state", state_of(mod));
	hd_out_string(c, "file", mod->path); /* null: built in */
	hd_out_bool(c, "listed",
		    hd_module_is_listed(hd_daemon_ops->conf(), mod->name));
	put_requires(c, def);
	put_use(c, mod);
	put_provided(c, mod, part);
	put_counters(c, mod);
	hd_out_close(c);
}

static void done_status(struct hd_module *unused, struct hd_call *c)
{
	const char *name = hd_call_arg(c, "module");
	struct gathered *g = hd_call_data(c, sizeof(*g));
	unsigned n = 0;

	(void)unused;
	hd_out_open(c, NULL, '[');
	for (unsigned i = 0; g != NULL && i < hd_modules_n(); i++) {
		const struct hd_module *mod = hd_modules_at(i);

		if (name != NULL && strcmp(name, mod->name) != 0)
			continue;
		put_module(c, mod, &g->v[mod->index]);
		n++;
	}
	hd_out_close(c);
	if (name != NULL && n == 0)
		hd_call_error(c,
			      "no module %s is loaded; \"module status\" "
			      "lists those that are",
			      name);
}

const struct hd_command hd_cmd_module[] = {
	{ .words = "module status",
	  .args = "[MODULE]",
	  .role = HD_ROLE_READ,
	  .help = "modules: version, state, what they provide, carry and cost",
	  .each = each_status,
	  .done = done_status,
	  .columns = "name version abi state peers packets_in packets_out "
		     "bytes_in bytes_out errors cpu_s provides file" },
	{ .words = NULL },
};
