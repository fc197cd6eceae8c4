/* SPDX-License-Identifier: MIT */
/* modules/hd/admission.c - the admit hook: whom the operator knows, has invited
 * or has signed for, and who waits for a person. Rules of other modules are
 * asked beside it, in the order of load_module.
 * Context: the key's home worker, but for what a task does. */
#include <hyper-derp/hook.h>
#include <hyper-derp/log.h>
#include <hyper-derp/task.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/hd/bech32.h"
#include "modules/hd/people.h"

struct applicant {
	const struct hd_admission *who;
	const struct hdp_conf *conf;
	struct hd_stream *stream;
	struct hdp_state *d;
	struct hd_ticket *ticket;
	bool is_spent; /* an invitation: that is to be on disk first */
	struct hdp_invite spent;
};

/* ---- no ---- */

static enum hd_verdict no(struct applicant *a, enum hdp_denied denied,
			  const char *why)
{
	a->d->denied = (uint8_t)denied;
	hd_admit_reason(a->ticket, why);
	return HD_VERDICT_DENY;
}

struct why {
	char s[128];
};

static struct why why_refused(const struct hdp_person *person)
{
	struct why why;

	snprintf(why.s, sizeof(why.s), "the operator has refused this key%s%s",
		 person->grant.name[0] != '\0' ? ": " : "", person->grant.name);
	return why;
}

/* Of the client, or of the key that its credential was made for. */
static const struct hdp_person *refusal_of(struct hdp_people *p,
					   const struct applicant *a)
{
	const struct hdp_claim *claim = a->d->claim;
	const struct hdp_person *x = hdp_person_find(p, &a->who->login->key);

	if (x != NULL && x->denied)
		return x;
	if (claim == NULL || !claim->has_credential)
		return NULL;
	x = hdp_person_find(p, &claim->subject);
	return x != NULL && x->denied ? x : NULL;
}

/* ---- yes ---- */

static void give(struct applicant *a, const struct hdp_grant *grant)
{
	hdp_grant_give(a->ticket, grant, a->who->tenant[0] != '\0');
}

/* ---- an invitation ---- */

static bool is_invited(const struct hdp_invite *invite,
		       const struct applicant *a)
{
	const struct hdp_claim *claim = a->d->claim;
	uint8_t mac[HDP_MAC_BYTES];

	if (invite == NULL || invite->expires_s <= time(NULL))
		return false;
	hdp_invitation_mac(claim->id, claim->binding, a->d->identity, mac);
	return sodium_memcmp(mac, claim->mac, sizeof(mac)) == 0;
}

static enum hd_verdict spend(struct hdp_people *p, struct applicant *a)
{
	struct hdp_invite *invite = hdp_invite_find(p, a->d->claim->id);
	struct hdp_person person = { .address = a->who->login->key,
				     .since_s = time(NULL) };

	if (!is_invited(invite, a))
		return no(a, HDP_DENIED_INVITATION,
			  "the invitation is unknown here, has expired, or "
			  "somebody has used it");
	person.grant = invite->grant;
	a->spent = *invite;
	if (hdp_person_set(p, &person) < 0)
		return no(a, HDP_DENIED_LATER, "the relay is out of memory");
	hdp_invite_remove(p, invite);
	give(a, &person.grant);
	a->is_spent = true;
	return HD_VERDICT_PENDING;
}

struct saving {
	struct hd_ticket *ticket;
	struct hd_key address;
	struct hdp_invite spent;
	int r;
};

/* Else the client would be let in when it comes again, and after a restart its
 * invitation would be there for somebody else. */
static void take_back(const struct saving *s)
{
	struct hdp_people *p = hdp_people();
	struct hdp_person *person = hdp_person_find(p, &s->address);

	if (person != NULL && !person->denied) {
		hdp_person_remove(p, person);
		hdp_invite_add(p, &s->spent);
	}
	hdp_people_unlock();
}

static void save(struct hd_module *mod, void *arg)
{
	struct saving *s = arg;
	struct hd_error err;

	(void)mod;
	s->r = hdp_people_save(&err);
	if (s->r == 0)
		return;
	take_back(s);
	hd_log_error("hd: invitations are refused, because their use cannot be "
		     "saved: "
		     "%s",
		     err.text);
}

static void saved(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct saving *s = arg;

	(void)mod, (void)w;
	hd_admit_answer(&s->ticket,
			s->r < 0 ? HD_VERDICT_DENY : HD_VERDICT_PASS,
			s->r < 0 ? "the relay cannot write its files" : NULL);
	free(s);
}

static void not_saved(void *arg)
{
	struct saving *s = arg;

	hd_admit_answer(&s->ticket, HD_VERDICT_PENDING, NULL);
	free(s);
}

static enum hd_verdict keep(struct hd_module *mod, struct hd_worker *w,
			    struct applicant *a)
{
	struct saving *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->ticket = hd_admit_hold(a->ticket);
	if (s == NULL || s->ticket == NULL) {
		free(s);
		return no(a, HDP_DENIED_LATER, "the relay is out of memory");
	}
	s->address = a->who->login->key;
	s->spent = a->spent;
	hd_task(mod, w, save, saved, s, not_saved);
	return HD_VERDICT_PENDING;
}

