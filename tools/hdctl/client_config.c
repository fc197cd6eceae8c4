/* SPDX-License-Identifier: MIT */
/* tools/hdctl/client_config.c - wg client-config: the relay says all of it but
 * the private key, which it does not have; that one is put in here, if at all,
 * and goes to the terminal only. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/file_arg.h"
#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/qr.h"

#define KEY_LINE "PrivateKey = "
enum { KEY_BYTES = 32, KEY_TEXT_BYTES = 44 };

struct wish {
	const char *name, *endpoint, *address, *private_key;
	const char *registered; /* its public key, or NULL */
	bool qr;
};

static int read_wish(const char *const *words, size_t n, struct wish *w)
{
	const struct {
		const char *option, **to;
	} rows[] = {
		{ "--endpoint", &w->endpoint },
		{ "--address", &w->address },
		{ "--private-key", &w->private_key },
	};

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		if (strcmp(words[i], "--qr") == 0) {
			w->qr = true;
			continue;
		}
		if (words[i][0] != '-' && w->name == NULL) {
			w->name = words[i];
			continue;
		}
		while (k < HD_ARRAY_N(rows) &&
		       strcmp(rows[k].option, words[i]) != 0)
			k++;
		if (k == HD_ARRAY_N(rows) || i + 1 == n)
			return hdctl_fail(HDCTL_USAGE,
					  "wg client-config: %s: no such "
					  "option, or its value is missing; "
					  "see hdctl(1)",
					  words[i]);
		*rows[k].to = words[++i];
	}
	if (w->name == NULL)
		return hdctl_fail(HDCTL_USAGE,
				  "wg client-config needs a peer's name");
	return HDCTL_OK;
}

static int ask_config(struct hdctl *h, const struct wish *w, json_t **ret)
{
	const char *words[8] = { "wg", "show", "config", w->name };
	struct hd_error err;
	size_t n = 4;
	int r = hdctl_connect(h);

	if (r != HDCTL_OK)
		return r;
	if (w->endpoint != NULL)
		words[n++] = w->endpoint;
	if (w->address != NULL) {
		words[n++] = "--address";
		words[n++] = w->address;
	}
	r = ask(&h->ask, words, n, ret, &err);
	return r == HDCTL_OK ? r : hdctl_fail(r, "%s", err.text);
}

/* The public key that belongs to a private one. Returns whether it is one. */
static bool public_of(const char *text, char ret[KEY_TEXT_BYTES + 1])
{
	unsigned char key[KEY_BYTES], public[KEY_BYTES];
	size_t got = 0;
	bool good = sodium_base642bin(key, sizeof(key), text, KEY_TEXT_BYTES,
				      NULL, &got, NULL,
				      sodium_base64_VARIANT_ORIGINAL) == 0 &&
		    got == sizeof(key) &&
		    crypto_scalarmult_base(public, key) == 0;

	sodium_memzero(key, sizeof(key));
	if (good)
		sodium_bin2base64(ret, KEY_TEXT_BYTES + 1, public,
				  sizeof(public),
				  sodium_base64_VARIANT_ORIGINAL);
	return good;
}

/* With another key than the registered one nothing would ever work, and nothing
 * would say why. */
static int check_key(const struct wish *w, const char *key)
{
	char mine[KEY_TEXT_BYTES + 1];

	if (strlen(key) < KEY_TEXT_BYTES || !public_of(key, mine))
		return hdctl_fail(HDCTL_USAGE,
				  "%s: no private key; `wg genkey` makes one",
				  w->private_key);
	if (w->registered != NULL && strcmp(w->registered, mine) != 0)
		return hdctl_fail(HDCTL_USAGE,
				  "%s: not the private key of %s, but of %s",
				  w->private_key, w->name, mine);
	return HDCTL_OK;
}

/* The key's file in place of the words that stand for it. */
static int put_key(const struct wish *w, const char *text, FILE *out)
{
	const char *line = strstr(text, KEY_LINE);
	char *key = NULL;
	struct hd_error err;
	int r;

	if (line == NULL)
		return hdctl_fail(HDCTL_REFUSED, "the relay's answer has no "
						 "place for a private key");
	r = file_arg_read(w->private_key, &key, &err);
	if (r != HDCTL_OK)
		return hdctl_fail(r, "%s", err.text);
	r = check_key(w, key);
	if (r == HDCTL_OK)
		fprintf(out, "%.*s" KEY_LINE "%.44s%s", (int)(line - text),
			text, key, line + strcspn(line, "\n"));
	sodium_memzero(key, strlen(key));
	free(key);
	return r;
}

static int show(const struct wish *w, const char *text)
{
	struct hd_error err;

	if (!w->qr) {
		fputs(text, stdout);
		return HDCTL_OK;
	}
	if (w->private_key == NULL)
		fputs("hdctl: without --private-key FILE the client has to be "
		      "given its key by hand\n",
		      stderr);
	if (qr_print(stdout, text, &err) < 0)
		return hdctl_fail(HDCTL_REFUSED, "%s", err.text);
	return HDCTL_OK;
}

static int show_with_key(const struct wish *w, const char *text)
{
	char *whole = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&whole, &n);
	int r;

	if (out == NULL)
		return hdctl_fail(HDCTL_REFUSED, "out of memory");
	r = put_key(w, text, out);
	if (fclose(out) != 0 && r == HDCTL_OK)
		r = hdctl_fail(HDCTL_REFUSED, "out of memory");
	if (r == HDCTL_OK)
		r = show(w, whole);
	if (whole != NULL)
		sodium_memzero(whole, n);
	free(whole);
	return r;
}

/* @ret  holds the public key that w->registered then points to */
static int ask_registered(struct hdctl *h, struct wish *w, json_t **ret)
{
	const char *words[] = { "wg", "peer", "list", w->name };
	struct hd_error err;
	int r = ask(&h->ask, words, HD_ARRAY_N(words), ret, &err);

	if (r != HDCTL_OK)
		return hdctl_fail(r, "%s", err.text);
	w->registered = json_string_value(
		json_object_get(json_array_get(*ret, 0), "pubkey"));
	return HDCTL_OK;
}

int run_client_config(struct hdctl *h, const char *const *words, size_t n)
{
	struct wish w = { .name = NULL };
	json_t *config = NULL, *peer = NULL;
	int r = read_wish(words, n, &w);

	if (r == HDCTL_OK)
		r = ask_config(h, &w, &config);
	if (r == HDCTL_OK && w.private_key != NULL)
		r = ask_registered(h, &w, &peer);
	if (r == HDCTL_OK && !json_is_string(config))
		r = hdctl_fail(HDCTL_REFUSED, "the relay's answer is no text");
	if (r == HDCTL_OK)
		r = w.private_key != NULL
			    ? show_with_key(&w, json_string_value(config))
			    : show(&w, json_string_value(config));
	json_decref(config);
	json_decref(peer);
	return r;
}
