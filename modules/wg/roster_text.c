/* SPDX-License-Identifier: MIT */
/* modules/wg/roster_text.c - the roster as text: read, written. */
#include "modules/wg/roster.h"
#include <errno.h>
#include <string.h>

enum {
	LINE_MAX_BYTES = 1024, /* the longest that print() makes is 500 */
	FIELDS_MAX = 4, /* the last has the rest of the line */
};

struct line {
	const char *file;
	unsigned number;
	char buf[LINE_MAX_BYTES];
	char *fields[FIELDS_MAX + 1]; /* the keyword first; NULL: no more */
	unsigned n;
};

/* ---- read ---- */

static int bad_line(const struct line *l, struct wg_refusal *why, int r)
{
	struct hd_error inner = why->err;

	return wg_refuse(why, r, why->code, "%s%c%u: %s",
			 l->file != NULL ? l->file : "line",
			 l->file != NULL ? ':' : ' ', l->number, inner.text);
}

static int bad_form(struct wg_refusal *why, const char *form)
{
	return wg_refuse(why, -EINVAL, "bad_args",
			 "a line is `%s`: correct it, or put a # before it",
			 form);
}

static void split_fields(struct line *l, unsigned most)
{
	char *p = l->buf + strspn(l->buf, " \t\r");

	l->n = 0;
	while (*p != '\0') {
		l->fields[l->n++] = p;
		p += l->n == most ? strlen(p) : strcspn(p, " \t\r");
		if (*p != '\0')
			*p++ = '\0';
		p += strspn(p, " \t\r");
	}
	for (unsigned i = l->n; i <= FIELDS_MAX; i++)
		l->fields[i] = NULL;
}

/* The rest of a line is a label: without the space behind it. */
static void trim_end(char *text)
{
	size_t n = text != NULL ? strlen(text) : 0;

	while (n > 0 && strchr(" \t\r", text[n - 1]) != NULL)
		text[--n] = '\0';
}

/* Whether text, that may be NULL, says what is known. */
static bool same_label(const char *text, const char *label)
{
	if (text == NULL || strcmp(text, "-") == 0)
		return label == NULL;
	return label != NULL && strcmp(text, label) == 0;
}

static bool same_peer(const struct wg_entry *p,
		      const struct wg_entry_text *text)
{
	struct wg_refusal unused;
	union hd_addr addr;
	struct hd_key key;

	memset(&addr, 0, sizeof(addr));
	memset(&key, 0, sizeof(key));
	if (strcmp(text->endpoint, "-") != 0 &&
	    wg_addr_parse(text->endpoint, &addr, &unused) < 0)
		return false;
	if (text->pubkey != NULL && strcmp(text->pubkey, "-") != 0 &&
	    wg_key_parse(text->pubkey, &key, &unused) < 0)
		return false;
	return memcmp(&addr, &p->endpoint, sizeof(addr)) == 0 &&
	       memcmp(&key, &p->key, sizeof(key)) == 0 &&
	       same_label(text->label, p->label);
}

static int read_peer(struct wg_changes *c, struct wg_roster *r, struct line *l,
		     struct wg_refusal *why)
{
	struct wg_entry_text text;
	const struct wg_entry *p;

	split_fields(l, 5);
	if (l->n < 3)
		return bad_form(why, "peer NAME IP:PORT|- [KEY|- [LABEL]]");
	trim_end(l->fields[4]);
	text = (struct wg_entry_text){ .name = l->fields[1],
				       .endpoint = l->fields[2],
				       .pubkey = l->fields[3],
				       .label = l->fields[4] };
	p = wg_roster_find(r, text.name);
	if (p != NULL && (p->fixed || same_peer(p, &text)))
		return 0;
	return wg_change_add(c, r, &text, why);
}

static int read_link(struct wg_changes *c, struct wg_roster *r, struct line *l,
		     struct wg_refusal *why)
{
	const struct wg_entry *a, *b;

	split_fields(l, FIELDS_MAX);
	if (l->n != 3)
		return bad_form(why, "link NAME NAME");
	a = wg_roster_find(r, l->fields[1]);
	b = wg_roster_find(r, l->fields[2]);
	if (a != NULL && b != NULL && a != b && wg_edge_find(a, b) != NULL)
		return 0;
	return wg_change_link(c, r, l->fields[1], l->fields[2], why);
}

