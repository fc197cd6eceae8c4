/* SPDX-License-Identifier: MIT */
/* tools/hdctl/client_config.c - wg client-config: the relay says all of it but
 * the private key, which it does not have; that one is put in here, if at all,
 * and goes to the terminal only. */
#include "tools/hdctl/client_config.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/qr.h"

#define KEY_LINE "PrivateKey = "

/* ---- what is asked for ---- */

static int take_link(struct client_wish *w, const char *name)
{
	if (w->n_links == CLIENT_LINKS_MAX)
		return hdctl_fail(HDCTL_USAGE, "--link: %d at most",
				  CLIENT_LINKS_MAX);
	w->links[w->n_links++] = name;
	return HDCTL_OK;
}

static int take_value(struct client_wish *w, const char *option,
		      const char *value)
{
	const struct {
		const char *option, **to;
	} rows[] = {
		{ "--endpoint", &w->endpoint },
		{ "--address", &w->address },
		{ "--private-key", &w->private_key },
	};

	if (value != NULL && strcmp(option, "--link") == 0)
		return take_link(w, value);
	for (size_t k = 0; value != NULL && k < HD_ARRAY_N(rows); k++)
		if (strcmp(rows[k].option, option) == 0) {
			*rows[k].to = value;
			return HDCTL_OK;
		}
	return usage_fail_option(HDCTL_USAGE, "wg client-config", option);
}

static int check_wish(const struct client_wish *w)
{
	if (w->name == NULL)
		return hdctl_fail(HDCTL_USAGE,
				  "wg client-config needs a peer's name");
	if (w->new_key && w->private_key != NULL)
		return hdctl_fail(HDCTL_USAGE, "choose one: --private-key "
					       "has a key, --new-key makes it");
	if (w->n_links > 0 && !w->new_key)
		return hdctl_fail(HDCTL_USAGE,
				  "--link goes with --new-key; else `hdctl wg "
				  "link add %s %s`",
				  w->name, w->links[0]);
	if (w->qr && !w->new_key && w->private_key == NULL)
		return hdctl_fail(
			HDCTL_USAGE,
			"a QR code needs the private key, which the relay does "
			"not have: --private-key FILE puts in that of %s, "
			"--new-key makes a new pair and registers its public "
			"key; or leave --qr out",
			w->name);
	if (w->qr && !qr_there())
		return hdctl_fail(HDCTL_REFUSED, QR_NONE);
	return HDCTL_OK;
}

static int read_wish(const char *const *words, size_t n, struct client_wish *w)
{
	int r = HDCTL_OK;

	for (size_t i = 0; r == HDCTL_OK && i < n; i++) {
		if (strcmp(words[i], "--qr") == 0)
			w->qr = true;
		else if (strcmp(words[i], "--new-key") == 0)
			w->new_key = true;
		else if (words[i][0] != '-' && w->name == NULL)
			w->name = words[i];
		else {
			r = take_value(w, words[i],
				       i + 1 < n ? words[i + 1] : NULL);
			i++;
		}
	}
	return r == HDCTL_OK ? check_wish(w) : r;
}

/* ---- what the relay says ---- */

int client_ask_config(struct hdctl *h, const struct client_wish *w,
		      json_t **ret)
{
	const char *words[8] = { "wg", "show", "config", w->name };
	struct hd_error err;
	size_t n = 4;
	int r;

	if (w->endpoint != NULL)
		words[n++] = w->endpoint;
	if (w->address != NULL) {
		words[n++] = "--address";
		words[n++] = w->address;
	}
	r = ask(&h->ask, words, n, ret, &err);
	if (r != HDCTL_OK)
		return hdctl_fail(r, "%s", err.text);
	return json_is_string(*ret)
		       ? r
		       : hdctl_fail(HDCTL_REFUSED, "the relay's "
						   "answer is not text");
}

/* With another key than the registered one nothing would ever work, and nothing
 * would say why. */
