/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_limits.c - descriptors, locked memory, and what the
 * kernel is told for many peers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/hdctl/doctor/doctor.h"

enum { FILES_LOW = 4096, MANY_PEERS = 2000, FULL_PERCENT = 80 };
#define NO_LIMIT UINT64_MAX
#define MEMLOCK_LOW (64 << 20)

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t n;

	if (strncmp(text, "unlimited", 9) == 0 ||
	    strncmp(text, "infinity", 8) == 0)
		return NO_LIMIT;
	n = strtoull(text, &end, 10);
	return *end == 'K'   ? n << 10
	       : *end == 'M' ? n << 20
	       : *end == 'G' ? n << 30
			     : n;
}

/* Of a process: proc(5) has names, soft limits and hard ones in columns. */
static bool limit_of(pid_t pid, const char *name, uint64_t *ret)
{
	char path[32], line[256];
	size_t n = strlen(name);
	bool found = false;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		const char *p = line + n;

		if (strncmp(line, name, n) != 0)
			continue;
		p += strspn(p, " ");
		*ret = number_of(p);
		found = true;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static uint64_t limit_of_ours(int which)
{
	struct rlimit lim;

	if (getrlimit(which, &lim) < 0 || lim.rlim_max == RLIM_INFINITY)
		return NO_LIMIT;
	return lim.rlim_max;
}

/* Of the relay that runs, else of its unit, else of who would start it here. */
static uint64_t find_limit(const struct doctor *d, const char *proc,
			   const char *unit, int which, const char **ret_whose)
{
	char text[64];
	uint64_t n;

	*ret_whose = "of the relay that runs";
	if (d->pid > 0 && limit_of(d->pid, proc, &n))
		return n;
	*ret_whose = "of the unit";
	if (doctor_unit(d, unit, text, sizeof(text)))
		return number_of(text);
	*ret_whose = "of this shell";
	return limit_of_ours(which);
}

static void look_at_files(struct doctor *d)
{
	const char *whose;
	uint64_t n = find_limit(d, "Max open files", "LimitNOFILE",
				RLIMIT_NOFILE, &whose);
	uint64_t peers = (uint64_t)json_integer_value(
		json_object_get(d->status, "streams"));

	if (n == NO_LIMIT || (n >= FILES_LOW && peers < n / 100 * FULL_PERCENT))
		doctor_say(d, DOCTOR_OK, "descriptors: %" PRIu64 " %s, one for "
			   "each connection, of which there are %" PRIu64, n,
			   whose, peers);
	else
		doctor_say(d, DOCTOR_WARN, "descriptors: %" PRIu64 " %s, one "
			   "for each connection, of which there are %" PRIu64,
			   n, whose, peers);
	if (n != NO_LIMIT && (n < FILES_LOW || peers >= n / 100 * FULL_PERCENT))
		doctor_remedy(d, "LimitNOFILE=1048576 in the unit, or ulimit "
				 "-Hn 1048576 before the start");
}

/* Only XDP locks memory, and io_uring before Linux 5.12. */
static void look_at_memory(struct doctor *d)
{
	const char *whose;
	uint64_t n;

	if (!doctor_loads(d, "wg") ||
	    tree_text(d->conf, "wg.xdp_interface", NULL) == NULL)
		return;
	n = find_limit(d, "Max locked memory", "LimitMEMLOCK", RLIMIT_MEMLOCK,
		       &whose);
	if (n >= MEMLOCK_LOW) {
		doctor_say(d, DOCTOR_OK, "locked memory: enough for XDP");
		return;
	}
	doctor_say(d, DOCTOR_WARN, "locked memory: %" PRIu64 " bytes %s: XDP "
		   "may need more", n, whose);
	doctor_remedy(d, "LimitMEMLOCK=256M in the unit, or ulimit -Hl");
}

void doctor_check_limits(struct doctor *d)
{
	look_at_files(d);
	look_at_memory(d);
}

/* ---- sysctl ---- */

/* As doc/guides/operations.md advises for more than some thousand peers. */
static const struct {
	const char *name;
	uint64_t want;
} rows[] = {
	{ "net/core/somaxconn", 4096 },
	{ "net/ipv4/tcp_max_syn_backlog", 8192 },
	{ "net/core/rmem_max", 8388608 },
	{ "net/core/wmem_max", 8388608 },
};

static bool read_number(const char *name, uint64_t *ret)
{
	char path[128], line[64];
	FILE *f;
	bool got;

	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name);
	f = fopen(path, "re");
	got = f != NULL && fgets(line, sizeof(line), f) != NULL;
	if (f != NULL)
		fclose(f);
	if (got)
		*ret = strtoull(line, NULL, 10);
	return got;
}

static unsigned list_low(char *buf, size_t size)
{
	unsigned low = 0;
	size_t n = 0;
	uint64_t v;

	for (size_t i = 0; i < HD_ARRAY_N(rows); i++) {
		if (!read_number(rows[i].name, &v) || v >= rows[i].want)
			continue;
		if (n < size)
			n += (size_t)snprintf(buf + n, size - n,
					      "%s%s is %" PRIu64 " (%" PRIu64
					      ")",
					      low > 0 ? ", " : "", rows[i].name,
					      v, rows[i].want);
		low++;
	}
	for (char *p = strchr(buf, '/'); low > 0 && p != NULL;
	     p = strchr(p, '/'))
		*p = '.';
	return low;
}

/* A firewall that follows connections drops those that its table has no room
 * for. */
static void look_at_tracking(struct doctor *d)
{
	uint64_t max, n;

	if (!read_number("net/netfilter/nf_conntrack_max", &max) ||
	    !read_number("net/netfilter/nf_conntrack_count", &n) || max == 0 ||
	    n < max / 100 * FULL_PERCENT)
		return;
	doctor_say(d, DOCTOR_WARN, "the firewall follows %" PRIu64 " of at "
		   "most %" PRIu64 " connections", n, max);
	doctor_remedy(d, "raise net.netfilter.nf_conntrack_max, or exempt the "
			 "relay's ports from tracking");
}

void doctor_check_sysctl(struct doctor *d)
{
	bool many = json_integer_value(json_object_get(d->status, "peers")) >=
		    MANY_PEERS;
	char low[512] = "";

	if (list_low(low, sizeof(low)) == 0) {
		doctor_say(d, DOCTOR_OK, "as the operations guide advises");
	} else if (many) {
		doctor_say(d, DOCTOR_WARN, "low for so many peers: %s", low);
		doctor_remedy(d, "see the operations guide, Limits of the "
				 "system");
	} else {
		doctor_say(d, DOCTOR_OK, "enough for some thousand peers; for "
			   "more: %s", low);
	}
	look_at_tracking(d);
}
