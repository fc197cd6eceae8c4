/* SPDX-License-Identifier: MIT */
/* modules/metrics/process.c - the process as Prometheus' own libraries show it.
 * Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/,
 * "Process metrics". */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "modules/metrics/metrics.h"

#define OWNER "process"

static size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* From Linux 6.2 on the folder's size is the number; before, they are counted,
 * which takes a few milliseconds with 10,000 connections. */
static uint64_t open_fds(void)
{
	struct stat st;
	uint64_t n = 0;
	DIR *dir;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return 0;
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n > 0 ? n - 1 : 0; /* one was for counting */
}

static void put_real(struct metrics_page *p, const char *name,
		     enum metrics_type type, const char *help, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.2f", value);
	metrics_sample_text(metrics_family(p, name, type, help, OWNER), "",
			    NULL, text);
}

static void put_uint(struct metrics_page *p, const char *name, const char *help,
		     uint64_t value)
{
	metrics_sample(metrics_family(p, name, METRICS_GAUGE, help, OWNER),
		       NULL, value);
}

static void put_cpu(struct metrics_page *p)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) < 0)
		return;
	put_real(p, "process_cpu_seconds_total", METRICS_COUNTER,
		 "User and system CPU time of the process",
		 (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
			 (double)(use.ru_utime.tv_usec +
				  use.ru_stime.tv_usec) /
				 1e6);
}

static void put_memory(struct metrics_page *p)
{
	char text[256];
	unsigned long long all = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	read_file("/proc/self/statm", text, sizeof(text));
	if (sscanf(text, "%llu %llu", &all, &resident) != 2)
		return;
	put_uint(p, "process_virtual_memory_bytes", "Virtual memory",
		 all * page);
	put_uint(p, "process_resident_memory_bytes", "Resident memory",
		 resident * page);
}

static void put_files(struct metrics_page *p)
{
	struct rlimit limit;

	put_uint(p, "process_open_fds", "Open file descriptors", open_fds());
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		put_uint(p, "process_max_fds",
			 "The most file descriptors there can be",
			 limit.rlim_cur);
}

void metrics_put_process(struct metrics_page *p, uint64_t started_s)
{
	put_cpu(p);
	put_real(p, "process_start_time_seconds", METRICS_GAUGE,
		 "When the process started, in seconds since the epoch",
		 (double)started_s);
	put_memory(p);
	put_files(p);
}
