/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup.c - hdctl setup: one step after the other. */
#include "tools/hdctl/setup/setup.h"

#include <stdlib.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

static void clear(struct setup *s)
{
	pem_free(&s->pem);
	json_decref(s->tree);
	json_decref(s->want);
	json_decref(s->others);
	json_decref(s->enable);
	json_decref(s->disable);
	free(s->old_text);
	free(s->new_text);
}

/* What can go wrong at the start is said before it. */
static int examine(struct setup *s)
{
	struct doctor d = {
		.socket = s->h->socket,
		.config = s->w.config,
		.host = s->w.host,
		.ask = { .fd = -1 },
	};
	bool may_start;

	puts("\nchecks:");
	doctor_examine(&d, &may_start);
	if (!may_start && !s->w.no_start)
		puts("\nnot started: correct what failed above, then run this "
		     "again");
	return may_start ? HDCTL_OK : HDCTL_REFUSED;
}

static int plan(struct setup *s)
{
	int r = setup_find(s);

	if (r == HDCTL_OK && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		r = setup_ask(s);
	if (r == HDCTL_OK)
		r = setup_check(&s->w);
	if (r == HDCTL_OK)
		r = setup_certificate(s);
	if (r == HDCTL_OK)
		r = setup_plan(s);
	return r == HDCTL_OK ? setup_text(s) : r;
}

static int judge(enum setup_seen seen)
{
	if (seen == SETUP_UNUSABLE)
		return hdctl_fail(HDCTL_REFUSED,
				  "the relay runs, but hdprobe, above, found "
				  "that clients cannot use it as it is: "
				  "correct what it says, then look again with "
				  "hdprobe");
	if (seen == SETUP_NO_CERT)
		return hdctl_fail(HDCTL_REFUSED,
				  "the relay runs, but has no certificate yet, "
				  "and clients refuse the temporary one: "
				  "correct what is said above, then run hdctl "
				  "setup again; it prints what Headscale and "
				  "others need once the certificate is there");
	return HDCTL_OK;
}

static int carry_out(struct setup *s)
{
	enum setup_seen seen = SETUP_WELL;
	int r = setup_apply(s);

	if (r == HDCTL_OK)
		r = examine(s);
	if (r == HDCTL_OK && !s->w.no_start)
		r = setup_start(s, &seen);
	if (r != HDCTL_OK)
		return r; /* told; there is no relay that others could use */
	setup_firewall(s);
	setup_say_who(s);
	if (seen != SETUP_NO_CERT)
		setup_entries(s);
	return judge(seen);
}

int run_setup(struct hdctl *h, const char *const *words, size_t n)
{
	struct setup s = {
		.h = h,
		.w = { .config = HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml",
		       .stun = SETUP_AS_IT_IS },
		.enable = json_array(),
		.disable = json_array(),
	};
	int r = setup_options(&s.w, words, n);

	if (!h->shell) /* what goes wrong stands where it happens */
		setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (r == HDCTL_OK)
		r = plan(&s);
	if (r == HDCTL_OK)
		r = setup_show(&s);
	if (r == HDCTL_OK && !s.w.dry_run)
		r = carry_out(&s);
	clear(&s);
	return r;
}
