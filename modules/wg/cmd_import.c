/* SPDX-License-Identifier: MIT */
/* modules/wg/cmd_import.c - wg import, wg show config. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "modules/wg/ops.h"
#include "modules/wg/quick.h"

static uint64_t count(const struct wg_changes *c, enum wg_change_kind kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].kind == kind;
	return n;
}

static int apply_text(struct wg_changes *c, const char *text,
		      struct wg_refusal *why)
{
	size_t n = strlen(text);
	int r = wg_seal_check(NULL, text, n, why);

	return r < 0 ? r
		     : wg_text_apply(c, wg_ops_roster(), NULL, text, n, why);
}

static void run_import(struct hd_module *mod, struct hd_call *c)
{
	const char *text = hd_call_arg(c, "file");
	const char *name = hd_call_arg(c, "name");
	bool quick = wg_quick_is(text);
	struct wg_changes changes = { 0 };
	struct wg_refusal why = { .code = "" };
	uint64_t peers, links;
	int r = quick ? wg_quick_apply(&changes, wg_ops_roster(), text, name,
				       &why)
		      : apply_text(&changes, text, &why);

	peers = count(&changes, WG_PEER_ADDED);
	links = count(&changes, WG_LINK_ADDED);
	if (!wg_ops_commit(mod, c, &changes, r, &why))
		return;
	hd_out_open(c, NULL, '{');
	hd_out_string(c, "format", quick ? "wg-quick" : "roster");
	hd_out_uint(c, "peers_added", peers);
	hd_out_uint(c, "links_added", links);
	hd_out_close(c);
}

static void free_text(char **text)
{
	free(*text);
}

static void run_config(struct hd_module *mod, struct hd_call *c)
{
	HD_AUTO(free_text) char *text = NULL;
	struct wg_refusal why;
	char host[256] = "";
	struct wg_client client = {
		.peer = wg_roster_peer(wg_ops_roster(), hd_call_arg(c, "name"),
				       &why),
		.endpoint = hd_call_arg(c, "endpoint"),
		.address = hd_call_arg(c, "address"),
		.port = wg_ops_port(mod),
	};
	size_t n = 0;
	FILE *f;

	if (client.peer == NULL || wg_quick_check(&client, &why) < 0) {
		hd_call_refuse(c, why.code, "%s", why.err.text);
		return;
	}
	if (client.endpoint == NULL && gethostname(host, sizeof(host) - 1) == 0)
		client.endpoint = host;
	f = open_memstream(&text, &n);
	if (f != NULL)
		wg_quick_print(&client, f);
	if (f == NULL || fclose(f) != 0)
		hd_call_refuse(c, "no_memory", "out of memory");
	else
		hd_out_string(c, NULL, text);
}

const struct hd_command wg_cmd_import[] = {
	{ .words = "wg import",
	  .args = "FILE [--name NAME]",
	  .role = HD_ROLE_OPERATE,
	  .help = "add what a roster or a wg-quick configuration holds, all "
		  "or nothing; --name: of its [Interface]",
	  .run = run_import },
	{ .words = "wg show config",
	  .args = "NAME [ENDPOINT] [--address ADDRESS]",
	  .role = HD_ROLE_READ,
	  .help = "a client's wg-quick configuration; see wg client-config",
	  .run = run_config },
	{ .words = NULL },
};
