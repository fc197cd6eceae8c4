/* SPDX-License-Identifier: MIT */
/* hdcat - standard input and output, and connections, to another machine, by
 * a ticket. */
#include "tools/hdcat/hdcat.h"
#include "tools/lib/output.h"

#include <getopt.h>
#include <hyper-derp/near.h>
#include <hyper-derp/whole.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
			return unread(word + 1);
		word = text;
	}
	if (libhd_ticket_parse(word, &c->ticket) < 0)
		return wrong("that is no ticket, or it is mistyped", "");
	return STATUS_RUNNING;
}

static const char *const verbs[] = { "listen", "receive", "forward", "expose",
				     "socks",  "send",	  "ping" };

static bool is_verb(const char *word)
{
	for (unsigned i = 0; i < HD_ARRAY_N(verbs); i++)
		if (strcmp(verbs[i], word) == 0)
			return true;
	return false;
}

#define TICKET_BEGIN "hdticket1"

static int no_verb(const char *word)
{
	const char *near = hd_near(word, verbs, HD_ARRAY_N(verbs));

	/* who has it is let in: it is shown to nobody */
	if (strncasecmp(word, TICKET_BEGIN, sizeof(TICKET_BEGIN) - 1) == 0)
		return wrong("the ticket is the last word, behind the command "
			     "and what that wants", "");
	fprintf(stderr, "hdcat: there is no command %s%s%s\n", word,
		near != NULL ? "; did you mean " : "",
		near != NULL ? near : "");
	return wrong("they are listen, receive, forward, expose, socks, send "
		     "and ping", "");
}

static int command(struct hdcat *c, char **words, unsigned n)
{
	const char *verb = n > 0 ? words[0] : "";
	int status;

	if (strcmp(verb, "listen") == 0)
		return listen_words(c, words + 1, n - 1, run_listen);
	if (strcmp(verb, "receive") == 0)
		return listen_words(c, words + 1, n - 1, run_receive);
	if (n > 1 && !is_verb(verb))
		return no_verb(verb);
	if (n == 0 || (n == 1 && is_verb(verb)))
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
	return wrong("too few words, or too many, for ", verb);
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

	if (hd_stdio_whole() < 0)
		return STATUS_BROKEN;
	signal(SIGPIPE, SIG_IGN); /* a write says it, too */
	status = options(&c, argc, argv);
	if (status == STATUS_RUNNING)
		status = command(&c, argv + optind, (unsigned)(argc - optind));
	return output_end("hdcat", status, STATUS_BROKEN);
}
