/* SPDX-License-Identifier: MIT */
/* tools/hdctl/interrupt.c - see interrupt.h. */
#include "tools/hdctl/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

static struct ask *watched; /* NULL: nothing is under way */
static struct sigaction before;
static volatile sig_atomic_t came;

static void on_interrupt(int number)
{
	int saved = errno;

	(void)number;
	came = 1;
	if (watched != NULL && watched->fd >= 0)
		shutdown(watched->fd, SHUT_RDWR);
	errno = saved;
}

static void do_nothing(int number)
{
	(void)number;
}

void interrupt_prompt(void)
{
	struct sigaction act = { .sa_handler = do_nothing };

	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, NULL);
}

void interrupt_begin(struct ask *a)
{
	struct sigaction act = { .sa_handler = on_interrupt };

	came = 0;
	watched = a;
	sigemptyset(&act.sa_mask);
	sigaction(SIGINT, &act, &before);
}

void interrupt_end(void)
{
	sigaction(SIGINT, &before, NULL);
	if (came && watched->fd >= 0)
		ask_close(watched);
	watched = NULL;
	came = 0;
}

bool interrupt_came(void)
{
	return came;
}
