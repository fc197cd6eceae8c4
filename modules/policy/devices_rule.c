/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_rule.c - what a rule wants of a list of devices: its
 * URL, who asks, and where the keys stand. Without paths it is Tailscale's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hyper-derp/fetch.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "modules/policy/devices.h"

/* GET /api/v2/tailnet/-/devices: {"devices":[{"nodeKey":"nodekey:...", ...}]}.
 * One that waits for approval is there, too, and is not authorized. */
#define TAILSCALE_KEY "devices[*].nodeKey"
#define TAILSCALE_NAME "devices[*].name"
#define TAILSCALE_WHERE "devices[*].authorized"

enum { HOST_BYTES = 256 };

/* ---- the token ---- */

static size_t without_end(const char *text, size_t n)
{
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		n--;
	return n;
}

static bool is_token(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	return n > 0;
}

int policy_devices_token(const char *path, char *buf, size_t size,
			 struct hd_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd >= 0 ? read(fd, buf, size) : -1;
	int e = n < 0 ? errno : 0;
	size_t len = n > 0 ? without_end(buf, (size_t)n) : 0;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return hd_error_set(err, -e,
				    "%s: %s; write a file with the token that "
				    "the relay's user can read",
				    path, strerror(e));
	if ((size_t)n == size || !is_token(buf, len)) {
		explicit_bzero(buf, size);
		return hd_error_set(err, -EINVAL,
				    "%s: no token; the file has it in one line "
				    "of printable ASCII without blanks",
				    path);
	}
	buf[len] = '\0';
	return 0;
}

/* ---- who may see the token ---- */

static bool is_loopback(const char *host)
{
	struct in_addr in;
	struct in6_addr in6;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &in) == 1)
		return ntohl(in.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &in6) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&in6);
}

/* Of http://HOST[:PORT]/...; false: another form, as with user@ before it. */
static bool host_of(const char *rest, char host[HOST_BYTES])
{
	bool six = rest[0] == '[';
	size_t n = strcspn(rest + six, six ? "]/?#" : ":/?#");

	if (n >= HOST_BYTES || memchr(rest, '@', strcspn(rest, "/?#")) != NULL)
		return false;
	memcpy(host, rest + six, n);
	host[n] = '\0';
	return true;
}

/* user:password@ before the host. */
static bool has_password(const char *url)
{
	const char *host = strstr(url, "//");

	return host != NULL &&
	       memchr(host + 2, '@', strcspn(host + 2, "/?#")) != NULL;
}

static bool is_private(const char *url)
{
	char host[HOST_BYTES];

	if (strncasecmp(url, "http://", 7) != 0)
		return strncasecmp(url, "https://", 8) == 0;
	if (strncasecmp(url + 7, "unix:/", 6) == 0)
		return true;
	return host_of(url + 7, host) && is_loopback(host);
}

/* ---- checked ---- */

static int check_alone(const struct policy_rule_conf *c, struct hd_error *err)
{
	if (c->devices_token_file == NULL && c->devices_path == NULL &&
	    c->devices_name_path == NULL && c->devices_where == NULL)
		return 0;
	return hd_error_at(&c->at, err, -EINVAL,
			   "devices_token_file, devices_path, "
			   "devices_name_path or devices_where without "
			   "devices; write the URL of the list");
}

static int check_url(const struct policy_rule_conf *c, struct hd_error *err)
{
	const struct hd_fetch_request request = { .url = c->devices };
	struct hd_error why;

	if (hd_fetch_check(&request, &why) < 0)
		return hd_error_at(&c->at_devices, err, -EINVAL, "devices: %s",
				   why.text);
	if (has_password(c->devices))
		return hd_error_at(&c->at_devices, err, -EINVAL,
				   "devices: the URL is logged and shown; "
				   "leave out what stands before @, and name a "
				   "devices_token_file");
	if (c->devices_token_file == NULL || is_private(c->devices))
		return 0;
	return hd_error_at(&c->at_devices, err, -EINVAL,
			   "devices: everybody on the way would read the token "
			   "of devices_token_file; write https://");
}

