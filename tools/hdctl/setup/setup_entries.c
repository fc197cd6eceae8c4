/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_entries.c - what clients' servers must be told, and
 * the firewall. */
#include <arpa/inet.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/hdctl/setup/setup.h"
#include "tools/lib/derpmap.h"

enum { REGION = 900, STUN_NONE = -1 };

int setup_stun_port(const struct setup *s)
{
	const json_t *listen = tree_get(s->want, "stun.listen");
	const char *addr = json_string_value(
		listen != NULL ? listen : tree_get(s->others, "stun.listen"));

	if (!setup_wants(s, "stun"))
		return STUN_NONE;
	return addr != NULL ? doctor_port(addr) : 3478;
}

static bool has_port_80(const struct setup *s)
{
	const json_t *all = json_object_get(s->want, "listen"), *l;
	size_t i;

	json_array_foreach(all, i, l)
		if (setup_is_main(l) && !tree_is(l, "tls") &&
		    doctor_port(tree_text(l, "addr", "")) == 80)
			return true;
	return false;
}

static void set_address(struct derpmap_node *node, const char *host)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET, host, &addr) == 1) {
		node->ipv4 = host;
		node->ipv6 = "none";
	} else if (inet_pton(AF_INET6, host, &addr) == 1) {
		node->ipv4 = "none";
		node->ipv6 = host;
	}
}

static void put(const char *title, const char *format,
		const struct derpmap_node *node)
{
	struct hd_error err;

	printf("\n%s\n", title);
	if (derpmap_print(stdout, format, node, &err) < 0)
		hdctl_fail(HDCTL_REFUSED, "%s", err.text);
}

void setup_firewall(const struct setup *s)
{
	int stun = setup_stun_port(s);

	printf("\nfirewall: open TCP %d%s", setup_port(s),
	       has_port_80(s) ? " and 80" : "");
	if (stun > 0)
		printf(", UDP %d", stun);
	putchar('\n');
}

void setup_say_who(const struct setup *s)
{
	puts(setup_wants(s, "policy")
		     ? "\nwho may use it: whom its rules allow (hdctl policy "
		       "rules)"
		     : "\nwho may use it: everybody who finds it; to limit "
		       "that: hdctl setup --who keys FILE, headscale URL or "
		       "tailscaled");
}

/* Of a certificate that the relay has made in its own folder. */
static void ask_pin(struct setup *s, char pin[PEM_PIN_BYTES])
{
	struct hd_error err;
	const json_t *cert;
	json_t *info = NULL;

	if (s->runs && ask_words(&s->h->ask, "relay info", &info, &err) ==
			       HDCTL_OK) {
		cert = json_object_get(info, "certificate");
		(void)snprintf(pin, PEM_PIN_BYTES, "%s",
			       tree_text(cert, "pin", ""));
	}
	json_decref(info);
}

void setup_entries(struct setup *s)
{
	char pin[PEM_PIN_BYTES] = "";
	struct derpmap_node node = {
		.region_id = REGION,
		.region_code = "hd",
		.region_name = "Hyper-DERP",
		.host = s->w.host,
		.ipv4 = "",
		.ipv6 = "",
		.cert_name = "",
		.derp_port = setup_port(s),
		.stun_port = setup_stun_port(s),
		.can_port_80 = has_port_80(s),
	};

	if (s->self_signed && s->pem.leaf != NULL)
		(void)pem_pin(s->pem.leaf, pin);
	else if (s->self_signed)
		ask_pin(s, pin);
	node.cert_name = pin;
	set_address(&node, s->w.host);
	if (s->self_signed && pin[0] == '\0') {
		puts("\nthe relay makes its certificate itself, and clients "
		     "need its pin: `hdctl derpmap` prints their entry once it "
		     "runs");
		return;
	}
	put("Headscale: a file of derp.paths in its config.yaml", "yaml",
	    &node);
	put("Tailscale: in the policy file of the tailnet", "json", &node);
	put("tailcat: a map to serve at --derpmap-url", "tailcat", &node);
}
