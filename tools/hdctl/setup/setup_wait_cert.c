/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_wait_cert.c - a relay that has just started has no
 * certificate from its authority yet: seconds later it has, or a reason. */
#include <time.h>

#include "tools/hdctl/clean.h"
#include "tools/hdctl/setup/setup.h"

enum { WAIT_S = 90, STEP_MS = 250 };

struct answer {
	bool has; /* a certificate */
	json_t *error; /* a text; else JSON null or NULL */
};

static bool ask_acme(struct setup *s, struct answer *ret)
{
	struct hd_error err;
	json_t *status = NULL;

	*ret = (struct answer){ .has = false };
	if (ask_words(&s->h->ask, "acme status", &status, &err) != HDCTL_OK)
		return false;
	ret->has = json_is_true(json_object_get(status, "certificate"));
	ret->error = json_incref(json_object_get(status, "error"));
	json_decref(status);
	return true;
}

static void say_none(const struct answer *a)
{
	if (json_is_string(a->error)) {
		fputs("it has refused, and is asked again later: ", stdout);
		clean_put(stdout, json_string_value(a->error), false);
		putchar('\n');
	} else {
		printf("none yet after %d s\n", WAIT_S);
	}
	puts("hdctl acme status says how far it is, hdctl doctor what is "
	     "wrong");
}

bool setup_wait_cert(struct setup *s)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	time_t until = time(NULL) + WAIT_S;
	struct answer a;
	bool has = ask_acme(s, &a) && a.has;

	if (!has)
		puts("\nwaiting for the certificate (hdctl acme status)");
	while (!has && !json_is_string(a.error) && time(NULL) < until) {
		nanosleep(&step, NULL);
		json_decref(a.error);
		if (!ask_acme(s, &a))
			break;
		has = a.has;
	}
	if (!has)
		say_none(&a);
	json_decref(a.error);
	return has;
}
