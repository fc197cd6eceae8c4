/* SPDX-License-Identifier: MIT */
/* tools/hdctl/line_edit.c - lines with history, completion and help at any
 * point, by libedit. Source: editline(3). */
#include <errno.h>
#include <histedit.h>
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/line.h"

enum { HISTORY_LINES = 500, LINE_MAX_BYTES = 4096 };

struct line {
	struct hdctl *h;
	EditLine *el;
	History *history;
	char path[256]; /* of the history; "" not kept */
};

/* The line up to the cursor, in words; the last one may be empty. */
struct before {
	char text[LINE_MAX_BYTES];
	const char *words[HDCTL_WORDS_MAX];
	size_t n;
};

struct found {
	unsigned n;
	bool list; /* print them, with help */
	char common[128];
};

static struct line *line_of(EditLine *el)
{
	struct line *l = NULL;

	el_get(el, EL_CLIENTDATA, &l);
	return l;
}

static void split(EditLine *el, struct before *b)
{
	const LineInfo *li = el_line(el);
	size_t len =
		HD_MIN((size_t)(li->cursor - li->buffer), sizeof(b->text) - 1);
	char *p = b->text;

	memcpy(b->text, li->buffer, len);
	b->text[len] = '\0';
	b->n = 0;
	if (line_of(el)->h->configuring)
		b->words[b->n++] = "configure";
	for (;;) {
		p += strspn(p, " ");
		b->words[b->n++] = p;
		p += strcspn(p, " ");
		if (*p == '\0' || b->n == HDCTL_WORDS_MAX)
			return;
		*p++ = '\0';
	}
}

static void on_found(void *arg, const char *word, const char *help)
{
	struct found *f = arg;
	size_t i = 0;

	if (f->n++ == 0)
		(void)snprintf(f->common, sizeof(f->common), "%s", word);
	while (f->common[i] != '\0' && f->common[i] == word[i])
		i++;
	f->common[i] = '\0';
	if (f->list)
		printf("  %-18s %s\n", word, help);
}

static void look(EditLine *el, struct before *b, struct found *f)
{
	split(el, b);
	complete_each(line_of(el)->h, b->words, b->n - 1, b->words[b->n - 1],
		      on_found, f);
}

static unsigned char show(EditLine *el)
{
	struct found f = { .list = true };
	struct before b;

	putchar('\n');
	look(el, &b, &f);
	if (f.n == 0)
		puts("  (nothing more)");
	fflush(stdout);
	return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *el, int ch)
{
	struct found f = { .n = 0 };
	struct before b;
	size_t has;

	(void)ch;
	look(el, &b, &f);
	has = strlen(b.words[b.n - 1]);
	if (f.n == 0)
		return CC_ERROR;
	if (f.n > 1 && strlen(f.common) == has)
		return show(el);
	el_insertstr(el, f.common + has);
	if (f.n == 1)
		el_insertstr(el, " ");
	return CC_REFRESH;
}

static unsigned char on_help(EditLine *el, int ch)
{
	(void)ch;
	return show(el);
}

static const char *prompt(EditLine *el)
{
	return line_prompt(line_of(el)->h);
}

static void history_open(struct line *l)
{
	const char *home = getenv("HOME");
	HistEvent ev;

	history(l->history, &ev, H_SETSIZE, HISTORY_LINES);
	history(l->history, &ev, H_SETUNIQUE, 1);
	if (home == NULL || home[0] != '/')
		return;
	(void)snprintf(l->path, sizeof(l->path), "%s/.hdctl_history", home);
	history(l->history, &ev, H_LOAD, l->path);
}

struct line *line_open(struct hdctl *h)
{
	struct line *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->h = h;
	l->history = history_init();
	l->el = el_init("hdctl", stdin, stdout, stderr);
	if (l->el == NULL || l->history == NULL) {
		free(l);
		return NULL;
	}
	history_open(l);
	el_set(l->el, EL_CLIENTDATA, l);
	el_set(l->el, EL_PROMPT, prompt);
	el_set(l->el, EL_EDITOR, "emacs");
	el_set(l->el, EL_SIGNAL, 1);
	el_set(l->el, EL_HIST, history, l->history);
	el_set(l->el, EL_ADDFN, "hd-complete", "complete", on_tab);
	el_set(l->el, EL_ADDFN, "hd-help", "help", on_help);
	el_set(l->el, EL_BIND, "^I", "hd-complete", NULL);
	el_set(l->el, EL_BIND, "?", "hd-help", NULL);
	return l;
}

const char *line_read(struct line *l)
{
	int n = 0;
	const char *text;
	HistEvent ev;

	errno = 0;
	text = el_gets(l->el, &n);
	if (n < 0 && errno == EINTR) { /* Ctrl-C: another line */
		puts("^C");
		return "";
	}
	if (text == NULL || n <= 0)
		return NULL;
	if (text[strspn(text, " \n")] != '\0')
		history(l->history, &ev, H_ENTER, text);
	return text;
}

void line_close(struct line *l)
{
	HistEvent ev;

	if (l->path[0] != '\0')
		history(l->history, &ev, H_SAVE, l->path);
	el_end(l->el);
	history_end(l->history);
	free(l);
}
