/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_plan.c - the tree of the file as it shall be: what
 * setup knows of is set, all else stays. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/hdctl/setup/setup.h"

#define RULE "setup" /* what our rule of policy is called */
#define SOCKET "/run/tailscale/tailscaled.sock"

/* ---- listeners ---- */

bool setup_is_main(const json_t *l)
{
	const char *addr = tree_text(l, "addr", "");

	return (strncmp(addr, "[::]:", 5) == 0 ||
		strncmp(addr, "0.0.0.0:", 8) == 0) &&
	       json_object_get(l, "name") == NULL &&
	       json_object_get(l, "protocol") == NULL &&
	       json_object_get(l, "proxy_protocol") == NULL &&
	       (tree_is(l, "tls") || json_object_get(l, "only") != NULL);
}

static const json_t *main_listener(const struct setup *s, int port)
{
	const json_t *all = json_object_get(s->tree, "listen"), *l;
	size_t i;

	json_array_foreach(all, i, l)
		if (setup_is_main(l) &&
		    (port == 0 ? tree_is(l, "tls")
			       : doctor_port(tree_text(l, "addr", "")) == port))
			return l;
	return NULL;
}

static bool is_own(const json_t *l)
{
	return tree_is(l, "tls") && !setup_is_main(l) &&
	       json_object_get(l, "name") == NULL &&
	       json_object_get(l, "protocol") == NULL &&
	       json_object_get(l, "only") == NULL;
}

static const json_t *own_in(const json_t *tree)
{
	const json_t *all = json_object_get(tree, "listen"), *l;
	size_t i;

	json_array_foreach(all, i, l)
		if (is_own(l))
			return l;
	return NULL;
}

/* Whoever has chosen an address for clients does not get one more on all
 * addresses unasked. NULL: nobody has. */
static const json_t *own_listener(const struct setup *s)
{
	const json_t *l = own_in(s->tree);

	if (s->w.port > 0 || main_listener(s, 0) != NULL)
		return NULL;
	return l != NULL ? l : own_in(s->others);
}

int setup_port(const struct setup *s)
{
	const json_t *l = main_listener(s, 0);
	const json_t *one = setup_conf(s, "port");

	if (l == NULL)
		l = own_listener(s);

	if (s->w.port > 0)
		return s->w.port;
	if (l != NULL)
		return doctor_port(tree_text(l, "addr", ""));
	return one != NULL ? atoi(json_string_value(one)) : 443;
}

static const char *any_address(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? "[::]" : "0.0.0.0";
}

static json_t *new_listener(int port)
{
	char addr[32];

	(void)snprintf(addr, sizeof(addr), "%s:%d", any_address(), port);
	return json_pack("{s:s}", "addr", addr);
}

/* Checks for captive portals, and challenges of ACME, come by plain HTTP. */
static json_t *pages_listener(const struct setup *s)
{
	const json_t *old = main_listener(s, 80);
	bool acme = setup_wants(s, "acme");
	json_t *l = old != NULL && !tree_is(old, "tls") ? json_deep_copy(old)
							: new_listener(80);

	json_object_set_new(l, "only",
			    acme ? json_pack("[ss]", "captive_portal", "acme")
				 : json_pack("[s]", "captive_portal"));
	if (old == NULL &&
	    doctor_bind(false, tree_text(l, "addr", "")) == EADDRINUSE) {
		fprintf(stderr, "hdctl: TCP port 80 is taken: checks for "
			"captive portals%s are not answered there\n",
			acme ? " and challenges of ACME" : "");
		json_decref(l);
		return NULL;
	}
	return l;
}

/* The one with that port, else in place of the first one that speaks TLS. */
static json_t *tls_listener(const struct setup *s, const json_t **ret_old)
{
	int port = setup_port(s);
	const json_t *same = main_listener(s, port);
	json_t *mine = same != NULL && tree_is(same, "tls")
			       ? json_deep_copy(same)
			       : new_listener(port);

	*ret_old = same != NULL ? same : main_listener(s, 0);
	if (json_object_get(mine, "tls") == NULL)
		json_object_set_new(mine, "tls", json_string("true"));
	return mine;
}

