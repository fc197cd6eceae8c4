/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_clock.c - certificates have dates, and a log is
 * read beside others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/lib/httpc.h"

enum { TIMEOUT_MS = 5000, OFF_WARN_S = 30, OFF_FAIL_S = 600 };

static void look_at_kernel(struct doctor *d)
{
	struct timex t = { .modes = 0 };
	int r = adjtimex(&t);

	if (r < 0) {
		doctor_say(d, DOCTOR_SKIP, "the kernel does not say whether it "
					   "is kept right");
	} else if (r == TIME_ERROR || (t.status & STA_UNSYNC) != 0) {
		doctor_say(d, DOCTOR_WARN, "nothing keeps it right (NTP)");
		doctor_remedy(d, "systemd-timesyncd or chrony does; in a "
				 "container or a virtual machine the host "
				 "may: --time-from HOST compares");
	} else {
		doctor_say(d, DOCTOR_OK, "kept right, within %ld ms",
			   t.maxerror / 1000);
	}
}

/* Source: RFC 9110, 5.6.7: the one form that is still written. */
static bool parse_date(const char *text, time_t *ret)
{
	struct tm tm = { 0 };

	if (strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
		return false;
	*ret = timegm(&tm);
	return true;
}

/* Returns whether the server told; else err says why not. */
static bool ask_server(const char *host, const char *port, time_t *ret,
		       struct hd_error *err)
{
	static struct httpc_head head;
	struct addrinfo *list = NULL;
	struct conn *c = NULL;
	char date[64];
	int r = conn_resolve(host, port, AF_UNSPEC, &list, err);

	if (r == 0)
		r = conn_open(list, TIMEOUT_MS, &c, err);
	if (r == 0) {
		conn_deadline(c, TIMEOUT_MS);
		r = httpc_get(c, host, "/", "", NULL, 0, err);
	}
	if (r == 0)
		r = httpc_read_head(c, &head, err);
	conn_close(&c);
	freeaddrinfo(list);
	if (r == 0 && !(httpc_header(&head, "Date", date, sizeof(date)) &&
			parse_date(date, ret)))
		r = hd_error_set(err, -EBADMSG, "its answer has no Date");
	return r == 0;
}

static void look_at_server(struct doctor *d)
{
	const char *colon = strrchr(d->time_from, ':');
	struct hd_error err = { "" };
	char host[256];
	time_t there = 0;

	if (colon != NULL && strchr(d->time_from, ':') != colon)
		colon = NULL; /* an IPv6 address */
	(void)snprintf(host, sizeof(host), "%.*s",
		       colon != NULL ? (int)(colon - d->time_from) : 255,
		       d->time_from);
	if (!ask_server(host, colon != NULL ? colon + 1 : "80", &there, &err)) {
		doctor_say(d, DOCTOR_SKIP, "%s does not tell the time: %s",
			   d->time_from, err.text);
		return;
	}
	long off = labs((long)(time(NULL) - there));
	doctor_say(d, off >= OFF_FAIL_S	  ? DOCTOR_FAIL
		      : off >= OFF_WARN_S ? DOCTOR_WARN
					  : DOCTOR_OK,
		   "%ld s from that of %s", off, d->time_from);
	if (off >= OFF_WARN_S)
		doctor_remedy(d, "set this machine's clock, or find out which "
				 "of the two is wrong");
}

void doctor_check_clock(struct doctor *d)
{
	if (d->time_from != NULL)
		look_at_server(d);
	else
		look_at_kernel(d);
}
