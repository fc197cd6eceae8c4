/* SPDX-License-Identifier: MIT */
/* modules/hd/redirect.c - see redirect.h. */
#include "modules/hd/redirect.h"
#include <errno.h>
#include <hyper-derp/about.h>
#include <string.h>
#include "modules/hd/bech32.h"

#define NODEKEY "nodekey:"

struct redirect_numbers {
	struct hd_counter clients;
};

static struct hd_family *redirects; /* by reason and relay */

/* ---- what a rule says ---- */

#define RULE(field) .offset = offsetof(struct hdp_redirect_rule, field)

const struct hd_option hdp_redirect_rule_options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, RULE(at) },
	{ .name = "keys",
	  .type = HD_OPTION_LIST,
	  RULE(keys),
	  .max = HDP_RULE_KEYS_MAX,
	  .example = "[hd1qwss00lnecgtu8tsm5vwwj7qn9n7f43snwjs6hcamjrxgyj4xx"
		     "uqtpeudk]",
	  .help = "matches these identities (hd1...) and addresses "
		  "(nodekey:...)" },
	{ .name = "names",
	  .type = HD_OPTION_LIST,
	  RULE(names),
	  .max = HDP_RULE_WORDS_MAX,
	  .example = "[laptop]",
	  .help = "matches who has this name by its credential, its "
		  "invitation, its approval or a rule of policy" },
	{ .name = "tenants",
	  .type = HD_OPTION_LIST,
	  RULE(tenants),
	  .max = HDP_RULE_WORDS_MAX,
	  .example = "[acme]",
	  .help = "matches who is of one of these tenants" },
	{ .name = "everybody",
	  .type = HD_OPTION_BOOL,
	  RULE(everybody),
	  .def = "no",
	  .help = "matches all: in place of keys, names and tenants" },
	{ .name = "to",
	  .type = HD_OPTION_LIST,
	  RULE(to),
	  .max = HDP_REDIRECTS_MAX,
	  .required = true,
	  .example = "[relay2.example.com]",
	  .help = "other relays, as HOST or HOST:PORT, one for each client by "
		  "its key; []: they stay here" },
	HD_OPTION_END,
};

/* An identity, of which the sign does not count, or an address. */
static bool key_get(const char *text, uint8_t ret[HD_KEY_BYTES],
		    bool *ret_address)
{
	size_t n = 0;

	*ret_address = strncmp(text, NODEKEY, sizeof(NODEKEY) - 1) == 0;
	if (!*ret_address)
		return hdp_identity_parse(text, ret);
	text += sizeof(NODEKEY) - 1;
	return sodium_hex2bin(ret, HD_KEY_BYTES, text, strlen(text), NULL, &n,
			      NULL) == 0 &&
	       n == HD_KEY_BYTES;
}

/* ---- whether it can be one ---- */

/* A part of a URL, which clients read. */
static bool is_relay(const char *text)
{
	size_t n = 0;

	while (text[n] > ' ' && text[n] <= '~' &&
	       strchr("/@\"\\", text[n]) == NULL)
		n++;
	return n > 0 && n <= HDP_REDIRECT_HOST_MAX_BYTES && text[n] == '\0';
}

static int check_relays(const struct hd_list *list, const char *option,
			const struct hd_place *at, struct hd_error *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (!is_relay(list->v[i]))
			return hd_error_at(at, err, -EINVAL,
					   "%s: %s: give a name or an address, "
					   "and :PORT if that is not 443",
					   option, list->v[i]);
	return 0;
}

static int check_words(const struct hdp_redirect_rule *r, struct hd_error *err)
{
	uint8_t key[HD_KEY_BYTES];
	bool is_address;

	for (size_t i = 0; i < r->keys.n; i++)
		if (!key_get(r->keys.v[i], key, &is_address))
			return hd_error_at(&r->at, err, -EINVAL,
					   "keys: %s is not an identity (hd1 "
					   "and 58 characters more) nor an "
					   "address (nodekey: and 64 "
					   "hexadecimal digits)",
					   r->keys.v[i]);
	for (size_t i = 0; i < r->names.n; i++)
		if (r->names.v[i][0] == '\0')
			return hd_error_at(&r->at, err, -EINVAL,
					   "names: one is empty, as that of "
					   "all who have none: take it out");
	for (size_t i = 0; i < r->tenants.n; i++)
		if (!hd_tenant_is_name(r->tenants.v[i]))
			return hd_error_at(&r->at, err, -EINVAL,
					   "tenants: %s is no name of a "
					   "tenant: letters, digits, `.`, `_` "
					   "and `-`",
					   r->tenants.v[i]);
	return 0;
}

/* Nobody sends all away by leaving something out. */
static int check_rule(const struct hdp_redirect_rule *r, struct hd_error *err)
{
	size_t n = r->keys.n + r->names.n + r->tenants.n;
	int e;

	if (r->everybody == (n > 0))
		return hd_error_at(&r->at, err, -EINVAL,
				   "whom does this rule name? Give keys, names "
				   "or tenants, or else `everybody: yes`");
	e = check_words(r, err);
	return e == 0 ? check_relays(&r->to, "to", &r->at, err) : e;
}

