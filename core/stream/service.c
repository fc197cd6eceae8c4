/* SPDX-License-Identifier: MIT */
/* core/stream/service.c - see service.h. A list, in the order in which modules
 * are loaded: a relay has a handful, and they are looked up once per
 * connection. An entry is complete before it is linked, and one that was
 * unlinked leads on to the rest until every worker has ended its turn. */
#include "core/stream/service.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/module_id.h"
#include "core/net/listener.h"

static struct hd_service_entry *services;
static struct hd_service_entry *drafts; /* not published yet */
static bool drafting;
static struct hd_service_entry *withdrawn; /* not freed yet */

static struct hd_service_entry *load(struct hd_service_entry *const *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void store(struct hd_service_entry **at, struct hd_service_entry *entry)
{
	__atomic_store_n(at, entry, __ATOMIC_RELEASE);
}

/* ---- what modules bring ---- */

static bool has_token(const struct hd_service *service, const char *token)
{
	for (unsigned i = 0; i < HD_SERVICE_ALPN_MAX; i++)
		if (service->alpn[i] != NULL &&
		    strcmp(service->alpn[i], token) == 0)
			return true;
	return false;
}

/* What the two have in common; NULL: nothing. */
static const char *common(const struct hd_service *a,
			  const struct hd_service *b)
{
	if (strcmp(a->name, b->name) == 0)
		return a->name;
	for (unsigned i = 0; i < HD_SERVICE_ALPN_MAX; i++)
		if (a->alpn[i] != NULL && has_token(b, a->alpn[i]))
			return a->alpn[i];
	return NULL;
}

static int check_free(const struct hd_service_entry *e,
		      const struct hd_service *service, struct hd_error *err)
{
	for (; e != NULL; e = e->next) {
		const char *what = common(service, e->service);

		if (what != NULL)
			return hd_error_set(err, -EEXIST,
					    "the protocol %s is taken by "
					    "module %s: load only one of the "
					    "two modules",
					    what, e->mod->name);
	}
	return 0;
}

static void append(struct hd_service_entry **at, struct hd_service_entry *entry)
{
	while (*at != NULL)
		at = &(*at)->next;
	store(at, entry);
}

static int add(struct hd_module *mod, const struct hd_service *service,
	       struct hd_error *err)
{
	struct hd_service_entry *entry;
	int r = check_free(services, service, err);

	if (r == 0)
		r = check_free(drafts, service, err);
	if (r < 0)
		return r;
	entry = malloc(sizeof(*entry));
	if (entry == NULL)
		return hd_error_set(err, -ENOMEM, "protocol %s: out of memory",
				    service->name);
	*entry = (struct hd_service_entry){ .service = service, .mod = mod };
	append(drafting ? &drafts : &services, entry);
	return 0;
}

int hd_services_add(struct hd_module *mod, struct hd_error *err)
{
	const struct hd_service *s = mod->def->services;
	int r = 0;

	for (; s != NULL && s->name != NULL && r == 0; s++)
		r = add(mod, s, err);
	return r;
}

/* ---- their life ---- */

static void begin_draft(void)
{
	drafting = true;
}

static void publish(void)
{
	drafting = false;
	append(&services, drafts);
	drafts = NULL;
}

static void out_of(struct hd_service_entry **at, const struct hd_module *mod)
{
	while (*at != NULL) {
		struct hd_service_entry *entry = *at;

		if (entry->mod != mod) {
			at = &entry->next;
			continue;
		}
		store(at, entry->next);
		entry->next_withdrawn = withdrawn;
		withdrawn = entry;
	}
}

static void withdraw(const struct hd_module *mod)
{
	out_of(&services, mod);
	out_of(&drafts, mod);
}

static void reclaim(void)
{
	while (withdrawn != NULL) {
		struct hd_service_entry *entry = withdrawn;

		withdrawn = entry->next_withdrawn;
		free(entry);
	}
}

const struct hd_kind hd_service_kind = {
	.name = "protocols of listeners",
	.draft = begin_draft,
	.publish = publish,
	.withdraw = withdraw,
	.reclaim = reclaim,
};

/* ---- who looks for one ---- */

const struct hd_service_entry *
hd_service_next(const struct hd_service_entry *entry)
{
	return load(entry != NULL ? &entry->next : &services);
}

const struct hd_service_entry *hd_service_find(const char *name)
{
	const struct hd_service_entry *e = hd_service_next(NULL);

	while (e != NULL && strcmp(e->service->name, name) != 0)
		e = hd_service_next(e);
	return e;
}

/* ---- listeners ---- */

static bool is_draft(const char *name)
{
	const struct hd_service_entry *e = drafts;

	while (e != NULL && strcmp(e->service->name, name) != 0)
		e = e->next;
	return e != NULL;
}

int hd_services_check_listens(const struct hd_module *mod, struct hd_error *err)
{
	const struct hd_listener *l = hd_listens_first();

	for (; l != NULL; l = l->next)
		if (l->mod == mod && !l->left && l->protocol != NULL &&
		    !is_draft(l->protocol) &&
		    hd_service_find(l->protocol) == NULL)
			return hd_error_set(err, -ENOENT,
					    "its listener %s speaks %.64s, "
					    "which neither it nor a module "
					    "before it offers: the module has "
					    "a bug, report it to its author",
					    l->name, l->protocol);
	return 0;
}

static void list_names(char *text, size_t size)
{
	snprintf(text, size, "none");
	for (const struct hd_service_entry *e = services; e; e = e->next) {
		size_t n = e == services ? 0 : strlen(text);

		snprintf(text + n, size - n, "%s%s", n > 0 ? ", " : "",
			 e->service->name);
	}
}

static int check_listener(const struct hd_listen_conf *l, struct hd_error *err)
{
	const struct hd_service_entry *e = hd_service_find(l->protocol);
	char names[200];

	list_names(names, sizeof(names));
	if (e == NULL)
		return hd_error_set(err, -EINVAL,
				    "%s:%u: `protocol: %.64s`: no module that "
				    "is loaded speaks it; add its module to "
				    "load_module, or leave `protocol` out for "
				    "HTTP (there are: %s)",
				    l->file, l->line, l->protocol, names);
	if (e->service->tls_only && !l->tls)
		return hd_error_set(err, -EINVAL,
				    "%s:%u: `protocol: %s` is spoken over TLS "
				    "only; add `tls: true`",
				    l->file, l->line, l->protocol);
	return 0;
}

int hd_services_check(const struct hd_conf *conf, struct hd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < conf->n_listen && r == 0; i++)
		if (conf->listen[i].protocol != NULL)
			r = check_listener(&conf->listen[i], err);
	return r;
}

static bool offers(const struct hd_module *mod, const char *name)
{
	const struct hd_service *s = mod->def->services;

	while (s != NULL && s->name != NULL && strcmp(s->name, name) != 0)
		s++;
	return s != NULL && s->name != NULL;
}

void hd_services_log_lost(const struct hd_conf *conf,
			  const struct hd_module *mod)
{
	char addr[HD_ADDR_TEXT_BYTES];

	for (size_t i = 0; i < conf->n_listen; i++) {
		const struct hd_listen_conf *l = &conf->listen[i];

		if (l->protocol != NULL && offers(mod, l->protocol) &&
		    hd_log_on(HD_LOG_WARN))
			hd_log_write(HD_LOG_WARN,
				     "a listener without its protocol closes "
				     "what comes: addr=%s protocol=%s (until "
				     "a module is loaded that speaks it)",
				     hd_addr_text(&l->addr, addr),
				     l->protocol);
	}
}
