/* SPDX-License-Identifier: MIT */
/* t/unit/log.c - lines, their forms, and what happens when there are many. */
#include "core/base/bug.h"
#include "core/base/log.h"
#include "core/base/log_format.h"
#include "t/unit/unit.h"
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/hd-log-XXXXXX";
static char path[64], old[64];

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(old, sizeof(old), "%s/log.1", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	unlink(old);
	return rmdir(dir);
}

static char *slurp(const char *name)
{
	static char text[1 << 20];
	FILE *f = fopen(name, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static size_t format(char *out, enum hd_log_style style, const char *text)
{
	/* date -u -d @1700000000: 2023-11-14 22:13:20 */
	struct hd_log_record rec = { .time_ms = 1700000000007,
				     .level = HD_LOG_WARN,
				     .len_bytes = (uint16_t)strlen(text) };
	size_t n = hd_log_line(out, style, &rec, text);

	out[n] = '\0';
	return n;
}

static void three_forms(void **state)
{
	char out[HD_LOG_OUT_MAX_BYTES + 1];

	(void)state;
	format(out, HD_LOG_STYLE_TEXT, "it is: a=1");
	assert_string_equal(out, "2023-11-14T22:13:20.007Z warn it is: a=1\n");
	format(out, HD_LOG_STYLE_JOURNAL, "it is: a=1");
	assert_string_equal(out, "<4>it is: a=1\n");
	format(out, HD_LOG_STYLE_JSON, "say \"it\"");
	assert_string_equal(out,
			    "{\"time\":\"2023-11-14T22:13:20.007Z\","
			    "\"level\":\"warn\",\"msg\":\"say \\\"it\\\"\"}\n");
}

static void a_peer_cannot_forge_a_line(void **state)
{
	char out[HD_LOG_OUT_MAX_BYTES + 1];

	(void)state;
	format(out, HD_LOG_STYLE_JOURNAL, "agent=x\n<0>y\x1b[2J");
	assert_string_equal(out, "<4>agent=x?<0>y?[2J\n");
	format(out, HD_LOG_STYLE_JSON, "a\nb\xff");
	json_t *line = json_loads(out, 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "msg")),
			    "a\nb?");
	json_decref(line);
}

static void the_longest_line_fits(void **state)
{
	char out[HD_LOG_OUT_MAX_BYTES + 1];
	char text[HD_LOG_LINE_MAX_BYTES];

	(void)state;
	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int style = HD_LOG_STYLE_TEXT; style <= HD_LOG_STYLE_JOURNAL;
	     style++)
		assert_int_equal(
			out[format(out, (enum hd_log_style)style, text) - 1],
			'\n');
}

static void levels_have_names(void **state)
{
	(void)state;
	assert_int_equal(hd_log_level_parse("notice"), HD_LOG_NOTICE);
	assert_true(hd_log_level_parse("loud") < 0);
	assert_string_equal(hd_log_level_text(HD_LOG_ERROR), "error");
}

static void reopen_splits_the_file(void **state)
{
	struct hd_error err;

	(void)state;
	assert_int_equal(hd_log_open(path, HD_LOG_TEXT, HD_LOG_INFO, &err), 0);
	hd_log_notice("first");
	hd_log_debug("hidden");
	assert_int_equal(rename(path, old), 0);
	hd_log_reopen();
	while (access(path, F_OK) < 0)
		usleep(1000); /* until the log thread has done it */
	hd_log_notice("second");
	hd_log_close();
	assert_non_null(strstr(slurp(old), "notice first\n"));
	assert_null(strstr(slurp(old), "hidden"));
	assert_null(strstr(slurp(old), "second"));
	assert_non_null(strstr(slurp(path), "notice second\n"));
}

static void bad_target_names_the_remedy(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	assert_int_equal(
		hd_log_open("/nowhere/x/log", HD_LOG_TEXT, HD_LOG_INFO, &err),
		-ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/x/log"));
	assert_non_null(strstr(err.text, "writable"));
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* Within one second of the coarse clock, or the test may see two windows. */
static void a_site_is_limited(void **state)
{
	struct hd_error err;
	struct hd_log_site site = { 0 };
	unsigned allowed = 0;

	(void)state;
	unlink(path);
	assert_int_equal(hd_log_open(path, HD_LOG_TEXT, HD_LOG_INFO, &err), 0);
	for (int i = 0; i < 1000; i++)
		allowed += hd_log_allow(&site);
	assert_in_range(allowed, 5, 10);
	unsigned suppressed = site.suppressed;
	site.window_s = 1; /* long ago */
	assert_true(hd_log_allow(&site));
	hd_log_close();
	char want[64];
	snprintf(want, sizeof(want), "%u lines like the next one suppressed",
		 suppressed);
	assert_int_equal(count(slurp(path), want), 1);
}

/* A FIFO nobody reads from is the slowest target there is. */
static void a_slow_target_loses_lines_and_says_so(void **state)
{
	struct hd_error err;
	char fifo[80];
	static char got[1 << 20];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int fd = open(fifo, O_RDONLY | O_NONBLOCK);
	assert_int_equal(hd_log_open(fifo, HD_LOG_TEXT, HD_LOG_INFO, &err), 0);
	for (int i = 0; hd_log_lost() == 0; i++)
		hd_log_write(HD_LOG_INFO, "line %d %0900d", i, 0);
	fcntl(fd, F_SETFL, 0); /* now read until the end */
	uint64_t lost = hd_log_lost();
	size_t n = 0;
	char want[64];
	snprintf(want, sizeof(want), "lost=%u", (unsigned)lost);
	while (strstr(got, want) == NULL) {
		ssize_t r = read(fd, got + n, sizeof(got) - 1 - n);

		assert_true(r > 0);
		n += (size_t)r;
	}
	hd_log_close();
	close(fd);
	unlink(fifo);
}

static void one_line_per_bug(void **state)
{
	struct hd_error err;

	(void)state;
	unlink(path);
	assert_int_equal(hd_log_open(path, HD_LOG_TEXT, HD_LOG_INFO, &err), 0);
	for (int i = 0; i < 3; i++)
		hd_bug_once("impossible: i=%d", i);
	hd_log_close();
	assert_int_equal(hd_bugs(), 3);
	assert_int_equal(count(slurp(path), "error bug: impossible: i=0"), 1);
	assert_int_equal(count(slurp(path), "bug:"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_forms),
		cmocka_unit_test(a_peer_cannot_forge_a_line),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(reopen_splits_the_file),
		cmocka_unit_test(bad_target_names_the_remedy),
		cmocka_unit_test(a_site_is_limited),
		cmocka_unit_test(a_slow_target_loses_lines_and_says_so),
		cmocka_unit_test(one_line_per_bug),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
