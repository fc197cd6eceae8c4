/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_options.c - the command line, and whether it makes
 * sense. */
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/setup/setup.h"

static bool is_one_of(const char *word, const char *list)
{
	const char *at = strstr(list, word);
	size_t n = strlen(word);

	return at != NULL && n > 0 && (at == list || at[-1] == ' ') &&
	       (at[n] == ' ' || at[n] == '\0');
}

static bool take_switch(struct setup_wish *w, const char *word)
{
	if (strcmp(word, "--self-signed") == 0)
		w->certificate = SETUP_CERT_SELF;
	else if (strcmp(word, "--acme") == 0)
		w->certificate = SETUP_CERT_ACME;
	else if (strcmp(word, "--accept-tos") == 0)
		w->accept_tos = true;
	else if (strcmp(word, "--stun") == 0)
		w->stun = 1;
	else if (strcmp(word, "--no-stun") == 0)
		w->stun = 0;
	else if (strcmp(word, "--yes") == 0 || strcmp(word, "-y") == 0)
		w->yes = true;
	else if (strcmp(word, "--dry-run") == 0)
		w->dry_run = true;
	else if (strcmp(word, "--no-start") == 0)
		w->no_start = true;
	else
		return false;
	return true;
}

static bool take_value(struct setup_wish *w, const char *option,
		       const char *value)
{
	const struct {
		const char *option, **to;
	} rows[] = {
		{ "-c", &w->config },	  { "--config", &w->config },
		{ "--host", &w->host },	  { "--cert", &w->cert },
		{ "--key", &w->key },	  { "--email", &w->email },
		{ "--port", &w->port_text }, { "--who", &w->who },
	};

	for (size_t k = 0; value != NULL && k < HD_ARRAY_N(rows); k++)
		if (strcmp(rows[k].option, option) == 0) {
			*rows[k].to = value;
			return true;
		}
	return false;
}

/* "keys FILE", "headscale URL", "tailscaled [SOCKET]": the second word.
 * Returns how many words that was. */
static size_t take_who(struct setup_wish *w, const char *next)
{
	bool takes = is_one_of(w->who, "keys headscale") ||
		     (strcmp(w->who, "tailscaled") == 0 && next != NULL &&
		      next[0] == '/');

	w->who_arg = takes && next != NULL && next[0] != '-' ? next : NULL;
	return w->who_arg != NULL;
}

int setup_port_of(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return end != text && *end == '\0' && n >= 1 && n <= 65535 ? (int)n
								   : -1;
}

int setup_options(struct setup_wish *w, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = i + 1 < n ? words[i + 1] : NULL;

		if (take_switch(w, words[i]))
			continue;
		if (!take_value(w, words[i], value))
			return usage_fail_option(HDCTL_USAGE, "setup",
						 words[i]);
		i++;
		if (strcmp(words[i - 1], "--who") == 0)
			i += take_who(w, i + 1 < n ? words[i + 1] : NULL);
	}
	if ((w->cert != NULL || w->key != NULL) &&
	    w->certificate == SETUP_CERT_KEEP)
		w->certificate = SETUP_CERT_FILES;
	if (w->port_text != NULL) {
		w->port = setup_port_of(w->port_text);
		if (w->port < 0)
			return hdctl_fail(HDCTL_USAGE, "--port: %s is outside "
					  "1-65535", w->port_text);
	}
	return HDCTL_OK;
}

/* ---- do they go together? ---- */

static int check_certificate(const struct setup_wish *w)
{
	bool files = w->cert != NULL || w->key != NULL;

	if (files && w->certificate != SETUP_CERT_FILES)
		return hdctl_fail(HDCTL_USAGE, "--cert and --key are files "
				  "that you have, --self-signed and --acme "
				  "make them: choose one");
	if (files && (w->cert == NULL || w->key == NULL))
		return hdctl_fail(HDCTL_USAGE,
				  "--cert FILE and --key FILE go together");
	if (w->certificate == SETUP_CERT_ACME && !w->accept_tos)
		return hdctl_fail(HDCTL_USAGE,
				  "--acme needs --accept-tos: you agree to the "
				  "terms of the authority (Let's Encrypt: "
				  "https://letsencrypt.org/repository/)");
	return HDCTL_OK;
}

static int check_who(const struct setup_wish *w)
{
	if (w->who == NULL)
		return HDCTL_OK;
	if (!is_one_of(w->who, "open keys headscale tailscaled"))
		return hdctl_fail(HDCTL_USAGE,
				  "--who %s: open, keys FILE, headscale URL or "
				  "tailscaled", w->who);
	if (is_one_of(w->who, "keys headscale") && w->who_arg == NULL)
		return hdctl_fail(HDCTL_USAGE, "--who %s needs its %s", w->who,
				  strcmp(w->who, "keys") == 0 ? "file" : "URL");
	if (strcmp(w->who, "keys") == 0 && w->who_arg[0] != '/')
		return hdctl_fail(HDCTL_USAGE, "--who keys %s: name it from "
				  "the root (/etc/hyper-derp/keys)",
				  w->who_arg);
	if (strcmp(w->who, "headscale") == 0 &&
	    strncmp(w->who_arg, "http://", 7) != 0 &&
	    strncmp(w->who_arg, "https://", 8) != 0)
		return hdctl_fail(HDCTL_USAGE, "--who headscale %s: a URL "
				  "begins with https:// or http://",
				  w->who_arg);
	return HDCTL_OK;
}

int setup_check(const struct setup_wish *w)
{
	int r;

	if (w->host == NULL)
		return hdctl_fail(HDCTL_USAGE,
				  "setup needs --host: the name or the address "
				  "that clients will use");
	r = hdctl_host_name(w->host);
	if (r == HDCTL_OK)
		r = check_certificate(w);
	return r == HDCTL_OK ? check_who(w) : r;
}
