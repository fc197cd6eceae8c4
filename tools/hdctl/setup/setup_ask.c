/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_ask.c - questions on a terminal, for what the
 * command line has not said. */
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/setup/setup.h"

enum { ANSWER_BYTES = 512, ANSWERS = 8 };

/* Answers live until the program ends: they become options.
 * Returns NULL: the end of the input. */
static const char *question(const char *text, const char *def)
{
	static char answers[ANSWERS][ANSWER_BYTES];
	static size_t n;
	char *answer = answers[n < ANSWERS ? n++ : ANSWERS - 1];

	printf("%s%s%s%s ", text, def[0] != '\0' ? " [" : "", def,
	       def[0] != '\0' ? "]" : "");
	fflush(stdout);
	if (fgets(answer, ANSWER_BYTES, stdin) == NULL)
		return NULL;
	answer[strcspn(answer, "\n")] = '\0';
	return answer[0] != '\0' ? answer : def;
}

static const char *own_name(void)
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME };
	static char name[256];
	struct addrinfo *list = NULL;

	if (gethostname(name, sizeof(name) - 1) < 0)
		return "";
	if (getaddrinfo(name, NULL, &hints, &list) == 0) {
		if (list->ai_canonname != NULL)
			(void)snprintf(name, sizeof(name), "%s",
				       list->ai_canonname);
		freeaddrinfo(list);
	}
	return strchr(name, '.') != NULL ? name : "";
}

static bool ask_files(struct setup_wish *w)
{
	w->certificate = SETUP_CERT_FILES;
	w->cert = question("file of the certificate, with its chain?", "");
	if (w->cert != NULL)
		w->key = question("file of its key?", "");
	return w->cert != NULL && w->key != NULL;
}

static bool ask_acme(struct setup_wish *w)
{
	const char *a;

	w->certificate = SETUP_CERT_ACME;
	a = question("Let's Encrypt: do you agree to its terms "
		     "(https://letsencrypt.org/repository/), yes or no?",
		     "no");
	w->accept_tos = a != NULL && strcmp(a, "yes") == 0;
	a = a != NULL ? question("where may it write to (email)?", "") : NULL;
	w->email = a != NULL && a[0] != '\0' ? a : NULL;
	return a != NULL;
}

/* "keep": there is one.
 * @ret_wrong  an answer that is none of these */
static bool ask_certificate(struct setup *s, const char **ret_wrong)
{
	bool acme = setup_has(s, "acme"), there = !s->fresh;
	const char *a = question(acme ? "certificate: acme (Let's Encrypt), "
					"files, self-signed or keep?"
				      : "certificate: files, self-signed or "
					"keep?",
				 there ? "keep" : acme ? "acme"
						       : "self-signed");

	if (a == NULL)
		return false;
	if (strcmp(a, "files") == 0)
		return ask_files(&s->w);
	if (strcmp(a, "acme") == 0)
		return ask_acme(&s->w);
	if (strcmp(a, "self-signed") == 0)
		s->w.certificate = SETUP_CERT_SELF;
	else if (strcmp(a, "keep") != 0)
		*ret_wrong = a;
	return true;
}

static bool ask_who(struct setup *s)
{
	const char *a = question("who may use it: open (everybody), keys, "
				 "headscale, tailscaled or keep?",
				 s->fresh ? "open" : "keep");

	if (a == NULL || strcmp(a, "keep") == 0)
		return a != NULL;
	s->w.who = a;
	if (strcmp(a, "keys") == 0)
		s->w.who_arg = question("file with their keys?",
					"/etc/hyper-derp/keys");
	else if (strcmp(a, "headscale") == 0)
		s->w.who_arg = question("URL of Headscale?", "");
	else
		return true;
	return s->w.who_arg != NULL;
}

static bool ask_port(struct setup *s)
{
	char def[16];
	const char *a;

	(void)snprintf(def, sizeof(def), "%d", setup_port(s));
	a = question("TCP port?", def);
	if (a != NULL && setup_port_of(a) != setup_port(s))
		s->w.port = setup_port_of(a);
	return a != NULL;
}

static bool ask_stun(struct setup *s)
{
	bool now = s->fresh || setup_lists(s, "stun");
	const char *a = question("STUN on UDP 3478, yes or no?",
				 now ? "yes" : "no");

	if (a != NULL)
		s->w.stun = a[0] == 'y' || a[0] == 'Y';
	return a != NULL;
}

/* One that has said everything is asked nothing. */
int setup_ask(struct setup *s)
{
	struct setup_wish *w = &s->w;
	const char *wrong = NULL;
	bool on = true;

	if (w->yes)
		return HDCTL_OK;
	if (w->host == NULL) {
		w->host = question("the relay's name or address, as clients "
				   "will use it?", own_name());
		on = w->host != NULL;
	}
	if (on && w->certificate == SETUP_CERT_KEEP)
		on = ask_certificate(s, &wrong);
	if (wrong != NULL)
		return hdctl_fail(
			HDCTL_USAGE,
			"\"%s\" is not one of these; nothing has changed",
			wrong);
	if (on && w->who == NULL)
		on = ask_who(s);
	if (on && w->port == 0)
		on = ask_port(s);
	if (on && w->stun == SETUP_AS_IT_IS)
		on = ask_stun(s);
	if (!on)
		return hdctl_fail(HDCTL_REFUSED, "nothing is changed");
	if (w->port < 0)
		return hdctl_fail(HDCTL_USAGE, "the port is outside 1-65535");
	return HDCTL_OK;
}
