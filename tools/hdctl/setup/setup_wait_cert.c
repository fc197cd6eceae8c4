/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_wait_cert.c - a relay that has just started has no
 * certificate from its authority yet: seconds later it has, or a reason. */
#include <string.h>
#include <time.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/setup/setup.h"

enum { WAIT_S = 90, STEP_MS = 250 };

struct answer {
	bool told; /* the relay has said it */
	bool has; /* a certificate */
	bool tries; /* to get one, now */
	char error[512]; /* of the last attempt that failed; "": none */
};

bool setup_by_acme(const struct setup *s)
{
	if (s->w.certificate != SETUP_CERT_KEEP)
		return s->w.certificate == SETUP_CERT_ACME;
	return setup_lists(s, "acme") && setup_conf(s, "acme.hosts") != NULL &&
	       s->pem.leaf == NULL && !s->self_signed;
}

static struct answer ask_acme(struct setup *s)
{
	struct answer a = { .told = false };
	struct hd_error err;
	json_t *status = NULL;

	if (ask_words(&s->h->ask, "acme status", &status, &err) != HDCTL_OK) {
		(void)snprintf(a.error, sizeof(a.error), "%s", err.text);
		return a;
	}
	a.told = true;
	a.has = json_is_true(json_object_get(status, "certificate"));
	a.tries = strcmp(tree_text(status, "doing", ""), "waiting") != 0 ||
		  json_integer_value(json_object_get(
			  status, "tried_again_in")) == 0;
	(void)snprintf(a.error, sizeof(a.error), "%s",
		       tree_text(status, "error", ""));
	json_decref(status);
	return a;
}

/* Who says setup again has mended something. If an attempt is on its way the
 * relay refuses another, which is as good. */
static void try_again(struct setup *s)
{
	struct hd_error err;
	json_t *data = NULL;

	(void)ask_words(&s->h->ask, "acme renew", &data, &err);
	json_decref(data);
}

static void say_none(const struct setup *s, const struct answer *a)
{
	if (a->error[0] != '\0') {
		fputs(a->told ? "no certificate, and it is tried again later: "
			      : "the relay does not say how far it is: ",
		      stdout);
		clean_put(stdout, a->error, false);
		putchar('\n');
	} else {
		printf("none yet after %d s\n", WAIT_S);
	}
	printf("usual reasons: %s does not lead here (DNS), or TCP 80 and %d "
	       "are closed on the way\n"
	       "hdctl acme status says how far it is, hdctl doctor what is "
	       "wrong here\n",
	       s->w.host, setup_port(s));
}

/* A new machine's clock may be put right meanwhile. */
static time_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

bool setup_wait_cert(struct setup *s)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	time_t until = now_s() + WAIT_S;
	struct answer a = ask_acme(s);

	if (a.has)
		return true;
	puts("\nwaiting for the certificate (hdctl acme status)");
	if (a.error[0] != '\0')
		try_again(s);
	do {
		nanosleep(&step, NULL);
		a = ask_acme(s);
	} while (a.told && !a.has && (a.tries || a.error[0] == '\0') &&
		 now_s() < until);
	if (!a.has)
		say_none(s, &a);
	return a.has;
}
