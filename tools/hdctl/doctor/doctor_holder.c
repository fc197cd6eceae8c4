/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_holder.c - whose is a port? By /proc, as ss(8)
 * does it. */
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

enum { TCP_LISTEN = 0x0a, INODES_MAX = 16 };

/* Sockets of one file of /proc/net that have the port.
 * Source: proc(5): "sl: local_address rem_address st ... inode". */
static size_t find_inodes(const char *path, bool tcp, int port,
			  unsigned long ret[INODES_MAX], size_t n)
{
	FILE *f = fopen(path, "re");
	char line[512];

	while (f != NULL && n < INODES_MAX &&
	       fgets(line, sizeof(line), f) != NULL) {
		unsigned local, state;
		unsigned long inode;

		if (sscanf(line,
			   " %*[^:]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f:] %x "
			   "%*s %*s %*s %*s %*s %lu",
			   &local, &state, &inode) != 3)
			continue;
		if ((int)local == port && (!tcp || state == TCP_LISTEN))
			ret[n++] = inode;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

static bool is_one_of(const char *link, const unsigned long *inodes, size_t n)
{
	unsigned long inode;

	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (inodes[i] == inode)
			return true;
	return false;
}

static bool has_one(const char *pid, const unsigned long *inodes, size_t n)
{
	char folder[300], path[600], link[64];
	const struct dirent *e;
	bool found = false;
	DIR *dir;

	(void)snprintf(folder, sizeof(folder), "/proc/%s/fd", pid);
	dir = opendir(folder);
	while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
		ssize_t len;

		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		len = readlink(path, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = '\0';
		found = is_one_of(link, inodes, n);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static void read_name(pid_t pid, char name[32])
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL || fgets(name, 32, f) == NULL)
		strcpy(name, "?");
	if (f != NULL)
		fclose(f);
	name[strcspn(name, "\n")] = '\0';
}

/* Systemd keeps the sockets that it has given to the relay: whoever else has
 * one is who is meant. */
static pid_t find_process(const unsigned long *inodes, size_t n)
{
	DIR *dir = opendir("/proc");
	const struct dirent *e;
	pid_t pid = 0;

	while (dir != NULL && pid <= 1 && (e = readdir(dir)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    has_one(e->d_name, inodes, n))
			pid = (pid_t)atoi(e->d_name);
	if (dir != NULL)
		closedir(dir);
	return pid;
}

bool doctor_holder(bool udp, int port, pid_t *ret_pid, char name[32])
{
	unsigned long inodes[INODES_MAX];
	size_t n = find_inodes(udp ? "/proc/net/udp" : "/proc/net/tcp", !udp,
			       port, inodes, 0);

	n = find_inodes(udp ? "/proc/net/udp6" : "/proc/net/tcp6", !udp, port,
			inodes, n);
	*ret_pid = n > 0 ? find_process(inodes, n) : 0;
	if (*ret_pid > 0)
		read_name(*ret_pid, name);
	return n > 0;
}
