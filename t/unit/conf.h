/* SPDX-License-Identifier: MIT */
/* t/unit/conf.h - load a text as a configuration; what was logged is kept. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/conf/conf.h"
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char logged[8192];
static const struct hd_conf_cli no_flags = { .port = -1, .workers = -1 };
static const struct hd_conf_cli dev_flags = { .port = -1,
					      .workers = -1,
					      .dev = true };

/* The linker sends the core's lines here (--wrap). */
void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
	HD_PRINTF(2, 3);
void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	size_t len = strlen(logged);
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(logged + len, sizeof(logged) - len, fmt, ap);
	va_end(ap);
	len = strlen(logged);
	snprintf(logged + len, sizeof(logged) - len, "\n");
}

static inline struct hd_conf *load_with(const struct hd_conf_cli *cli,
					const char *text)
{
	struct hd_conf *conf = NULL;
	struct hd_error err = { "" };
	int r;

	logged[0] = '\0';
	r = hd_conf_load_text(text, strlen(text), cli, &conf, &err);
	if (r < 0)
		fail_msg("%d %s", r, err.text);
	return conf;
}

static inline struct hd_conf *load(const char *text)
{
	return load_with(&no_flags, text);
}

static inline void refuse_with(const struct hd_conf_cli *cli, const char *text,
			       const char *want)
{
	struct hd_conf *conf = NULL;
	struct hd_error err = { "" };
	int r = hd_conf_load_text(text, strlen(text), cli, &conf, &err);

	hd_conf_free(&conf);
	if (r == 0)
		fail_msg("accepted: %s", text);
	assert_string_equal(err.text, want);
}

static inline void refuse(const char *text, const char *want)
{
	refuse_with(&no_flags, text, want);
}

/* What print writes of conf; HD_AUTO(free_text) frees it. */
static inline char *text_of(const struct hd_conf *conf,
			    int (*print)(const struct hd_conf *conf,
					 FILE *file))
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	assert_int_equal(0, print(conf, file));
	fclose(file);
	return text;
}

static inline void free_text(char **text)
{
	free(*text);
}
