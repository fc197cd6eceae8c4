/* SPDX-License-Identifier: MIT */
/* modules/acme/when.c - see when.h. */
#include "modules/acme/when.h"
#include <hyper-derp/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	HOUR_S = 60 * 60,
	DAY_S = 24 * HOUR_S,
	BACK_OFF_MAX_S = 6 * HOUR_S,
	SHORT_LIVED_S = 10 * DAY_S,
};

/* This share of n: chance is one of 2^32. */
static int64_t share(int64_t n, uint32_t chance)
{
	return (int64_t)((double)n * ((double)chance / 4294967296.0));
}

int64_t acme_back_off_s(unsigned failures, int64_t first_s, int64_t asked_s,
			uint32_t chance)
{
	int64_t wait = first_s;

	for (unsigned i = 1; i < failures && wait < BACK_OFF_MAX_S; i++)
		wait *= 2;
	wait = HD_MIN(wait, (int64_t)BACK_OFF_MAX_S);
	asked_s = HD_MIN(asked_s, (int64_t)DAY_S);
	if (wait < asked_s)
		wait = asked_s;
	return wait + share(wait / 4, chance);
}

bool acme_is_hasty(int64_t since_s, int64_t life_s)
{
	return since_s < HD_MAX(life_s / 8, (int64_t)60);
}

int64_t acme_due_s(int64_t not_before_s, int64_t not_after_s, uint32_t chance)
{
	int64_t life = not_after_s - not_before_s;
	int64_t left = life < SHORT_LIVED_S ? life / 2 : life / 3;

	return not_after_s - left - share(life / 20, chance);
}

int64_t acme_within_s(int64_t start_s, int64_t end_s, uint32_t chance)
{
	return start_s + share(end_s - start_s, chance);
}

int64_t acme_retry_after_s(const char *value, int64_t now_s)
{
	struct tm tm = { .tm_year = 0 };
	char *end;
	long n = strtol(value, &end, 10);

	if (end != value && *end == '\0')
		return n > 0 ? HD_MIN((int64_t)n, (int64_t)DAY_S) : 0;
	end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (end == NULL || *end != '\0' || timegm(&tm) <= now_s)
		return 0;
	return HD_MIN((int64_t)timegm(&tm) - now_s, (int64_t)DAY_S);
}

/* "Z" or "+01:00" */
static bool zone_s(const char *p, int64_t *ret)
{
	int hours, minutes, n = 0;
	char sign;

	*ret = 0;
	if (strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
		return true;
	if (sscanf(p, "%c%2d:%2d%n", &sign, &hours, &minutes, &n) != 3 ||
	    p[n] != '\0' || (sign != '+' && sign != '-'))
		return false;
	*ret = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
	return true;
}

int64_t acme_time_s(const char *text)
{
	struct tm tm = { .tm_year = 0 };
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t zone;

	if (p != NULL && *p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if (p == NULL || !zone_s(p, &zone))
		return 0;
	return timegm(&tm) - zone;
}
