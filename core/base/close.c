/* SPDX-License-Identifier: MIT */
/* core/base/close.c - see close.h. */
#include "core/base/close.h"
#include <string.h>
#include "core/base/module_id.h"

/* Words are those of hyper_derp_closes_total (core/loop/stats.c). */
static const struct {
	const char *word, *text;
} core[HD_CLOSE_N] = {
	[HD_CLOSE_DONE] = { "done", "done" },
	[HD_CLOSE_PROTOCOL] = { "protocol", "protocol error" },
	[HD_CLOSE_DENIED] = { "denied", "denied" },
	[HD_CLOSE_TIMEOUT] = { "timeout", "login timeout" },
	[HD_CLOSE_SLOW] = { "slow", "slow receiver" },
	[HD_CLOSE_PEER] = { "peer", "closed by peer" },
	[HD_CLOSE_ERROR] = { "error", "connection error" },
	[HD_CLOSE_DRAIN] = { "drain", "relay drains" },
	[HD_CLOSE_KICKED] = { "kicked", "kicked" },
};
static const char unknown[] = "unknown";

const struct hd_close_reason *hd_close_own(const struct hd_module *mod,
					   unsigned why)
{
	const struct hd_close_reason *r;

	if (why < HD_CLOSE_MODULE || mod == NULL)
		return NULL;
	r = mod->def->reasons;
	for (unsigned i = HD_CLOSE_MODULE; r != NULL && r->word != NULL;
	     i++, r++)
		if (i == why)
			return r;
	return NULL;
}

enum hd_close hd_close_like(const struct hd_module *mod, unsigned why)
{
	const struct hd_close_reason *own = hd_close_own(mod, why);

	if (own != NULL)
		return own->like;
	return why < HD_CLOSE_N ? (enum hd_close)why : HD_CLOSE_DONE;
}

const char *hd_close_word(enum hd_close why)
{
	return core[why].word;
}

bool hd_close_is_core(const char *word)
{
	for (unsigned i = 0; i < HD_CLOSE_N; i++)
		if (strcmp(word, core[i].word) == 0)
			return true;
	return strcmp(word, unknown) == 0;
}

const char *hd_close_text(const struct hd_module *mod, enum hd_close why)
{
	const struct hd_close_reason *own = hd_close_own(mod, why);

	if (own != NULL)
		return own->word;
	return (unsigned)why < HD_CLOSE_N ? core[why].text : unknown;
}