/* Whoever has taken it out does not get it back unasked. */
static bool wants_pages(const struct setup *s, const json_t *was)
{
	bool asked = (was == NULL && own_listener(s) == NULL) ||
		     s->w.port > 0 || s->w.certificate == SETUP_CERT_ACME;

	return (asked || main_listener(s, 80) != NULL) &&
	       (setup_port(s) == 443 || setup_wants(s, "acme"));
}

/* Two of them are ours; whatever others there are stay, in their places. */
static void want_listen(struct setup *s)
{
	const json_t *old = json_object_get(s->tree, "listen"), *l, *was = NULL;
	json_t *all = json_array(), *pages = NULL, *mine = NULL;
	size_t i;

	if (own_listener(s) == NULL)
		mine = tls_listener(s, &was);

	if (wants_pages(s, was))
		pages = pages_listener(s);
	if (was == NULL && mine != NULL)
		json_array_append(all, mine);
	if (pages != NULL && main_listener(s, 80) == NULL)
		json_array_append(all, pages);
	json_array_foreach(old, i, l)
		if (l == was)
			json_array_append(all, mine);
		else if (pages != NULL && l == main_listener(s, 80))
			json_array_append(all, pages);
		else
			json_array_append(all, (json_t *)l);
	if (!json_equal(all, old) && json_array_size(all) > 0)
		json_object_set(s->want, "listen", all);
	json_decref(all);
	json_decref(mine);
	json_decref(pages);
	json_object_del(s->want, "port");
}

/* ---- TLS ---- */

static json_t *section(json_t *want, const char *name)
{
	json_t *o = json_object_get(want, name);

	if (!json_is_object(o)) {
		o = json_object();
		json_object_set_new(want, name, o);
	}
	return o;
}

static void want_files(struct setup *s)
{
	json_t *tls = section(s->want, "tls");
	json_t *old = json_object_get(tls, "certificates"), *c;
	json_t *all = json_array();
	size_t i;

	json_array_append_new(all, json_pack("{s:s, s:s}", "cert", s->cert,
					     "key", s->key));
	/* one is in place of one; of several only the same one */
	json_array_foreach(old, i, c)
		if (json_array_size(old) > 1 &&
		    strcmp(tree_text(c, "cert", ""), s->cert) != 0)
			json_array_append(all, c);
	json_object_set_new(tls, "certificates", all);
}

static void want_certificate(struct setup *s)
{
	json_t *tls = json_object_get(s->want, "tls");

	if (s->w.certificate == SETUP_CERT_KEEP)
		return;
	json_object_del(s->want, "tls_cert");
	json_object_del(s->want, "tls_key");
	if (s->w.certificate != SETUP_CERT_ACME) {
		want_files(s);
		return;
	}
	json_object_del(tls, "certificates");
	if (tls != NULL && json_object_size(tls) == 0)
		json_object_del(s->want, "tls");
}

static bool is_address(const char *host)
{
	return strchr(host, ':') != NULL ||
	       host[strspn(host, "0123456789.")] == '\0';
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (json_is_string(item) &&
		    strcmp(json_string_value(item), text) == 0)
			return true;
	return false;
}

/* A certificate that has more names keeps them. */
static void want_acme(struct setup *s)
{
	json_t *acme;

	if (s->w.certificate != SETUP_CERT_ACME) {
		if (s->w.certificate != SETUP_CERT_KEEP)
			json_object_del(s->want, "acme");
		return;
	}
	acme = section(s->want, "acme");
	if (!has_text(json_object_get(acme, "hosts"), s->w.host))
		json_object_set_new(acme, "hosts",
				    json_pack("[s]", s->w.host));
	if (s->w.email != NULL)
		json_object_set_new(acme, "email", json_string(s->w.email));
	json_object_set_new(acme, "accept_tos", json_string("true"));
	if (is_address(s->w.host))
		json_object_set_new(acme, "profile", json_string("shortlived"));
}

