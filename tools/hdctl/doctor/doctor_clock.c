/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_clock.c - certificates have dates, and a log is
 * read beside others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/lib/httpc.h"

enum { TIMEOUT_MS = 5000, OFF_WARN_S = 30, OFF_FAIL_S = 600 };
enum { QUARTER_S = 900, ZONE_MAX_S = 14 * 3600 + QUARTER_S / 2 };

#define SYNCHRONISE                                                            \
	"timedatectl set-ntp true (systemd-timesyncd), or apt install "        \
	"chrony; to see how wrong it is: hdctl doctor --time-from HOST"

/* ---- what this machine knows ---- */

/* Many hosts keep the clocks of their guests, and the guest's kernel does not
 * know of it. */
static bool is_guest(void)
{
	static const char *const signs[] = {
		"/run/systemd/container", "/run/.containerenv", "/.dockerenv",
		"/proc/device-tree/hypervisor", "/sys/hypervisor/type",
	};
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[4096];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = strncmp(line, "flags", 5) == 0 &&
			strstr(line, " hypervisor") != NULL;
	if (f != NULL)
		fclose(f);
	for (size_t i = 0; !found && i < HD_ARRAY_N(signs); i++)
		found = access(signs[i], F_OK) == 0;
	return found;
}

long doctor_rtc_off(long off_s)
{
	long off = labs(off_s), rest = off % QUARTER_S;

	if (off > ZONE_MAX_S)
		return off;
	return rest > QUARTER_S / 2 ? QUARTER_S - rest : rest;
}

/* The clock that runs while the machine is off. */
static bool read_rtc(long *ret_off_s)
{
	FILE *f = fopen("/sys/class/rtc/rtc0/since_epoch", "re");
	long long there = 0;
	bool got = f != NULL && fscanf(f, "%lld", &there) == 1;
	long off = (long)(time(NULL) - there);

	if (f != NULL)
		fclose(f);
	*ret_off_s = doctor_rtc_off(off);
	return got;
}

void doctor_say_clock(struct doctor *d, const struct doctor_clock *c)
{
	if (c->synchronised) {
		doctor_say(d, DOCTOR_OK, "synchronised, within %ld ms",
			   c->error_ms);
	} else if (c->has_rtc && c->rtc_off_s >= OFF_WARN_S) {
		doctor_say(d, DOCTOR_WARN, "%ld s from the machine's hardware "
			   "clock, and not synchronised", c->rtc_off_s);
		doctor_remedy(d, SYNCHRONISE);
	} else if (c->known && !c->guest) {
		doctor_say(d, DOCTOR_WARN, "not synchronised (no NTP): it "
			   "will be wrong one day, and certificates with it");
		doctor_remedy(d, SYNCHRONISE);
	} else {
		doctor_say(d, DOCTOR_SKIP, "%s; the host may keep it right. "
			   "To compare it: hdctl doctor --time-from HOST",
			   c->known ? "not synchronised in this guest"
				    : "the kernel does not tell whether it is "
				      "synchronised");
	}
}

static void look_at_kernel(struct doctor *d)
{
	struct timex t = { .modes = 0 };
	int r = adjtimex(&t);
	struct doctor_clock c = {
		.known = r >= 0,
		.synchronised = r >= 0 && r != TIME_ERROR &&
				(t.status & STA_UNSYNC) == 0,
		.error_ms = t.maxerror / 1000,
		.guest = is_guest(),
	};

	c.has_rtc = read_rtc(&c.rtc_off_s);
	doctor_say_clock(d, &c);
}

/* ---- what a server says ---- */

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
