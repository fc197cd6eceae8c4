/* SPDX-License-Identifier: MIT */
/* modules/wg/quick.c - see quick.h. wg-quick(8) describes the files. */
#include "modules/wg/quick.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 4096, KEEPALIVE_S = 25, MADE_NAME_BYTES = 11 };

/* ---- out ---- */

static const uint8_t network[] = { 0xfd, 'h', 'd', 'w', 'g', 0 };

const char *wg_quick_address(const struct hd_key *key,
			     char buf[WG_ADDRESS_TEXT_BYTES])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	struct in6_addr addr;

	crypto_generichash(hash, sizeof(hash), key->b, sizeof(key->b), NULL, 0);
	memcpy(addr.s6_addr, network, sizeof(network));
	memcpy(addr.s6_addr + sizeof(network), hash,
	       sizeof(addr) - sizeof(network));
	inet_ntop(AF_INET6, &addr, buf, WG_ADDRESS_TEXT_BYTES);
	return buf;
}

/* Whether HOST has a port behind it; "[IP]" and an IPv6 address have none. */
static bool has_port(const char *host)
{
	const char *colon = strrchr(host, ':');

	if (colon == NULL || strchr(host, ':') == colon)
		return colon != NULL;
	return colon[-1] == ']';
}

static void print_endpoint(const struct wg_client *c, FILE *out)
{
	bool bare6 = c->endpoint[0] != '[' && !has_port(c->endpoint) &&
		     strchr(c->endpoint, ':') != NULL;

	fprintf(out, "Endpoint = %s%s%s", bare6 ? "[" : "", c->endpoint,
		bare6 ? "]" : "");
	if (!has_port(c->endpoint))
		fprintf(out, ":%u", c->port);
	fputc('\n', out);
}

static void print_peer(const struct wg_client *c, const struct wg_entry *p,
		       FILE *out)
{
	char key[WG_KEY_TEXT_BYTES], addr[WG_ADDRESS_TEXT_BYTES];

	if (!wg_entry_has_key(p)) {
		fprintf(out,
			"\n# %s is linked, but its public key is not known: "
			"`hdctl wg peer pubkey %s KEY`\n",
			p->name, p->name);
		return;
	}
	fprintf(out, "\n[Peer]\n# Name = %s\n", p->name);
	fprintf(out, "PublicKey = %s\n", wg_key_text(&p->key, key));
	fprintf(out, "AllowedIPs = %s/128\n", wg_quick_address(&p->key, addr));
	print_endpoint(c, out);
	fprintf(out, "PersistentKeepalive = %d\n", KEEPALIVE_S);
}

void wg_quick_print(const struct wg_client *c, FILE *out)
{
	char addr[WG_ADDRESS_TEXT_BYTES];

	fprintf(out,
		"[Interface]\n# Name = %s\nPrivateKey = (the private key "
		"of %s, which the relay does not have)\n",
		c->peer->name, c->peer->name);
	if (c->address != NULL)
		fprintf(out, "Address = %s\n", c->address);
	else if (wg_entry_has_key(c->peer))
		fprintf(out, "Address = %s/128\n",
			wg_quick_address(&c->peer->key, addr));
	else
		fputs("# Address = (an address in the tunnel)\n", out);
	for (uint32_t i = 0; i < c->peer->n_edges; i++)
		print_peer(c, c->peer->edges[i].peer, out);
}

/* ---- in ---- */

enum section { NOWHERE, INTERFACE, PEER };

struct reading {
	struct wg_changes *c;
	struct wg_roster *r;
	struct wg_refusal *why;
	const char *given; /* the interface's name, or NULL */
	unsigned line, section_line;
	enum section section;
	char key[WG_KEY_TEXT_BYTES]; /* of the section; "" none yet */
	char name[WG_NAME_MAX_BYTES + 1]; /* of a comment, for the section */
	char above[WG_NAME_MAX_BYTES + 1]; /* of the comment on the last line */
	char self[WG_NAME_MAX_BYTES + 1]; /* the interface's peer, or "" */
};

static int wrong(const struct reading *q, unsigned line, int r)
{
	struct hd_error inner = q->why->err;

	return wg_refuse(q->why, r, q->why->code, "line %u: %s", line,
			 inner.text);
}

static int bad(const struct reading *q, const char *what)
{
	wg_refuse(q->why, -EINVAL, "bad_args", "%s", what);
	return wrong(q, q->line, -EINVAL);
}

/* Without a name in a comment the key's first letters have to do. */
static void make_name(struct reading *q)
{
	size_t n = 0;

	strcpy(q->name, "wg-");
	for (const char *p = q->key; n < 8 && *p != '\0'; p++)
		if (isalnum((unsigned char)*p))
			q->name[3 + n++] = *p;
	q->name[3 + n] = '\0';
	_Static_assert(MADE_NAME_BYTES < sizeof(q->name), "it has room");
}

