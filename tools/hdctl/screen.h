/* SPDX-License-Identifier: MIT */
/* tools/hdctl/screen.h - the terminal as a page that is drawn again and again,
 * and whose keys act at once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct screen_size {
	size_t rows, columns;
};

enum { SCREEN_TIME = 0, SCREEN_RESIZED = -1, SCREEN_END = -2,
       SCREEN_RIGHT = 0x100, SCREEN_LEFT };

/* screen_there - whether stdin and stdout are a terminal that can do it.
 * screen_open - take it. screen_close - give it back as it was; done by itself
 * when a signal ends the program, and meanwhile when Ctrl-Z stops it. */
bool screen_there(void);
void screen_open(void);
void screen_close(void);
struct screen_size screen_size(void);
/* screen_draw - the page: the lines of text that fit, and hint in the last
 * row. None is wider than the terminal: what is, is cut there. */
void screen_draw(const char *text, const char *hint);
/* screen_wait - for a key, or until ms have passed, or fd has something.
 * Returns the key or a SCREEN_. */
int screen_wait(int ms, int fd);
