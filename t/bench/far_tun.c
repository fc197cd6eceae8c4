/* SPDX-License-Identifier: MIT */
/* t/bench/far_tun.c - interfaces for far_link and far_client. */
#include "t/bench/far_tun.h"
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int must(int r, const char *what)
{
	if (r < 0) {
		perror(what);
		exit(1);
	}
	return r;
}

static void enter(const char *path)
{
	int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);

	must(setns(fd, CLONE_NEWNET), path);
	close(fd);
}

static void up(const char *dev)
{
	int fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), dev);
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	must(ioctl(fd, SIOCSIFFLAGS, &ifr), dev);
	close(fd);
}

int far_tun(const char *ns, const char *dev)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int home = must(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "ns");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s%s", ns[0] == '/' ? "" : "/run/netns/",
		 ns);
	enter(path);
	fd = must(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC),
		  "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	must(ioctl(fd, TUNSETIFF, &ifr), dev);
	up(dev);
	must(setns(home, CLONE_NEWNET), "setns");
	close(home);
	return fd;
}
