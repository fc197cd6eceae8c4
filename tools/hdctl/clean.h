/* SPDX-License-Identifier: MIT */
/* tools/hdctl/clean.h - text of others on our terminal. What a peer calls
 * itself, a label, a file's name: none may move the cursor, change colours or
 * turn the line around. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* clean_put - text, with escapes as JSON has them (\u001b) in place of control
 * characters, C1 and DEL too, and of those that change the direction.
 * @lines  line feeds and tabs stay
 * clean_copy - the same into buf, cut to size, without lines. Returns buf. */
void clean_put(FILE *out, const char *text, bool lines);
char *clean_copy(char *buf, size_t size, const char *text);
/* clean_json - JSON that is so too: the same values, as JSON's own escapes. */
void clean_json(FILE *out, const json_t *data, size_t flags);