/* ---- who may use it ---- */

/* derper's and ours: the service is at /verify. */
static json_t *verify_url(const char *url)
{
	const char *path = strchr(strstr(url, "://") + 3, '/');

	if (path == NULL)
		return json_sprintf("%s/verify", url);
	return path[1] == '\0' ? json_sprintf("%sverify", url)
			       : json_string(url);
}

static json_t *our_rule(const struct setup_wish *w)
{
	json_t *rule = json_pack("{s:s}", "name", RULE);
	const char *arg = w->who_arg;

	if (strcmp(w->who, "keys") == 0)
		json_object_set_new(rule, "keys", json_string(arg));
	else if (strcmp(w->who, "headscale") == 0)
		json_object_set_new(rule, "url", verify_url(arg));
	else
		json_object_set_new(rule, "tailscaled",
				    json_string(arg != NULL ? arg : SOCKET));
	return rule;
}

static void want_policy(struct setup *s)
{
	bool open = s->w.who != NULL && strcmp(s->w.who, "open") == 0;
	json_t *policy, *all, *rule;
	const json_t *old;
	size_t i;

	if (s->w.who == NULL ||
	    (open && json_object_get(s->want, "policy") == NULL))
		return;
	policy = section(s->want, "policy");
	old = json_object_get(policy, "rules");
	all = json_array();
	json_array_foreach(old, i, rule)
		if (strcmp(tree_text(rule, "name", ""), RULE) != 0)
			json_array_append(all, rule);
	if (!open)
		json_array_append_new(all, our_rule(&s->w));
	json_object_set_new(policy, "rules", all);
	if (json_array_size(all) == 0)
		json_object_del(policy, "rules");
	if (json_object_size(policy) == 0)
		json_object_del(s->want, "policy");
}

/* ---- what others say ---- */

static bool is_clash(const struct setup *s, const char *key)
{
	const json_t *v = tree_get(s->others, key), *l;
	size_t i;

	if (strcmp(key, "listen") != 0)
		return json_is_array(v) ? json_array_size(v) > 0 : v != NULL;
	json_array_foreach(v, i, l)
		if (setup_is_main(l))
			return true;
	return false;
}

/* A key of another file would be added to ours, or refused. */
static void look_for_clashes(struct setup *s)
{
	static const char *const keys[] = { "listen", "port", "tls_cert",
					    "tls_key", "tls.certificates",
					    "policy.rules", "acme.hosts" };

	for (size_t i = 0; i < HD_ARRAY_N(keys); i++) {
		bool ours = strncmp(keys[i], "policy", 6) != 0 ||
			    (s->w.who != NULL && strcmp(s->w.who, "open") != 0);

		if (s->w.certificate == SETUP_CERT_KEEP && i > 1 && i < 5)
			continue;
		if (ours && s->why_not[0] == '\0' && is_clash(s, keys[i]))
			(void)snprintf(s->why_not, sizeof(s->why_not),
				       "`%s` is set in another file, %s%s: "
				       "remove it there first", keys[i],
				       s->fragment ? "" : "one that is "
							  "included by ",
				       s->w.config);
	}
}

int setup_plan(struct setup *s)
{
	int r;

	s->want = json_deep_copy(s->tree);
	want_acme(s);
	want_policy(s);
	r = setup_plan_modules(s);
	if (r != HDCTL_OK)
		return r;
	want_listen(s);
	want_certificate(s);
	if (s->fresh && !s->fragment && getpwnam("hyper-derp") != NULL)
		json_object_set_new(s->want, "user", json_string("hyper-derp"));
	look_for_clashes(s);
	return HDCTL_OK;
}
