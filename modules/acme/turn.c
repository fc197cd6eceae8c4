/* SPDX-License-Identifier: MIT */
/* modules/acme/turn.c - is something due; what happens when it fails. */
#include <errno.h>
#include <hyper-derp/event.h>
#include <hyper-derp/log.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/acme/acme.h"
#include "modules/acme/when.h"

enum {
	LOOK_MS = 1000, /* clocks are set, configurations change */
	INFO_RETRY_S = 6 * 60 * 60,
	WAIT_MAX_S = 30 * 60 * 60, /* acme_back_off_s(): with a quarter more */
};

const struct acme_step_def acme_steps[ACME_STEPS] = {
	[ACME_IDLE] = { "waiting", NULL, NULL },
	[ACME_DIRECTORY] = { "directory", acme_directory_ask,
			     acme_directory_take },
	[ACME_INFO] = { "renewal information", acme_info_ask, acme_info_take },
	[ACME_ACCOUNT] = { "account", acme_account_ask, acme_account_take },
	[ACME_NEW_ORDER] = { "order", acme_new_order_ask, acme_order_take },
	[ACME_ORDER] = { "order", acme_order_ask, acme_order_take },
	[ACME_AUTHZ] = { "authorization", acme_authz_ask, acme_authz_take },
	[ACME_CHALLENGE] = { "challenge", acme_challenge_ask,
			     acme_challenge_take },
	[ACME_FINALIZE] = { "finalization", acme_finalize_ask,
			    acme_order_take },
	[ACME_CERTIFICATE] = { "certificate", acme_certificate_ask,
			       acme_certificate_take },
};

const struct acme_conf *acme_conf(void)
{
	return hd_module_conf(acme_main.mod);
}

uint32_t acme_chance(void)
{
	uint32_t n = 0;

	RAND_bytes((unsigned char *)&n, sizeof(n));
	return n;
}

/* ---- what is wanted ---- */

char *acme_wanted(const struct acme_conf *conf)
{
	size_t size = strlen(conf->directory) + 2;
	char *text;

	if (conf->profile != NULL)
		size += strlen(conf->profile);
	for (size_t i = 0; i < conf->hosts.n; i++)
		size += strlen(conf->hosts.v[i]) + 1;
	text = malloc(size + 1);
	if (text == NULL)
		return NULL;
	strcpy(text, conf->directory);
	strcat(text, " ");
	if (conf->profile != NULL)
		strcat(text, conf->profile);
	for (size_t i = 0; i < conf->hosts.n; i++) {
		strcat(text, " ");
		strcat(text, conf->hosts.v[i]);
	}
	return text;
}

/* FNV-1a, of the bytes and the NUL. */
static uint64_t add_text(uint64_t sum, const char *text)
{
	const char *p = text != NULL ? text : "";

	do
		sum = (sum ^ (uint8_t)*p) * 0x100000001b3;
	while (*p++ != '\0');
	return sum;
}

uint64_t acme_conf_sum(const struct acme_conf *conf)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < conf->hosts.n; i++)
		sum = add_text(sum, conf->hosts.v[i]);
	for (size_t i = 0; i < conf->challenges.n; i++)
		sum = add_text(sum, conf->challenges.v[i]);
	sum = add_text(sum, conf->email);
	sum = add_text(sum, conf->directory);
	sum = add_text(sum, conf->ca_file);
	sum = add_text(sum, conf->profile);
	sum = add_text(sum, conf->eab_kid);
	return add_text(sum, conf->accept_tos ? "agreed" : NULL);
}

static bool is_other(void)
{
	const struct acme_main *m = &acme_main;
	char *want = acme_wanted(acme_conf());
	bool other = want != NULL && strcmp(want, m->pem_for) != 0;

	free(want);
	return other;
}

int64_t acme_due(void)
{
	const struct acme_main *m = &acme_main;
	uint32_t chance = (uint32_t)m->about.hash;

	if (m->pem == NULL || is_other())
		return 0;
	if (m->window.start_s > 0)
		return HD_MIN(acme_within_s(m->window.start_s, m->window.end_s,
					    chance),
			      m->about.not_after_s - 3600);
	return acme_due_s(m->about.not_before_s, m->about.not_after_s, chance);
}

/* ---- steps ---- */

void acme_go_later(enum acme_step step, uint32_t delay_ms)
{
	acme_main.step = step;
	hd_main_timer_set(acme_main.timer, delay_ms > 0 ? delay_ms : 1);
}

/* By the timer: a step never calls the next one. */
void acme_go(enum acme_step step)
{
	acme_go_later(step, 1);
}

static void rest(void)
{
	struct acme_main *m = &acme_main;

	m->wants_info = false;
	acme_order_forget();
	if (m->order_url[0] == '\0')
		acme_hide();
	acme_go_later(ACME_IDLE, LOOK_MS);
	acme_numbers_tell();
}

