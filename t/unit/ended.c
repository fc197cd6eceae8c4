/* SPDX-License-Identifier: MIT */
/* t/unit/ended.c - what the log says of connections that have ended: a line of
 * each peer, whatever the crowd; of strangers as long as they are few; and
 * nobody is left out of the sum. */
#include "core/stream/ended.h"
#include <hyper-derp/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/descriptors.h"
#include "core/loop/worker.h"
#include "core/stream/stream.h"
#include "core/stream/stream_worker.h"
#include "core/stream/trace.h"
#include "t/unit/unit.h"

/* ---- in place of the core ---- */

static unsigned n_notice, n_info, n_debug;
static char last[512];

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
bool __wrap_hd_log_on(enum hd_log_level level);
void __wrap_hd_trace_stream(const struct hd_stream *s, enum hd_trace_kind kind,
			    const char *why);

void __wrap_hd_log_write(enum hd_log_level level, const char *fmt, ...)
{
	va_list ap;

	n_notice += level == HD_LOG_NOTICE;
	n_info += level == HD_LOG_INFO;
	n_debug += level == HD_LOG_DEBUG;
	va_start(ap, fmt);
	vsnprintf(last, sizeof(last), fmt, ap);
	va_end(ap);
}

bool __wrap_hd_log_on(enum hd_log_level level)
{
	(void)level;
	return true;
}

void __wrap_hd_trace_stream(const struct hd_stream *s, enum hd_trace_kind kind,
			    const char *why)
{
	(void)s;
	(void)kind;
	(void)why;
}

/* ---- connections ---- */

static const struct hd_proto proto = { .name = "http" };
static struct hd_worker *w;
static struct hd_stream *s;

static int setup(void **state)
{
	(void)state;
	n_notice = n_info = n_debug = 0;
	w = calloc(1, sizeof(*w));
	w->now_ms = 50000;
	w->streams = calloc(1, sizeof(*w->streams));
	s = calloc(1, sizeof(*s));
	s->worker = w;
	s->proto = &proto;
	s->fds = HD_FDS_PUBLIC;
	s->bytes_in = 10;
	s->bytes_out = 1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(s);
	free(w->streams);
	free(w);
	return 0;
}

static void end(unsigned n, enum hd_close why)
{
	s->why = s->like = (uint8_t)why;
	while (n-- > 0)
		hd_ended_stream(s);
}

static void who_looks_at_a_page_is_counted(void **state)
{
	(void)state;
	end(3, HD_CLOSE_DONE);
	end(2, HD_CLOSE_PEER);
	assert_int_equal(n_info, 0);
	assert_int_equal(n_debug, 5);
	assert_int_equal(w->streams->ended.due_ms, 50000 + 600000);
	w->now_ms = w->streams->ended.due_ms;
	hd_ended_tell(w);
	assert_int_equal(n_info, 1);
	assert_string_equal(last,
			    "without a line of their own: connections=5 "
			    "logins_refused=0 seconds=600 in=50 out=5 done=3 "
			    "peer=2");
	hd_ended_tell(w);
	assert_int_equal(n_info, 1);
}

static void few_that_fail_have_a_line_each(void **state)
{
	(void)state;
	end(HD_ENDED_LINES, HD_CLOSE_TIMEOUT);
	assert_int_equal(n_info, HD_ENDED_LINES);
	assert_int_equal(w->streams->ended.due_ms, 0);
	end(7, HD_CLOSE_PROTOCOL);
	assert_int_equal(n_info, HD_ENDED_LINES);
	assert_int_equal(w->streams->ended.due_ms, 50000 + 10000);
	w->now_ms += 10000;
	end(1, HD_CLOSE_PROTOCOL);
	assert_int_equal(n_info, HD_ENDED_LINES + 1);
	hd_ended_tell(w);
	assert_non_null(strstr(last, "connections=7 "));
	assert_non_null(strstr(last, " protocol=7"));
}

static void of_thousands_one_line(void **state)
{
	(void)state;
	end(1, HD_CLOSE_DONE);
	w->now_ms += 300000;
	end(5000, HD_CLOSE_DONE);
	assert_int_equal(n_info, 0);
	assert_true(w->streams->ended.due_ms <= w->now_ms);
	hd_ended_tell(w);
	assert_int_equal(n_info, 1);
	assert_non_null(strstr(last, "connections=5001 "));
	end(HD_ENDED_MANY, HD_CLOSE_DONE); /* but not every moment */
	assert_int_equal(w->streams->ended.due_ms, w->now_ms + 10000);
}

static void refused_logins_are_told_likewise(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HD_ENDED_LINES; i++)
		assert_true(hd_ended_refused(w));
	for (unsigned i = 0; i < 20; i++)
		assert_false(hd_ended_refused(w));
	hd_ended_tell(w);
	assert_non_null(strstr(last, "connections=0 logins_refused=20 "));
	assert_int_equal(n_notice, 1); /* as those with a line of their own */
	assert_false(hd_ended_refused(w));
	w->now_ms += 10000;
	assert_true(hd_ended_refused(w));
}

static void what_the_relay_dials_is_no_visitor(void **state)
{
	(void)state;
	s->fds = HD_FDS_ONWARD;
	end(1, HD_CLOSE_DONE);
	end(1, HD_CLOSE_ERROR);
	assert_int_equal(n_info, 0);
	assert_int_equal(w->streams->ended.due_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_looks_at_a_page_is_counted,
						setup, teardown),
		cmocka_unit_test_setup_teardown(few_that_fail_have_a_line_each,
						setup, teardown),
		cmocka_unit_test_setup_teardown(of_thousands_one_line, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			refused_logins_are_told_likewise, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_the_relay_dials_is_no_visitor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
