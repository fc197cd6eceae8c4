/* SPDX-License-Identifier: MIT */
/* modules/hd/redirect.h - who belongs to another relay: all when this one
 * drains, and those whom a rule of the operator names when they log in.
 *
 * The rules stand in our own section, and not with policy's. Those say who may
 * use the relay, whatever the protocol, and an admit hook has no word for "go
 * there", which DERP's clients would not understand. What policy says of a
 * client, its name and its tenant, is what our rules match. */
#pragma once
#include "modules/hd/hd.h"

#define HDP_RULES_MAX 32
#define HDP_REDIRECTS_METRIC "hyper_derp_hd_redirects_total"
#define HDP_RULE_KEYS_MAX 64 /* each is read at each login: 0.3 us */
#define HDP_RULE_WORDS_MAX 256 /* of names, of tenants */

extern const struct hd_option hdp_redirect_rule_options[];

/* hdp_redirect_check - what the tables cannot know. Returns 0; -EINVAL with the
 * place in err. hdp_redirect_add - in load(). */
int hdp_redirect_check(const struct hdp_conf *conf, struct hd_error *err);
int hdp_redirect_add(struct hd_module *mod, struct hd_error *err);
/* hdp_redirect_drains - the relay will close this client. hdp_redirect_by_rule
 * - one that has been admitted, behind Welcome. In its worker. */
void hdp_redirect_drains(struct hd_module *mod, struct hd_peer *peer);
void hdp_redirect_by_rule(struct hd_module *mod, const struct hdp_state *d);

/* ---- tell.c ---- */
void hdp_tell_redirect(struct hd_stream *s, enum hdp_redirect why,
		       const char *relay);