/* ---- a person decides ---- */

static void announce(struct applicant *a)
{
	char text[HDP_IDENTITY_TEXT_BYTES], from[HD_ADDR_TEXT_BYTES];

	hdp_bech32_text(HDP_IDENTITY_PART, a->d->identity, HD_KEY_BYTES, text,
			sizeof(text));
	hd_log_notice("hd: %s waits for approval: addr=%s agent=%s", text,
		      hd_addr_text(a->who->from, from), a->who->login->agent);
	hdp_tell_pending(a->stream, "the operator of this relay has to approve "
				    "this key");
}

static enum hd_verdict wait(struct hdp_people *p, struct applicant *a)
{
	struct hdp_waiting who = { .address = a->who->login->key,
				   .from = *a->who->from,
				   .since_s = time(NULL),
				   .has_tenant = a->who->tenant[0] != '\0' };

	hd_admit_reason(a->ticket, "nobody has approved this key in time: ask "
				   "the relay's operator, then come again");
	hd_admit_wait(a->ticket, (uint32_t)a->conf->approval_ms);
	memcpy(who.identity, a->d->identity, sizeof(who.identity));
	snprintf(who.agent, sizeof(who.agent), "%s", a->who->login->agent);
	who.ticket = hd_admit_hold(a->ticket);
	if (who.ticket == NULL)
		return no(a, HDP_DENIED_LATER, "the relay is out of memory");
	a->d->waits = hdp_waiting_add(p, &who);
	if (a->d->waits == 0) {
		hd_admit_answer(&who.ticket, HD_VERDICT_DENY, NULL);
		return no(a, HDP_DENIED_LATER,
			  "too many keys wait for approval");
	}
	announce(a);
	hd_stream_timer(a->stream, HDP_TIMER_KEEP_ALIVE,
			(uint32_t)a->conf->keepalive_ms);
	return HD_VERDICT_PENDING;
}

/* ---- the hook ---- */

static enum hd_verdict decide(struct hdp_people *p, struct applicant *a)
{
	const struct hdp_person *known =
		hdp_person_find(p, &a->who->login->key);
	const struct hdp_person *refused = refusal_of(p, a);
	const struct hdp_claim *claim = a->d->claim;

	if (refused != NULL)
		return no(a, HDP_DENIED_WELCOME, why_refused(refused).s);
	if (claim != NULL && claim->has_credential)
		give(a, &claim->grant);
	else if (known != NULL)
		give(a, &known->grant);
	else if (claim != NULL && claim->has_invitation)
		return spend(p, a);
	else if (a->conf->enroll == HDP_WHO_APPROVED)
		return wait(p, a);
	else if (a->conf->enroll != HDP_WHO_ANYBODY)
		return no(a, HDP_DENIED_WELCOME,
			  "this relay is for those who have an invitation or a "
			  "credential");
	return HD_VERDICT_PASS;
}

/* Of another protocol, where it leads to our clients: who is refused there does
 * not come in here. */
static enum hd_verdict decide_bridged(const struct hd_admission *who,
				      struct hd_ticket *ticket)
{
	const struct hdp_person *person =
		hdp_person_find(hdp_people(), &who->login->key);
	bool denied = person != NULL && person->denied;

	if (denied)
		hd_admit_reason(ticket, why_refused(person).s);
	hdp_people_unlock();
	return denied ? HD_VERDICT_DENY : HD_VERDICT_PASS;
}

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *who,
				struct hd_ticket *ticket)
{
	struct applicant a = { .who = who,
			       .conf = hd_module_worker_conf(mod, w),
			       .ticket = ticket };
	struct hdp_people *p;
	enum hd_verdict v;

	if (strcmp(who->proto, hdp_proto.name) != 0)
		return hdp_is_shared(who->login->realm)
			       ? decide_bridged(who, ticket)
			       : HD_VERDICT_PASS;
	a.stream = hd_peer_stream(who->peer);
	a.d = hd_stream_state(a.stream);
	p = hdp_people();
	hdp_waiting_left(p, a.d->waits); /* asked once more */
	v = decide(p, &a);
	hdp_people_unlock();
	return a.is_spent ? keep(mod, w, &a) : v;
}

bool hdp_admission_waits(const struct hdp_state *d)
{
	bool waits;

	if (d->waits == 0)
		return false;
	waits = hdp_waiting_is(hdp_people(), d->waits);
	hdp_people_unlock();
	return waits;
}

void hdp_admission_over(struct hdp_state *d)
{
	free(d->claim);
	d->claim = NULL;
	if (d->waits == 0)
		return;
	hdp_waiting_left(hdp_people(), d->waits);
	hdp_people_unlock();
	d->waits = 0;
}

int hdp_admission_add(struct hd_module *mod, struct hd_error *err)
{
	return hd_hook_admit(mod, on_admit, err);
}
