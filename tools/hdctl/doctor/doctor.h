/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor.h - what the checks share: what is configured, who
 * runs it, and the report. A check is a function; each says a line or more. */
#pragma once
#include <sys/types.h>

#include "tools/hdctl/hdctl.h"
#include "tools/hdctl/yaml_tree.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_SKIP, /* could not be checked from here */
	DOCTOR_WARN,
	DOCTOR_FAIL,
	DOCTOR_N
};

enum { /* what it ends with: as hdprobe, and plugins of monitoring */
       DOCTOR_EXIT_OK = 0,
       DOCTOR_EXIT_WARN = 1,
       DOCTOR_EXIT_FAIL = 2,
       DOCTOR_EXIT_USAGE = 3,
};

enum { DOCTOR_NAMES_MAX = 16, DOCTOR_PATH_BYTES = 1024 };

struct doctor {
	const char *socket; /* NULL: that of the configuration */
	const char *config; /* its file */
	const char *host; /* what clients call the relay; NULL: not told */
	const char *time_from; /* a web server with a good clock; NULL: none */
	bool json;

	json_t *conf; /* what is in effect, else what the files say */
	bool conf_good; /* it is in effect */
	json_t *status; /* of the relay that runs; NULL: none does */
	struct ask ask; /* it */
	struct hd_error no_relay; /* why not */
	pid_t pid; /* 0: none */

	char user[64]; /* who runs it, or will */
	const char *user_why;
	uid_t uid;
	gid_t gid;

	const char *names[DOCTOR_NAMES_MAX]; /* of the relay, to be looked up */
	size_t n_names;

	/* the report */
	const char *check; /* which one is at work */
	json_t *lines, *line; /* line: the last of them */
	unsigned count[DOCTOR_N];
};

struct doctor_check {
	const char *name;
	void (*run)(struct doctor *d);
	bool stops; /* what fails here stops a start */
};

void doctor_check_config(struct doctor *d);
void doctor_check_modules(struct doctor *d);
void doctor_check_user(struct doctor *d);
void doctor_check_files(struct doctor *d);
void doctor_check_certificate(struct doctor *d);
void doctor_check_names(struct doctor *d);
void doctor_check_ports(struct doctor *d);
void doctor_check_reach(struct doctor *d);
void doctor_check_clock(struct doctor *d);
void doctor_check_kernel(struct doctor *d);
void doctor_check_limits(struct doctor *d);
void doctor_check_sysctl(struct doctor *d);
void doctor_check_unit(struct doctor *d);
void doctor_check_relay(struct doctor *d);

/* ---- doctor_acme.c ---- */

/* doctor_by_acme - whether the module acme is to get the certificate.
 * doctor_check_acme - has it? Returns whether the relay that runs serves it. */
bool doctor_by_acme(const struct doctor *d);
bool doctor_check_acme(struct doctor *d);

/* ---- doctor_clock.c ---- */

struct doctor_clock {
	bool known; /* the kernel tells */
	bool synchronised; /* as it says */
	long error_ms; /* at most, if so */
	bool guest; /* in a virtual machine or a container */
	bool has_rtc;
	long rtc_off_s; /* from the hardware clock, whatever its time zone */
};

/* doctor_rtc_off - how far the hardware clock is away, if it may be in local
 * time: zones are whole quarters of an hour, 14 hours at most.
 * doctor_say_clock - what the facts mean. */
long doctor_rtc_off(long off_s);
void doctor_say_clock(struct doctor *d, const struct doctor_clock *c);

/* ---- doctor_report.c ---- */

/* doctor_say - a line of the report. doctor_remedy - what to do about the last
 * one. */
void doctor_say(struct doctor *d, enum doctor_verdict v, const char *fmt, ...)
	HD_PRINTF(3, 4);
void doctor_remedy(struct doctor *d, const char *fmt, ...) HD_PRINTF(2, 3);
/* doctor_end - the sum, or all as JSON. Returns the exit status. */
int doctor_end(struct doctor *d);
enum doctor_verdict doctor_worst(const struct doctor *d);

/* ---- doctor_facts.c, doctor_user.c ---- */

/* doctor_facts - what is configured, which relay runs and who runs it. */
void doctor_facts(struct doctor *d);
void doctor_facts_free(struct doctor *d);
/* doctor_ask - a command to the relay that runs. NULL: none, or it refused.
 * The caller releases it. */
json_t *doctor_ask(struct doctor *d, const char *words);
bool doctor_loads(const struct doctor *d, const char *module);
void doctor_find_user(struct doctor *d);
/* doctor_unit - a setting of the relay's unit ("User"), if it is installed and
 * this is its configuration. Returns whether it is there. */
bool doctor_unit(const struct doctor *d, const char *key, char *buf,
		 size_t size);
/* doctor_access - may the relay's user do what access(2) asks? Returns 0;
 * errno; -1: it cannot be known, for we are neither root nor that user. */
int doctor_access(const struct doctor *d, const char *path, int how);

/* ---- doctor_holder.c ---- */

/* doctor_holder - who holds a port of this machine. ret_pid 0: somebody of
 * whom no more can be seen. Returns whether anybody does. */
bool doctor_holder(bool udp, int port, pid_t *ret_pid, char name[32]);
/* doctor_port - of "[::]:443" and the like; 0: this is none. */
int doctor_port(const char *addr);
/* doctor_tls_listener - the first of those configured that clients speak TLS
 * to. Returns its address; NULL: none. */
const char *doctor_tls_listener(const struct doctor *d);

/* doctor_bind - as the relay would. Returns 0; errno. */
int doctor_bind(bool udp, const char *addr);

/* doctor_examine - all checks, for a person.
 * @ret_may_start  nothing is wrong that would stop a start
 * Returns the exit status. */
int doctor_examine(struct doctor *d, bool *ret_may_start);
int run_doctor(struct hdctl *h, const char *const *words, size_t n);