static int check_key(struct hdctl *h, const struct client_wish *w,
		     const char *key)
{
	const char *words[] = { "wg", "peer", "list", w->name };
	char mine[WG_KEY_TEXT_BYTES];
	const char *registered;
	struct hd_error err;
	json_t *peer = NULL;
	int r;

	if (!wg_key_public(key, mine))
		return hdctl_fail(HDCTL_USAGE,
				  "%s: no private key; `wg genkey` makes one",
				  w->private_key);
	r = ask(&h->ask, words, HD_ARRAY_N(words), &peer, &err);
	registered = json_string_value(
		json_object_get(json_array_get(peer, 0), "pubkey"));
	if (r != HDCTL_OK)
		hdctl_fail(r, "%s", err.text);
	else if (registered != NULL && strcmp(registered, mine) != 0)
		r = hdctl_fail(HDCTL_USAGE,
			       "%s: not the private key of %s, but of %s",
			       w->private_key, w->name, mine);
	json_decref(peer);
	return r;
}

/* ---- put together ---- */

static int show(const struct client_wish *w, const char *text)
{
	struct hd_error err;

	if (!w->qr)
		clean_put(stdout, text, true);
	else if (qr_print(stdout, text, &err) < 0)
		return hdctl_fail(HDCTL_REFUSED, "%s", err.text);
	return HDCTL_OK;
}

/* The key in place of the words that stand for it.
 * @key  its first WG_KEY_CHARS */
static int show_with_key(const struct client_wish *w, const char *text,
			 const char *key)
{
	const char *line = strstr(text, KEY_LINE);
	char *whole = NULL;
	int n, r;

	if (line == NULL)
		return hdctl_fail(HDCTL_REFUSED, "the relay's answer has no "
						 "place for a private key");
	n = asprintf(&whole, "%.*s" KEY_LINE "%.44s%s", (int)(line - text),
		     text, key, line + strcspn(line, "\n"));
	if (n < 0)
		return hdctl_fail(HDCTL_REFUSED, "out of memory");
	r = show(w, whole);
	sodium_memzero(whole, (size_t)n);
	free(whole);
	return r;
}

static int with_key(struct hdctl *h, const struct client_wish *w,
		    const char *key)
{
	json_t *config = NULL;
	int r = client_ask_config(h, w, &config);

	if (r == HDCTL_OK)
		r = key != NULL
			    ? show_with_key(w, json_string_value(config), key)
			    : show(w, json_string_value(config));
	json_decref(config);
	return r;
}

static int with_file(struct hdctl *h, const struct client_wish *w)
{
	char *key = NULL;
	struct hd_error err;
	int r = file_arg_read(w->private_key, &key, &err);

	if (r != HDCTL_OK)
		return hdctl_fail(r, "%s", err.text);
	r = check_key(h, w, key);
	if (r == HDCTL_OK)
		r = with_key(h, w, key);
	sodium_memzero(key, strlen(key));
	free(key);
	return r;
}

static int with_new_key(struct hdctl *h, const struct client_wish *w)
{
	char old[WG_KEY_TEXT_BYTES];
	struct wg_key_pair pair;
	int r = HDCTL_OK;

	if (!wg_key_make(&pair))
		r = hdctl_fail(HDCTL_REFUSED, "no randomness for a key");
	if (r == HDCTL_OK)
		r = client_register(h, w, &pair, old);
	if (r == HDCTL_OK) {
		r = with_key(h, w, pair.secret);
		if (fflush(stdout) != 0 || r != HDCTL_OK)
			r = client_unregister(h, w, old);
	}
	wg_key_forget(&pair);
	return r;
}

int run_client_config(struct hdctl *h, const char *const *words, size_t n)
{
	struct client_wish w = { .name = NULL };
	int r = read_wish(words, n, &w);

	if (r == HDCTL_OK)
		r = hdctl_needs(h, "wg");
	if (r != HDCTL_OK)
		return r;
	return w.new_key		? with_new_key(h, &w)
	       : w.private_key != NULL ? with_file(h, &w)
					: with_key(h, &w, NULL);
}
