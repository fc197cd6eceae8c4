/* SPDX-License-Identifier: MIT */
/* modules/acme/authz.c - that the relay has a name is proved: authorizations
 * and their challenges, one after the other. RFC 8555, 7.5. */
#include <errno.h>
#include <hyper-derp/log.h>
#include <string.h>
#include "modules/acme/acme.h"

enum { SHOWN_MS = 1 }; /* the main thread's turn in which workers get it */

int acme_authz_ask(struct hd_error *err)
{
	struct acme_main *m = &acme_main;

	return acme_post_as_get(m->order.authz[m->at_authz], err);
}

/* Of those in the configuration that the server offers, too: the one that went
 * well last time, else the first; after each failure the one behind it.
 * Returns -1: none. */
static int choose(const struct acme_authz *z)
{
	const struct hd_list *want = &acme_conf()->challenges;
	const struct acme_main *m = &acme_main;
	unsigned n = 0, first = 0;
	int may[ACME_TYPES];

	for (size_t i = 0; i < want->n && n < ACME_TYPES; i++) {
		int type = acme_type_of(want->v[i]);

		if (z->challenges[type].url[0] == '\0')
			continue;
		if (type == m->proved_by)
			first = n;
		may[n++] = type;
	}
	return n > 0 ? may[(first + m->unproved) % n] : -1;
}

static int no_challenge(struct hd_error *err)
{
	return hd_error_set(err, -ENOENT,
			    "the server offers no challenge for %.200s that is "
			    "in `challenges`",
			    acme_main.authz.host);
}

/* Saved before it is begun: a relay that starts again shows it at once. */
static int prove(struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	struct acme_proof *p = &m->proof;
	int type = choose(&m->authz), r;

	if (type < 0)
		return no_challenge(err);
	p->type = type;
	strcpy(p->host, m->authz.host);
	strcpy(p->token, m->authz.challenges[type].token);
	strcpy(m->told_url, m->authz.challenges[type].url);
	r = acme_show(err);
	if (r == 0)
		r = acme_save_order(err);
	if (r < 0)
		return r;
	hd_log_info("acme: host=%s challenge=%s", p->host,
		    acme_type_names[type]);
	/* one that a process before us has begun is only waited for */
	acme_go_later(m->authz.challenges[type].status == ACME_PENDING
			      ? ACME_CHALLENGE
			      : ACME_AUTHZ,
		      SHOWN_MS);
	return 0;
}

int acme_authz_take(const struct acme_answer *a, struct hd_error *err)
{
	struct acme_main *m = &acme_main;
	int r = acme_authz_read(a->body, a->len, &m->authz, err);

	if (r < 0)
		return r;
	if (m->authz.status == ACME_INVALID) {
		m->unproved++;
		return acme_invalid(&m->authz.why);
	}
	if (m->authz.status == ACME_VALID) {
		if (m->told_url[0] != '\0')
			m->proved_by = m->proof.type;
		m->told_url[0] = '\0';
		m->at_authz++;
		acme_go(m->at_authz < m->order.n ? ACME_AUTHZ : ACME_ORDER);
		return 0;
	}
	return m->told_url[0] == '\0' ? prove(err)
				      : acme_look_again(ACME_AUTHZ, a, err);
}

int acme_challenge_ask(struct hd_error *err)
{
	return acme_post(acme_main.told_url, json_object(), err);
}

int acme_challenge_take(const struct acme_answer *a, struct hd_error *err)
{
	return acme_look_again(ACME_AUTHZ, a, err);
}