static int check_token(const struct policy_rule_conf *c, struct hd_error *err)
{
	char token[POLICY_DEVICES_TOKEN_BYTES];
	struct hd_error why = { "" };
	int r;

	if (c->devices_token_file == NULL)
		return 0;
	r = policy_devices_token(c->devices_token_file, token, sizeof(token),
				 &why);
	explicit_bzero(token, sizeof(token));
	return r < 0 ? hd_error_at(&c->at_devices_token_file, err, -EINVAL,
				   "devices_token_file: %s", why.text)
		     : 0;
}

/* ---- paths ---- */

struct texts { /* NULL: none */
	const char *key, *name, *where;
};

/* Whoever names a path means another API than Tailscale's. */
static struct texts texts_of(const struct policy_rule_conf *c)
{
	struct texts t = { c->devices_path, c->devices_name_path,
			   c->devices_where };

	if (t.key != NULL)
		return t;
	t.key = TAILSCALE_KEY;
	if (t.name == NULL)
		t.name = TAILSCALE_NAME;
	if (t.where == NULL)
		t.where = TAILSCALE_WHERE;
	return t;
}

static int take_path(const struct policy_rule_conf *c, const char *option,
		     const char *text, struct policy_path *ret,
		     struct hd_error *err)
{
	if (text == NULL || policy_path_parse(text, ret) == 0)
		return 0;
	return hd_error_at(&c->at_devices, err, -EINVAL,
			   "%s: \"%s\" is not a path; write names with dots "
			   "between them and [*] for each entry, as "
			   "devices[*].nodeKey: up to %d steps and %d "
			   "characters",
			   option, text, POLICY_STEPS_MAX,
			   POLICY_PATH_BYTES - 1);
}

static int check_beside(const struct policy_rule_conf *c, const char *option,
			const struct policy_devices_paths *p,
			const struct policy_path *other, struct hd_error *err)
{
	if (other->n == 0 || policy_path_beside(&p->key, other))
		return 0;
	return hd_error_at(&c->at_devices, err, -EINVAL,
			   "%s: it must begin as devices_path does, up to the "
			   "last [*] of both",
			   option);
}

static int take_paths(const struct policy_rule_conf *c, const struct texts *t,
		      struct policy_devices_paths *ret, struct hd_error *err)
{
	int r = take_path(c, "devices_path", t->key, &ret->key, err);

	if (r == 0)
		r = take_path(c, "devices_name_path", t->name, &ret->name,
			      err);
	if (r == 0)
		r = take_path(c, "devices_where", t->where, &ret->where, err);
	if (r == 0)
		r = check_beside(c, "devices_name_path", ret, &ret->name, err);
	if (r == 0)
		r = check_beside(c, "devices_where", ret, &ret->where, err);
	return r;
}

/* ---- made ---- */

/* Rules that want the same have the same list. */
static struct hd_key id_of(const struct policy_rule_conf *c,
			   const struct texts *t)
{
	const char *const texts[] = { c->devices, c->devices_token_file,
				      t->key, t->name, t->where };
	crypto_generichash_state state;
	struct hd_key id;

	crypto_generichash_init(&state, NULL, 0, sizeof(id.b));
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++) {
		const char *x = texts[i] != NULL ? texts[i] : "";

		crypto_generichash_update(&state, (const uint8_t *)x,
					  strlen(x) + 1);
	}
	crypto_generichash_final(&state, id.b, sizeof(id.b));
	return id;
}

static int copy_texts(const struct policy_rule_conf *c,
		      struct policy_devices_rule *ret, struct hd_error *err)
{
	const char *token = c->devices_token_file;

	ret->url = strdup(c->devices);
	ret->token_path = token != NULL ? strdup(token) : NULL;
	if (ret->url == NULL || (token != NULL && ret->token_path == NULL))
		return hd_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

int policy_devices_take(const struct policy_rule_conf *c,
			struct policy_devices_rule *ret, struct hd_error *err)
{
	struct texts t = texts_of(c);
	int r;

	*ret = (struct policy_devices_rule){ .url = NULL };
	if (c->devices == NULL)
		return check_alone(c, err);
	r = check_url(c, err);
	if (r == 0)
		r = check_token(c, err);
	if (r == 0)
		r = take_paths(c, &t, &ret->paths, err);
	if (r < 0)
		return r;
	ret->id = id_of(c, &t);
	return copy_texts(c, ret, err);
}

void policy_devices_rule_free(struct policy_devices_rule *r)
{
	free(r->url);
	free(r->token_path);
	*r = (struct policy_devices_rule){ .url = NULL };
}