/* The peer with the section's key: known, or a new one. */
static int take_peer(struct reading *q, const char **ret_name)
{
	struct wg_entry_text t = { .pubkey = q->key };
	const struct wg_entry *known;
	struct hd_key key;
	int r = wg_key_parse(q->key, &key, q->why);

	if (r < 0)
		return wrong(q, q->section_line, r);
	known = wg_roster_by_key(q->r, &key);
	if (known != NULL) {
		*ret_name = known->name;
		return 0;
	}
	if (q->section == INTERFACE && q->given != NULL)
		t.name = q->given;
	else if (q->name[0] == '\0')
		make_name(q);
	if (t.name == NULL)
		t.name = q->name;
	r = wg_change_add(q->c, q->r, &t, q->why);
	if (r < 0)
		return wrong(q, q->section_line, r);
	*ret_name = wg_roster_by_key(q->r, &key)->name;
	return 0;
}

static int link_peer(struct reading *q, const char *name)
{
	const struct wg_entry *a = wg_roster_find(q->r, q->self);
	const struct wg_entry *b = wg_roster_find(q->r, name);
	int r;

	if (q->self[0] == '\0' || (a != b && wg_edge_find(a, b) != NULL))
		return 0;
	r = wg_change_link(q->c, q->r, q->self, name, q->why);
	return r < 0 ? wrong(q, q->section_line, r) : 0;
}

static int end_section(struct reading *q)
{
	const char *name = NULL;
	int r = 0;

	if (q->section == PEER && q->key[0] == '\0') {
		wg_refuse(q->why, -EINVAL, "missing_arg",
			  "this [Peer] has no PublicKey");
		return wrong(q, q->section_line, -EINVAL);
	}
	if (q->section != NOWHERE && q->key[0] != '\0')
		r = take_peer(q, &name);
	if (r == 0 && name != NULL && q->section == INTERFACE)
		strcpy(q->self, name);
	else if (r == 0 && name != NULL)
		r = link_peer(q, name);
	q->key[0] = '\0';
	return r;
}

static int begin_section(struct reading *q, const char *text)
{
	int r = end_section(q);

	q->section_line = q->line;
	if (r < 0)
		return r;
	strcpy(q->name, q->above); /* right above the header: it is ours */
	q->above[0] = '\0';
	if (strcasecmp(text, "[Interface]") == 0)
		q->section = INTERFACE;
	else if (strcasecmp(text, "[Peer]") == 0)
		q->section = PEER;
	else
		return bad(q, "a section is [Interface] or [Peer]");
	return 0;
}

/* What was above was no header's: it belongs to the section. */
static void keep_name(struct reading *q)
{
	if (q->name[0] == '\0')
		strcpy(q->name, q->above);
	q->above[0] = '\0';
}

/* "# Name = alice", "# Name: alice", "# alice": the first in a section. */
static void read_comment(struct reading *q, const char *text)
{
	struct wg_refusal unused;
	const char *p = text + strspn(text, "# \t");

	if (strncasecmp(p, "name", 4) == 0 && strchr(" \t=:", p[4]) != NULL)
		p += 4 + strspn(p + 4, " \t=:");
	keep_name(q);
	if (wg_name_check(p, &unused) == 0 && !wg_looks_like_key(p) &&
	    !wg_looks_like_addr(p))
		strcpy(q->above, p);
}

static int read_value(struct reading *q, const char *name, const char *value)
{
	if (strcasecmp(name, "PrivateKey") == 0 && value[0] != '\0' &&
	    value[0] != '(')
		return bad(q, "a private key: the relay takes none; hdctl "
			      "sends the public one instead");
	if (strcasecmp(name, "PublicKey") != 0)
		return 0; /* the client's business */
	if (strlen(value) >= sizeof(q->key))
		return bad(q, "PublicKey is too long for a key");
	if (q->key[0] != '\0')
		return bad(q, "a second PublicKey in one section");
	strcpy(q->key, value);
	return 0;
}

static void trim_end(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
}

static int read_line(struct reading *q, char *text)
{
	char *eq;

	text += strspn(text, " \t");
	trim_end(text);
	if (text[0] == '#') {
		read_comment(q, text);
		return 0;
	}
	if (text[0] == '[')
		return begin_section(q, text);
	keep_name(q);
	if (text[0] == '\0')
		return 0;
	eq = strchr(text, '=');
	if (eq == NULL || q->section == NOWHERE)
		return bad(q, "a line is `NAME = VALUE`, in a section");
	*eq++ = '\0';
	trim_end(text);
	return read_value(q, text, eq + strspn(eq, " \t"));
}

int wg_quick_apply(struct wg_changes *c, struct wg_roster *r, const char *text,
		   const char *name, struct wg_refusal *why)
{
	struct reading q = { .c = c, .r = r, .why = why, .given = name };
	char line[LINE_MAX_BYTES];
	int e = 0;

	while (e == 0 && *text != '\0') {
		size_t n = strcspn(text, "\n");

		q.line++;
		if (n >= sizeof(line))
			return bad(&q, "the line is too long");
		memcpy(line, text, n);
		line[n] = '\0';
		e = read_line(&q, line);
		text += n + (text[n] == '\n');
	}
	keep_name(&q);
	return e == 0 ? end_section(&q) : e;
}

/* Its first line that says something is a section. */
bool wg_quick_is(const char *text)
{
	while (*text != '\0') {
		text += strspn(text, " \t\r\n");
		if (*text != '#')
			return *text == '[';
		text += strcspn(text, "\n");
	}
	return false;
}