static int read_nic(struct wg_changes *c, struct wg_roster *r, struct line *l,
		    struct wg_refusal *why)
{
	struct wg_entry_text text;
	const struct wg_entry *p;

	split_fields(l, FIELDS_MAX);
	if (l->n != 3)
		return bad_form(why, "nic NAME INTERFACE");
	text = (struct wg_entry_text){ .name = l->fields[1],
				       .nic = l->fields[2] };
	p = wg_roster_find(r, text.name);
	if (p != NULL && (p->fixed_nic || strcmp(p->nic, text.nic) == 0))
		return 0;
	return wg_change_update(c, r, &text, why);
}

static const struct {
	const char *word;
	bool links; /* it speaks of peers, which are read first */
	int (*read)(struct wg_changes *c, struct wg_roster *r, struct line *l,
		    struct wg_refusal *why);
} words[] = {
	{ "peer", false, read_peer },
	{ "link", true, read_link },
	{ "nic", true, read_nic },
};

static bool begins_with(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 &&
	       (line[n] == '\0' || strchr(" \t\r", line[n]) != NULL);
}

/* @links  which pass this is: 0 peers, 1 what speaks of them */
static int read_line(struct wg_changes *c, struct wg_roster *r, struct line *l,
		     bool links, struct wg_refusal *why)
{
	const char *p = l->buf + strspn(l->buf, " \t\r");
	int e;

	if (*p == '\0' || *p == '#')
		return 0;
	for (size_t i = 0; i < HD_ARRAY_N(words); i++) {
		if (!begins_with(p, words[i].word))
			continue;
		if (words[i].links != links)
			return 0;
		e = words[i].read(c, r, l, why);
		return e < 0 ? bad_line(l, why, e) : 0;
	}
	return bad_line(l, why, bad_form(why, "peer …`, `link …` or `nic …"));
}

/* One pass. A line that is too long or has a 0 in it is none of ours. */
static int read_pass(struct wg_changes *c, struct wg_roster *r, struct line *l,
		     const char *text, size_t n, bool links,
		     struct wg_refusal *why)
{
	const char *end = text + n;
	int e = 0;

	l->number = 0;
	for (const char *p = text, *eol; e == 0 && p < end; p = eol + 1) {
		size_t len;

		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol != NULL ? eol : end;
		len = (size_t)(eol - p);
		l->number++;
		if (len >= sizeof(l->buf) || memchr(p, '\0', len) != NULL)
			return bad_line(
				l, why,
				bad_form(why, "text of less than 1024 bytes"));
		memcpy(l->buf, p, len);
		l->buf[len] = '\0';
		e = read_line(c, r, l, links, why);
	}
	return e;
}

int wg_text_apply(struct wg_changes *c, struct wg_roster *r, const char *file,
		  const char *text, size_t n, struct wg_refusal *why)
{
	struct line l = { .file = file };
	int e = read_pass(c, r, &l, text, n, false, why);

	return e < 0 ? e : read_pass(c, r, &l, text, n, true, why);
}

/* ---- written ---- */

static void print_peer(const struct wg_entry *p, FILE *out)
{
	char addr[HD_ADDR_TEXT_BYTES], key[WG_KEY_TEXT_BYTES];
	bool has_key = wg_entry_has_key(p);

	fprintf(out, "peer %s %s", p->name,
		wg_entry_has_endpoint(p) ? hd_addr_text(&p->endpoint, addr)
					 : "-");
	if (has_key || p->label != NULL)
		fprintf(out, " %s", has_key ? wg_key_text(&p->key, key) : "-");
	if (p->label != NULL)
		fprintf(out, " %s", p->label);
	fputc('\n', out);
}

static void print_links(const struct wg_entry *p, FILE *out)
{
	for (uint32_t i = 0; i < p->n_edges; i++)
		if (p->edges[i].first && !p->edges[i].fixed)
			fprintf(out, "link %s %s\n", p->name,
				p->edges[i].peer->name);
}

void wg_text_print(const struct wg_roster *r, FILE *out)
{
	const struct wg_entry *p;

	for (p = r->by_name; p != NULL; p = p->by_name.next) {
		if (!p->fixed)
			print_peer(p, out);
		if (p->nic[0] != '\0' && !p->fixed_nic)
			fprintf(out, "nic %s %s\n", p->name, p->nic);
	}
	for (p = r->by_name; p != NULL; p = p->by_name.next)
		print_links(p, out);
}
