/* SPDX-License-Identifier: MIT */
/* modules/hd/commands.c - what operators give out: invitations, credentials,
 * the relay's identity. Main thread. */
#include <errno.h>
#include <hyper-derp/control.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "modules/hd/bech32.h"
#include "modules/hd/commands.h"
#include "modules/hd/redirect.h"

#define INVITE_MS (24 * 3600 * 1000ull)
#define EXPIRES_MAX_S (876000ull * 3600) /* a hundred years */

/* ---- arguments ---- */

static bool number_of(struct hd_call *call, const char *name, uint64_t max,
		      uint64_t *ret)
{
	const char *text = hd_call_arg(call, name);

	*ret = text != NULL ? strtoull(text, NULL, 10) : 0;
	if (*ret > max)
		hd_call_refuse(call, "bad_argument", "--%s %s is too much",
			       name, text);
	return *ret <= max;
}

/* A line of a file, and a word of a statement. */
bool hdp_call_word(struct hd_call *call, const char *name,
		   char to[HDP_WORD_MAX_BYTES + 1])
{
	const char *text = hd_call_arg(call, name);

	snprintf(to, HDP_WORD_MAX_BYTES + 1, "%s", text != NULL ? text : "");
	for (char *p = to; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (text == NULL || strlen(text) <= HDP_WORD_MAX_BYTES)
		return true;
	hd_call_refuse(call, "bad_argument", "%s has more than %d bytes", name,
		       HDP_WORD_MAX_BYTES);
	return false;
}

bool hdp_call_grant(struct hd_call *call, struct hdp_grant *ret)
{
	uint64_t connections;

	if (!hdp_call_word(call, "name", ret->name) ||
	    !hdp_call_word(call, "tenant", ret->tenant) ||
	    !number_of(call, "rate", 1ull << 40, &ret->bytes_per_s) ||
	    !number_of(call, "connections", 1000000, &connections))
		return false;
	ret->connections = (uint32_t)connections;
	/* "-" is none in our file */
	if (ret->tenant[0] == '\0' ||
	    (hd_tenant_is_name(ret->tenant) && strcmp(ret->tenant, "-") != 0))
		return true;
	hd_call_refuse(call, "bad_argument",
		       "--tenant %s: a tenant's name is letters, digits, `.`, "
		       "`_` and `-`, and not `-` alone",
		       ret->tenant);
	return false;
}

/* @ret  seconds since 1970; 0: never */
static bool expiry_of(struct hd_call *call, uint64_t def_ms, uint64_t *ret)
{
	uint64_t s = (hd_call_arg_ms(call, "expires", def_ms) + 999) / 1000;
	bool given = hd_call_arg(call, "expires") != NULL;

	if (s > EXPIRES_MAX_S || (given && s == 0)) {
		hd_call_refuse(call, "bad_argument",
			       "--expires %s: give a time from 1s to 876000h",
			       hd_call_arg(call, "expires"));
		return false;
	}
	*ret = s != 0 ? (uint64_t)time(NULL) + s : 0;
	return true;
}

void hdp_out_time(struct hd_call *call, const char *name, int64_t at_s)
{
	char text[32] = "";
	time_t t = (time_t)at_s;
	struct tm tm;

	if (t != 0 && gmtime_r(&t, &tm) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	hd_out_string(call, name, t != 0 ? text : NULL);
}

/* ---- the relay ---- */

static void run_info(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "identity", hdp_relay->key.text);
	hd_out_string(call, "operator", hdp_relay->operator_key.text);
	hd_out_uint(call, "version", HDP_VERSION);
	hd_out_close(call);
}

/* ---- who was told to go to another relay ---- */

/* A label's value, which is the name of a host or a word: nothing in it is
 * escaped. */
static void out_label(struct hd_call *call, const char *name,
		      const char *labels)
{
	char text[HDP_REDIRECT_HOST_MAX_BYTES + 1] = "", begin[16];
	int n = snprintf(begin, sizeof(begin), "%s=\"", name);
	const char *at = strstr(labels, begin);

	if (at != NULL)
		snprintf(text, sizeof(text), "%.*s",
			 (int)strcspn(at + n, "\""), at + n);
	hd_out_string(call, name, text);
}

static void put_redirects(void *arg, const struct hd_sample *sample)
{
	struct hd_call *call = arg;

	if (strcmp(sample->name, HDP_REDIRECTS_METRIC) != 0 ||
	    sample->labels == NULL || sample->value == 0)
		return;
	hd_out_open(call, NULL, '{');
	out_label(call, "reason", sample->labels);
	out_label(call, "to", sample->labels);
	hd_out_uint(call, "clients", (uint64_t)sample->value);
	hd_out_close(call);
}

static void run_redirects(struct hd_module *mod, struct hd_call *call)
{
	(void)mod;
	hd_out_open(call, NULL, '[');
	hd_metrics_read(NULL, put_redirects, call);
	hd_out_close(call);
}

/* ---- invitations ---- */

#define INVITE_PART "hdinvite"

static void put_invite(struct hd_call *call, const struct hdp_invite *invite)
{
	uint8_t bytes[HDP_INVITATION_ID_BYTES + HDP_INVITATION_SECRET_BYTES];
	char text[64], id[2 * HDP_INVITATION_ID_BYTES + 1];

	memcpy(bytes, invite->id, HDP_INVITATION_ID_BYTES);
	hdp_invitation_secret(invite->id, bytes + HDP_INVITATION_ID_BYTES);
	hdp_bech32_text(INVITE_PART, bytes, sizeof(bytes), text, sizeof(text));
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "invitation", text);
	hd_out_string(call, "relay", hdp_relay->key.text);
	sodium_bin2hex(id, sizeof(id), invite->id, sizeof(invite->id));
	hd_out_string(call, "id", id);
	hdp_out_time(call, "expires", invite->expires_s);
	hd_out_close(call);
	sodium_memzero(bytes, sizeof(bytes));
	sodium_memzero(text, sizeof(text));
}

