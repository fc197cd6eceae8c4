/* SPDX-License-Identifier: MIT */
/* tools/hdctl/shell.c - the same commands, one after another. */
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/interrupt.h"
#include "tools/hdctl/line.h"

static bool is_end(const char *word)
{
	return strcmp(word, "exit") == 0 || strcmp(word, "quit") == 0;
}

/* Returns false: the shell ends. */
static bool run_line(struct hdctl *h, const char *line)
{
	char *copy = strdup(line), *save = NULL;
	const char *words[HDCTL_WORDS_MAX] = { "configure" };
	size_t first = h->configuring, n = first;
	bool goes_on = true;

	for (char *w = copy != NULL ? strtok_r(copy, " \t\r\n", &save) : NULL;
	     w != NULL && n < HDCTL_WORDS_MAX;
	     w = strtok_r(NULL, " \t\r\n", &save))
		words[n++] = w;
	if (n > first && is_end(words[first])) {
		goes_on = h->configuring && h->in_shell;
		h->configuring = false;
		free(h->configure_file);
		h->configure_file = NULL;
	} else if (n > first) {
		interrupt_begin(&h->ask);
		hdctl_run(h, words, n);
		interrupt_end();
		json_decref(h->commands); /* a module may have come or gone */
		h->commands = NULL;
	}
	free(copy);
	return goes_on;
}

int run_shell(struct hdctl *h)
{
	struct line *l;
	const char *text;
	int r = h->configuring ? HDCTL_OK : hdctl_connect(h);

	if (r != HDCTL_OK)
		return r;
	l = line_open(h);
	if (l == NULL)
		return hdctl_fail(HDCTL_REFUSED, "the terminal cannot be used");
	h->shell = true;
	h->in_shell = !h->configuring;
	interrupt_prompt();
	printf("%s; ? and Tab help, exit ends\n",
	       h->configuring ? "the configuration" : h->ask.path);
	while ((text = line_read(l)) != NULL && run_line(h, text))
		;
	line_close(l);
	return HDCTL_OK;
}
