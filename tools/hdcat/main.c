/* SPDX-License-Identifier: MIT */
/* hdcat - standard input and output, and connections, to another machine, by
 * a ticket. */
#include "tools/hdcat/hdcat.h"
#include "tools/lib/output.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>

static int listen_words(struct hdcat *c, char **words, unsigned n,
			int (*run)(struct hdcat *c))
{
	if (n < 1 || n > LIBHD_RELAYS_MAX)
		return wrong("one to four relays are needed", "");
	if (c->n_relay_keys > n)
		return wrong("there are more --relay-key than relays", "");
	if (c->keeps_ticket &&
	    (c->ticket_file == NULL || c->identity_file == NULL))
		return wrong("--keep-ticket needs --ticket-file and "
			     "--identity", "");
	for (c->n_relays = 0; c->n_relays < n; c->n_relays++) {
		char *name = c->relays[c->n_relays].name;

		if (strlen(words[c->n_relays]) >= LIBHD_RELAY_TEXT_BYTES)
			return wrong("no relay: ", words[c->n_relays]);
		strcpy(name, words[c->n_relays]);
	}
	return run(c);
}

/* The last word. Returns STATUS_RUNNING, or the exit status. */
static int ticket(struct hdcat *c, const char *word)
{
	char text[LIBHD_TICKET_TEXT_BYTES];

	if (*word == '@') {
		if (ticket_read(word + 1, text) < 0)
			return wrong("no ticket can be read from ", word + 1);
		word = text;
	}
	if (libhd_ticket_parse(word, &c->ticket) < 0)
		return wrong("that is no ticket, or it is mistyped", "");
	return STATUS_RUNNING;
}

static int command(struct hdcat *c, char **words, unsigned n)
{
	const char *verb = n > 1 ? words[0] : "";
	int status;

	if (n > 0 && strcmp(words[0], "listen") == 0)
		return listen_words(c, words + 1, n - 1, run_listen);
	if (n > 0 && strcmp(words[0], "receive") == 0)
		return listen_words(c, words + 1, n - 1, run_receive);
	if (n == 0)
		return wrong("a ticket is needed", "");
	status = ticket(c, words[n - 1]);
	if (status != STATUS_RUNNING)
		return status;
	if (n == 1)
		return run_dial(c);
	if (n == 2 && strcmp(verb, "ping") == 0)
		return run_ping(c);
	if (strcmp(verb, "forward") == 0)
		return run_forward(c, words + 1, n - 2);
	if (strcmp(verb, "expose") == 0)
		return run_expose(c, words + 1, n - 2);
	if (n > 2 && strcmp(verb, "send") == 0)
		return run_send(c, words + 1, n - 2);
	if (n == 3 && strcmp(verb, "socks") == 0)
		return run_socks(c, words[1]);
	return wrong("no such command: ", verb);
}

int main(int argc, char **argv)
{
	static struct hdcat c = { .timeout_s = 30,
				  .count = 4,
				  .max_conns = 128,
				  .udp_idle_s = 60,
				  .into = ".",
				  .status = STATUS_RUNNING };
	int status;

	signal(SIGPIPE, SIG_IGN); /* a write says it, too */
	status = options(&c, argc, argv);
	if (status == STATUS_RUNNING)
		status = command(&c, argv + optind, (unsigned)(argc - optind));
	return output_end("hdcat", status, STATUS_BROKEN);
}
