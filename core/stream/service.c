/* SPDX-License-Identifier: MIT */
/* core/stream/service.c - see service.h. A list, in the order in which modules
 * are loaded: a relay has a handful, and they are looked up once per
 * connection. */
#include "core/stream/service.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/module_id.h"
#include "core/net/listener.h"

static struct hd_entries services;

/* Of a link, which may be NULL: it is the first member. */
static struct hd_service_entry *entry_of(struct hd_entry_link *link)
{
	return (struct hd_service_entry *)link;
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

static int check_free(struct hd_entry_link *link,
		      const struct hd_service *service, struct hd_error *err)
{
	for (; link != NULL; link = link->next) {
		const char *what = common(service, entry_of(link)->service);

		if (what != NULL)
			return hd_error_set(err, -EEXIST,
					    "the protocol %s is taken by "
					    "module %s: load only one of the "
					    "two modules",
					    what, link->mod->name);
	}
	return 0;
}

static int add(struct hd_module *mod, const struct hd_service *service,
	       struct hd_error *err)
{
	struct hd_service_entry *entry;
	int r = check_free(services.first, service, err);

	if (r == 0)
		r = check_free(services.drafts, service, err);
	if (r < 0)
		return r;
	entry = malloc(sizeof(*entry));
	if (entry == NULL)
		return hd_error_set(err, -ENOMEM, "protocol %s: out of memory",
				    service->name);
	*entry = (struct hd_service_entry){ .link.mod = mod,
					    .service = service };
	hd_entries_add(&services, &entry->link);
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

static void draft(void)
{
	hd_entries_draft(&services);
}

static void publish(void)
{
	hd_entries_publish(&services);
}

static void withdraw(const struct hd_module *mod)
{
	hd_entries_withdraw(&services, mod);
}

static void reclaim(void)
{
	hd_entries_reclaim(&services);
}

const struct hd_kind hd_service_kind = {
	.name = "protocols of listeners",
	.draft = draft,
	.publish = publish,
	.withdraw = withdraw,
	.reclaim = reclaim,
};

/* ---- who looks for one ---- */

const struct hd_service_entry *
hd_service_next(const struct hd_service_entry *entry)
{
	return entry_of(hd_entries_after(&services,
					 entry != NULL ? &entry->link : NULL));
}

const struct hd_service_entry *hd_service_find(const char *name)
{
	const struct hd_service_entry *e = hd_service_next(NULL);

	while (e != NULL && strcmp(e->service->name, name) != 0)
		e = hd_service_next(e);
	return e;
}

/* ---- listeners ---- */

/* Of the module that is loaded right now, or of one before it. */
static const struct hd_service *find_any(const char *name)
{
	const struct hd_service_entry *e = hd_service_find(name);
	struct hd_entry_link *link = services.drafts;

	while (link != NULL && strcmp(entry_of(link)->service->name, name) != 0)
		link = link->next;
	if (link != NULL)
		e = entry_of(link);
	return e != NULL ? e->service : NULL;
}

static int check_open(const struct hd_listener *l, struct hd_error *err)
{
	const struct hd_service *s = find_any(l->protocol);

	if (s == NULL)
		return hd_error_set(err, -ENOENT,
				    "its listener %s speaks %.64s, which "
				    "neither it nor a module before it offers: "
				    "the module has a bug, report it to its "
				    "author",
				    l->name, l->protocol);
	if (s->tls_only && !l->tls)
		return hd_error_set(err, -EINVAL,
				    "its listener %s has no certificate, and "
				    "%s is spoken over TLS only: set the "
				    "certificate in the module's section; if "
				    "it has no option for that, report it to "
				    "the module's author (hd_listen_tls() is "
				    "missing)",
				    l->name, s->name);
	return 0;
}

int hd_services_check_listens(const struct hd_module *mod, struct hd_error *err)
{
	const struct hd_listener *l = hd_listens_first();
	int r = 0;

	for (; l != NULL && r == 0; l = l->next)
		if (l->mod == mod && !l->left && l->protocol != NULL)
			r = check_open(l, err);
	return r;
}

static void list_names(char *text, size_t size)
{
	snprintf(text, size, "none");
	for (struct hd_entry_link *i = services.first; i; i = i->next) {
		size_t n = i == services.first ? 0 : strlen(text);

		snprintf(text + n, size - n, "%s%s", n > 0 ? ", " : "",
			 entry_of(i)->service->name);
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

bool hd_service_is_of(const struct hd_module *mod, const char *name)
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

		if (l->protocol != NULL && hd_service_is_of(mod, l->protocol) &&
		    hd_log_on(HD_LOG_WARN))
			hd_log_write(HD_LOG_WARN,
				     "a listener without its protocol closes "
				     "what comes: addr=%s protocol=%s (until "
				     "a module is loaded that speaks it)",
				     hd_addr_text(&l->addr, addr), l->protocol);
	}
}
