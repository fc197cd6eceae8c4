/* SPDX-License-Identifier: MIT */
/* core/control/control_out.c - what a command writes into its answer, which has
 * one value at its top. */
#include "core/conf/conf_number.h"
#include "core/control/control.h"
#include "core/module/module.h"

/* Whether another value may stand here. */
static bool may_put(struct hd_call *c, const char *name)
{
	bool top = c->out.depth == 1;

	if (!top || (name == NULL && c->out.len == c->out_begin))
		return true;
	hd_call_error(c,
		      "the command \"%s\" does not write one answer: "
		      "report it to the author of %s",
		      c->entry.command->words,
		      c->entry.mod != NULL ? c->entry.mod->name : "the core");
	return false;
}

void hd_out_open(struct hd_call *call, const char *name, char kind)
{
	if (may_put(call, name))
		hd_json_open(&call->out, name, kind);
}

void hd_out_close(struct hd_call *call)
{
	if (call->out.depth > call->base)
		hd_json_close(&call->out);
}

void hd_out_string(struct hd_call *call, const char *name, const char *text)
{
	if (may_put(call, name))
		hd_json_string(&call->out, name, text);
}

void hd_out_uint(struct hd_call *call, const char *name, uint64_t n)
{
	if (may_put(call, name))
		hd_json_uint(&call->out, name, n);
}

void hd_out_int(struct hd_call *call, const char *name, int64_t n)
{
	if (may_put(call, name))
		hd_json_int(&call->out, name, n);
}

void hd_out_bool(struct hd_call *call, const char *name, bool on)
{
	if (may_put(call, name))
		hd_json_bool(&call->out, name, on);
}

void hd_out_double(struct hd_call *call, const char *name, double v)
{
	if (may_put(call, name))
		hd_json_double(&call->out, name, v);
}

void hd_out_key(struct hd_call *call, const char *name,
		const struct hd_key *key)
{
	if (may_put(call, name))
		hd_json_key(&call->out, name, key);
}

uint64_t hd_call_arg_ms(const struct hd_call *call, const char *name,
			uint64_t def_ms)
{
	const char *text = hd_call_arg(call, name);
	uint64_t ms;

	if (text == NULL ||
	    hd_number_parse(HD_OPTION_DURATION_MS, text, &ms) < 0)
		return def_ms;
	return ms;
}