void acme_cancelled(void)
{
	acme_main.wants_info = false;
	acme_go_later(ACME_IDLE, LOOK_MS);
}

/* How long the next one must wait at least. */
static int64_t haste_s(void)
{
	const struct acme_main *m = &acme_main;
	int64_t wait;

	if (m->hasty == 0)
		return 0;
	wait = acme_back_off_s(m->hasty, (int64_t)acme_conf()->retry_ms / 1000,
			       0, acme_chance());
	hd_log_warn("acme: the certificate was renewed soon after it had come: "
		    "is the clock right? The next one comes in %lld s at the "
		    "soonest",
		    (long long)wait);
	return wait;
}

void acme_done(void)
{
	struct acme_main *m = &acme_main;

	if (!m->wants_info) {
		int64_t wait = haste_s();

		m->forced = false;
		m->failures = m->unproved = 0;
		m->next_s = wait > 0 ? time(NULL) + wait : 0;
		m->error[0] = '\0';
	}
	rest();
}

static void save_failure(void)
{
	struct hd_error err = { "" };

	if (acme_save_order(&err) < 0)
		hd_log_error("acme: %s", err.text);
}

void acme_fail(bool drop, int64_t retry_after_s, const char *why)
{
	struct acme_main *m = &acme_main;
	int64_t now = time(NULL), wait;

	if (m->wants_info) { /* the certificate's life says it, too */
		hd_log_info("acme: no renewal information: %s", why);
		m->info_s = now + INFO_RETRY_S;
		rest();
		return;
	}
	m->failures++;
	m->failed++;
	wait = acme_back_off_s(m->failures,
			       (int64_t)acme_conf()->retry_ms / 1000,
			       retry_after_s, acme_chance());
	m->next_s = now + wait;
	snprintf(m->error, sizeof(m->error), "%s", why);
	if (drop)
		m->order_url[0] = '\0';
	hd_log_warn("acme: no certificate: %s (tried again in %lld s%s)", why,
		    (long long)wait,
		    m->pem != NULL ? "; the one before is served until then"
				   : "");
	hd_event("acme.failed", NULL);
	save_failure();
	rest();
}

/* ---- a turn ---- */

static void warn_end(int64_t now)
{
	struct acme_main *m = &acme_main;
	int64_t life = m->about.not_after_s - m->about.not_before_s;

	if (m->pem == NULL || m->warned ||
	    now < m->about.not_after_s - life / 6)
		return;
	m->warned = true;
	hd_log_error("acme: the certificate expires in %lld hours and could "
		     "not be renewed: %s",
		     (long long)(m->about.not_after_s - now) / 3600,
		     m->error[0] != '\0' ? m->error : "hdctl acme status");
	hd_event("acme.expires", NULL);
}

/* Who has mended the section need not wait. */
static void note_conf(void)
{
	struct acme_main *m = &acme_main;
	uint64_t sum = acme_conf_sum(acme_conf());

	if (m->conf_sum != 0 && m->conf_sum != sum)
		m->next_s = m->info_s = 0;
	m->conf_sum = sum;
}

static void look(void)
{
	struct acme_main *m = &acme_main;
	int64_t now = time(NULL);

	note_conf();
	if (m->next_s > now + WAIT_MAX_S) /* a clock was wrong, and is right */
		m->next_s = 0;
	warn_end(now);
	if (acme_conf()->hosts.n == 0) {
		m->forced = false;
		return;
	}
	if (now >= m->next_s && (m->forced || now >= acme_due())) {
		m->attempts++;
		m->account_anew = false;
		m->step = ACME_DIRECTORY;
	} else if (m->pem != NULL && m->about.id[0] != '\0' &&
		   now >= m->info_s && now >= m->next_s) {
		m->wants_info = true;
		m->step = ACME_DIRECTORY;
	}
}

void acme_turn(struct hd_module *mod, void *unused)
{
	struct acme_main *m = &acme_main;
	struct hd_error err = { "" };
	int r;

	(void)mod;
	(void)unused;
	if (m->asked)
		return;
	if (m->stale)
		acme_read_again();
	if (m->step == ACME_IDLE)
		look();
	if (m->step == ACME_IDLE) {
		acme_numbers_tell();
		hd_main_timer_set(m->timer, LOOK_MS);
		return;
	}
	r = acme_steps[m->step].ask(&err);
	if (r == -EBUSY || r == -ESHUTDOWN)
		acme_cancelled(); /* the new code, or start, goes on */
	else if (r < 0) /* -EINVAL: a URL of the server that is none */
		acme_fail(r == -EINVAL, 0, err.text);
}
