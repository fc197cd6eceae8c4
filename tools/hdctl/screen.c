/* SPDX-License-Identifier: MIT */
/* tools/hdctl/screen.c - see screen.h. The sequences are those that every
 * terminal of today has (ECMA-48, DEC private modes 7, 25 and 1049). */
#include "tools/hdctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The second page, no cursor, and what is too long is cut, not wrapped. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define TOP "\033[H"
#define REST_OF_LINE "\033[K"
#define REST_OF_PAGE "\033[J"
#define REVERSED "\033[7m"
#define PLAIN "\033[0m"

enum { CTRL_D = 4, CTRL_Z = 26, ESCAPE = 27 };

static const int endings[] = { SIGTERM, SIGHUP, SIGQUIT };
enum { ENDINGS = sizeof(endings) / sizeof(endings[0]) };

static struct {
	struct termios before;
	struct sigaction ending[ENDINGS], resize;
	volatile sig_atomic_t resized;
} screen;

bool screen_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL &&
	       term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static void give_back(void)
{
	ssize_t n = write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);

	(void)n; /* in a signal's handler, nobody can be told */
	tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

static void on_ending(int number)
{
	give_back();
	signal(number, SIG_DFL);
	raise(number);
}

static void on_resize(int number)
{
	(void)number;
	screen.resized = 1;
}

static void set_signals(void)
{
	struct sigaction act = { .sa_handler = on_ending };

	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < ENDINGS; i++)
		sigaction(endings[i], &act, &screen.ending[i]);
	act.sa_handler = on_resize;
	sigaction(SIGWINCH, &act, &screen.resize);
}

void screen_open(void)
{
	struct termios raw;

	tcgetattr(STDIN_FILENO, &screen.before);
	raw = screen.before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	/* else the kernel may throw LEAVE away together with a Ctrl-C */
	raw.c_lflag |= NOFLSH;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* Ctrl-Z is a key: see stop() */
	set_signals();
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(ENTER, stdout);
	fflush(stdout);
}

void screen_close(void)
{
	fflush(stdout);
	give_back();
	for (size_t i = 0; i < ENDINGS; i++)
		sigaction(endings[i], &screen.ending[i], NULL);
	sigaction(SIGWINCH, &screen.resize, NULL);
}

struct screen_size screen_size(void)
{
	struct winsize ws = { .ws_row = 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_row == 0 ||
	    ws.ws_col == 0)
		return (struct screen_size){ 24, 80 };
	return (struct screen_size){ ws.ws_row, ws.ws_col };
}

/* Where a terminal's line ends: it counts characters, not bytes. */
static int bytes_in(const char *line, size_t n, size_t columns)
{
	size_t i = 0;

	while (i < n &&
	       (columns > 0 || ((unsigned char)line[i] & 0xc0) == 0x80))
		columns -= ((unsigned char)line[i++] & 0xc0) != 0x80;
	return (int)i;
}

void screen_draw(const char *text, const char *hint)
{
	struct screen_size size = screen_size();

	fputs(TOP, stdout);
	for (size_t row = 1; row < size.rows; row++) {
		size_t n = strcspn(text, "\n");

		printf("%.*s" REST_OF_LINE "\r\n",
		       bytes_in(text, n, size.columns), text);
		text += n + (text[n] == '\n');
	}
	printf(REVERSED "%-*.*s" PLAIN REST_OF_PAGE, (int)size.columns,
	       (int)size.columns, hint);
	fflush(stdout);
}

/* All of the group stops, as the terminal would have it. */
static void stop(void)
{
	screen_close();
	kill(0, SIGTSTP);
	screen_open();
}

static int read_key(void)
{
	unsigned char key[16];
	ssize_t n = read(STDIN_FILENO, key, sizeof(key));

	if (n < 0 && errno == EINTR)
		return SCREEN_TIME;
	if (n <= 0 || key[0] == CTRL_D)
		return SCREEN_END;
	if (key[0] == CTRL_Z) {
		stop();
		return SCREEN_RESIZED;
	}
	if (key[0] != ESCAPE)
		return key[0];
	if (n >= 3 && key[2] == 'C')
		return SCREEN_RIGHT;
	return n >= 3 && key[2] == 'D' ? SCREEN_LEFT : SCREEN_RESIZED;
}

int screen_wait(int ms, int fd)
{
	struct pollfd p[] = { { .fd = STDIN_FILENO, .events = POLLIN },
			      { .fd = fd, .events = POLLIN } };
	int n = screen.resized ? 0 : poll(p, 2, ms);

	if (screen.resized) {
		screen.resized = 0;
		return SCREEN_RESIZED;
	}
	return n > 0 && p[0].revents != 0 ? read_key() : SCREEN_TIME;
}
