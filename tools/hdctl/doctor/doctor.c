/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor.c - is all right with this relay, or will it be
 * when it starts? The table of checks, in the order in which they run. */
#include "tools/hdctl/doctor/doctor.h"

#include <string.h>

static const struct doctor_check checks[] = {
	{ "configuration", doctor_check_config, true },
	{ "modules", doctor_check_modules, true },
	{ "user", doctor_check_user, true },
	{ "files", doctor_check_files, true },
	{ "certificate", doctor_check_certificate, true },
	{ "name", doctor_check_names, false },
	{ "ports", doctor_check_ports, true },
	{ "reach", doctor_check_reach, false },
	{ "clock", doctor_check_clock, false },
	{ "kernel", doctor_check_kernel, false },
	{ "limits", doctor_check_limits, false },
	{ "sysctl", doctor_check_sysctl, false },
	{ "unit", doctor_check_unit, false },
	{ "relay", doctor_check_relay, false },
};

static int take_option(struct doctor *d, const char *option, const char *value)
{
	const struct {
		const char *option, **to;
	} rows[] = {
		{ "-c", &d->config },
		{ "--config", &d->config },
		{ "--host", &d->host },
		{ "--time-from", &d->time_from },
	};

	for (size_t k = 0; value != NULL && k < HD_ARRAY_N(rows); k++)
		if (strcmp(rows[k].option, option) == 0) {
			*rows[k].to = value;
			return HDCTL_OK;
		}
	return usage_fail_option(DOCTOR_EXIT_USAGE, "doctor", option);
}

static int read_options(struct doctor *d, const char *const *words, size_t n)
{
	int r = HDCTL_OK;

	for (size_t i = 0; r == HDCTL_OK && i < n; i += 2)
		r = take_option(d, words[i], i + 1 < n ? words[i + 1] : NULL);
	return r;
}

int doctor_examine(struct doctor *d, bool *ret_may_start)
{
	int r;

	*ret_may_start = true;
	d->lines = json_array();
	doctor_facts(d);
	for (size_t i = 0; i < HD_ARRAY_N(checks); i++) {
		unsigned bad = d->count[DOCTOR_FAIL];

		d->check = checks[i].name;
		checks[i].run(d);
		if (checks[i].stops && d->count[DOCTOR_FAIL] > bad)
			*ret_may_start = false;
	}
	r = doctor_end(d);
	doctor_facts_free(d);
	json_decref(d->lines);
	return r;
}

int run_doctor(struct hdctl *h, const char *const *words, size_t n)
{
	struct doctor d = {
		.socket = h->socket,
		.config = HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml",
		.json = h->json,
		.ask = { .fd = -1 },
	};
	bool may_start;
	int r = read_options(&d, words, n);

	return r == HDCTL_OK ? doctor_examine(&d, &may_start) : r;
}