static void forget_expired(struct hdp_people *p)
{
	for (size_t i = p->n_invites; i-- > 0;)
		if (p->invite[i].expires_s <= time(NULL))
			hdp_invite_remove(p, &p->invite[i]);
}

static void run_invite(struct hd_module *mod, struct hd_call *call)
{
	struct hdp_invite invite = { .expires_s = 0 };
	uint64_t expires_s;
	int r;

	(void)mod;
	if (!hdp_call_grant(call, &invite.grant) ||
	    !expiry_of(call, INVITE_MS, &expires_s))
		return;
	invite.expires_s = (int64_t)expires_s;
	randombytes_buf(invite.id, sizeof(invite.id));
	forget_expired(hdp_people());
	hdp_people_unlock();
	r = hdp_invite_add(hdp_people(), &invite);
	hdp_people_unlock();
	if (r < 0)
		hd_call_error(call, r == -ENOSPC
					    ? "there are 10,000 invitations; "
					      "give out credentials instead"
					    : "out of memory");
	else if (hdp_call_save(call))
		put_invite(call, &invite);
}

static void run_invitations(struct hd_module *mod, struct hd_call *call)
{
	const struct hdp_people *p = hdp_people();

	(void)mod;
	hd_out_open(call, NULL, '[');
	for (size_t i = 0; i < p->n_invites; i++) {
		const struct hdp_invite *x = &p->invite[i];
		char id[2 * HDP_INVITATION_ID_BYTES + 1];

		if (x->expires_s <= time(NULL))
			continue;
		sodium_bin2hex(id, sizeof(id), x->id, sizeof(x->id));
		hd_out_open(call, NULL, '{');
		hd_out_string(call, "id", id);
		hdp_out_time(call, "expires", x->expires_s);
		hdp_out_grant(call, &x->grant);
		hd_out_close(call);
	}
	hd_out_close(call);
	hdp_people_unlock();
}

static void run_uninvite(struct hd_module *mod, struct hd_call *call)
{
	const char *text = hd_call_arg(call, "id");
	uint8_t id[HDP_INVITATION_ID_BYTES] = { 0 };
	struct hdp_invite *invite = NULL;
	struct hdp_people *p = hdp_people();
	size_t n;

	(void)mod;
	if (sodium_hex2bin(id, sizeof(id), text, strlen(text), NULL, &n,
			   NULL) == 0 &&
	    n == sizeof(id))
		invite = hdp_invite_find(p, id);
	if (invite != NULL)
		hdp_invite_remove(p, invite);
	hdp_people_unlock();
	if (invite == NULL)
		hd_call_error(call, "there is no such invitation, or it has "
				    "been used; \"hd invitations\" lists those "
				    "there are");
	else
		hdp_call_save(call);
}

/* ---- credentials ---- */

static void run_credential(struct hd_module *mod, struct hd_call *call)
{
	const char *identity = hd_call_arg(call, "identity");
	char text[HDP_CREDENTIAL_TEXT_BYTES], group[HDP_WORD_MAX_BYTES + 1];
	uint8_t subject[HD_KEY_BYTES];
	struct hdp_grant grant;
	uint64_t expires_s;

	(void)mod;
	if (!hdp_call_grant(call, &grant) ||
	    !hdp_call_word(call, "group", group) ||
	    !expiry_of(call, 0, &expires_s))
		return;
	if (identity != NULL && !hdp_identity_parse(identity, subject)) {
		hd_call_refuse(
			call, "bad_argument",
			"--identity %s is not one: it begins with hd1 and "
			"has 61 characters",
			identity);
		return;
	}
	hdp_credential_new(&grant, group, identity != NULL ? subject : NULL,
			   (uint64_t)time(NULL), expires_s, text);
	hd_out_open(call, NULL, '{');
	hd_out_string(call, "credential", text);
	hd_out_string(call, "relay", hdp_relay->key.text);
	hd_out_string(call, "operator", hdp_relay->operator_key.text);
	hdp_out_time(call, "expires", (int64_t)expires_s);
	hd_out_close(call);
	sodium_memzero(text, sizeof(text));
}

#define GRANT "[--tenant NAME] [--rate N] [--connections N]"

const struct hd_command hdp_commands[] = {
	{ .words = "hd info",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "the relay's identity, as HD's clients know it",
	  .run = run_info },
	{ .words = "hd redirects",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "how many clients were told to go to which other relay",
	  .run = run_redirects,
	  .columns = "reason to clients" },
	{ .words = "hd invite",
	  .args = "[--name NAME] [--expires DURATION] " GRANT,
	  .role = HD_ROLE_OPERATE,
	  .help = "make an invitation, which lets one client enrol",
	  .run = run_invite },
	{ .words = "hd invitations",
	  .args = "",
	  .role = HD_ROLE_READ,
	  .help = "invitations that nobody has used",
	  .run = run_invitations,
	  .columns = "id expires name tenant rate connections" },
	{ .words = "hd uninvite",
	  .args = "ID",
	  .role = HD_ROLE_OPERATE,
	  .help = "take an invitation back",
	  .run = run_uninvite },
	{ .words = "hd credential new",
	  .args = "NAME [--expires DURATION] [--identity IDENTITY] "
		  "[--group NAME] " GRANT,
	  .role = HD_ROLE_OPERATE,
	  .help = "sign a credential, for an identity or with a key of its own",
	  .run = run_credential },
	{ .words = NULL },
};