int hdp_redirect_check(const struct hdp_conf *conf, struct hd_error *err)
{
	int r = check_relays(&conf->redirect, "hd.redirect",
			     &conf->at_redirect, err);

	for (size_t i = 0; i < conf->redirect_rules.n && r == 0; i++)
		r = check_rule(&conf->redirect_rules.v[i], err);
	return r;
}

/* ---- whom it is about ---- */

struct who {
	const struct hdp_state *d;
	const struct hdp_conf *conf;
	const struct hdp_redirect_rule *rule; /* the first one; NULL: none */
};

static bool has_word(const struct hd_list *list, const char *word)
{
	size_t i = 0;

	while (i < list->n && strcmp(list->v[i], word) != 0)
		i++;
	return i < list->n;
}

/* Both signs of an identity are one address: the highest bit is the sign. */
static bool is_same(const uint8_t *a, const uint8_t *b, bool is_address)
{
	uint8_t differs = a[HD_KEY_BYTES - 1] ^ b[HD_KEY_BYTES - 1];

	return memcmp(a, b, HD_KEY_BYTES - 1) == 0 &&
	       (is_address ? differs : differs & 0x7f) == 0;
}

static bool has_key(const struct hd_list *list, const struct hdp_state *d)
{
	for (size_t i = 0; i < list->n; i++) {
		uint8_t key[HD_KEY_BYTES];
		bool is_address;

		if (key_get(list->v[i], key, &is_address) &&
		    is_same(key,
			    is_address ? hd_peer_key(d->peer)->b : d->identity,
			    is_address))
			return true;
	}
	return false;
}

static bool matches(const struct hdp_redirect_rule *r,
		    const struct hdp_state *d, const struct hd_about_peer *p)
{
	return (r->names.n == 0 || has_word(&r->names, p->name)) &&
	       (r->tenants.n == 0 || has_word(&r->tenants, p->tenant)) &&
	       (r->keys.n == 0 || has_key(&r->keys, d));
}

static void look(void *arg, const struct hd_about_peer *p)
{
	struct who *who = arg;
	size_t i = 0;

	if (p->peer != who->d->peer)
		return; /* another connection of its key */
	while (i < who->conf->redirect_rules.n &&
	       !matches(&who->conf->redirect_rules.v[i], who->d, p))
		i++;
	if (i < who->conf->redirect_rules.n)
		who->rule = &who->conf->redirect_rules.v[i];
}

/* ---- it is told ---- */

static void count(struct hd_worker *w, enum hdp_redirect why, const char *to)
{
	const char *values[] = { why == HDP_REDIRECT_RULE ? "rule" : "drains",
				 to };
	struct hd_series series = hd_series_open(redirects, values);
	struct redirect_numbers *numbers =
		hd_series_numbers(redirects, w, series);

	hd_count(&numbers->clients, 1);
	hd_series_end(redirects, &series);
}

/* By its key: each time the same one, and of many clients as many to each. */
static void send_to(struct hd_peer *peer, const struct hd_list *to,
		    enum hdp_redirect why)
{
	struct hd_stream *s = hd_peer_stream(peer);
	const char *relay;

	if (to->n == 0)
		return;
	relay = to->v[hd_peer_key(peer)->b[0] % to->n];
	hdp_tell_redirect(s, why, relay);
	count(hd_stream_worker(s), why, relay);
}

void hdp_redirect_drains(struct hd_module *mod, struct hd_peer *peer)
{
	const struct hdp_conf *conf = hd_module_worker_conf(
		mod, hd_stream_worker(hd_peer_stream(peer)));

	send_to(peer, &conf->redirect, HDP_REDIRECT_DRAINS);
}

void hdp_redirect_by_rule(struct hd_module *mod, const struct hdp_state *d)
{
	struct hd_worker *w = hd_stream_worker(hd_peer_stream(d->peer));
	struct who who = { .d = d, .conf = hd_module_worker_conf(mod, w) };

	if (who.conf->redirect_rules.n == 0)
		return;
	hd_about_key(w, hd_peer_key(d->peer), look, &who);
	if (who.rule != NULL)
		send_to(d->peer, &who.rule->to, HDP_REDIRECT_RULE);
}

/* ---- the module ---- */

static const struct hd_metric rows[] = {
	HD_METRIC(struct redirect_numbers, clients,
		  HDP_REDIRECTS_METRIC, NULL,
		  "Clients of HD that were told to go to another relay"),
	HD_METRIC_END,
};

static const struct hd_family_def family = {
	.name = "redirects",
	.labels = { "reason", "to" },
	.metrics = rows,
	.size = sizeof(struct redirect_numbers),
	.max = HDP_REDIRECTS_MAX * (HDP_RULES_MAX + 1),
};

int hdp_redirect_add(struct hd_module *mod, struct hd_error *err)
{
	return hd_family_add(mod, &family, &redirects, err);
}
