/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_kernel.c - what the relay wants of the kernel, as
 * it is configured. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tools/hdctl/doctor/doctor.h"

/* A file of one line. Returns false: it cannot be read. */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool got = f != NULL && fgets(buf, (int)size, f) != NULL;

	if (f != NULL)
		fclose(f);
	buf[got ? strcspn(buf, "\n") : 0] = '\0';
	return got;
}

/* ---- io_uring ---- */

/* A ring of no size is refused as invalid where one may be had. */
static int try_uring(void)
{
#ifdef __NR_io_uring_setup
	unsigned char params[120] = { 0 }; /* struct io_uring_params */

	return syscall(__NR_io_uring_setup, 0, params) < 0 ? errno : EINVAL;
#else
	return ENOSYS;
#endif
}

static void say_uring_off(struct doctor *d, bool needed, int e)
{
	char value[16];

	doctor_say(d, needed ? DOCTOR_FAIL : DOCTOR_WARN,
		   "io_uring is not allowed: %s; %s", strerror(e),
		   needed ? "event_backend asks for it"
			  : "the relay takes epoll instead");
	if (read_line("/proc/sys/kernel/io_uring_disabled", value,
		      sizeof(value)) && strcmp(value, "0") != 0)
		doctor_remedy(d, "sysctl kernel.io_uring_disabled=0 (it is %s)",
			      value);
	else
		doctor_remedy(d, "a container's seccomp profile forbids it: "
				 "see the operations guide, Containers; "
				 "`event_backend: epoll` does without");
}

static void look_at_uring(struct doctor *d)
{
	const char *want = tree_text(d->conf, "event_backend", "auto");
	const char *runs = tree_text(d->status, "backend", NULL);
	int e = try_uring();

	if (strcmp(want, "epoll") == 0)
		doctor_say(d, DOCTOR_OK, "epoll, as event_backend says");
	else if (runs != NULL && strcmp(runs, "io_uring") == 0)
		doctor_say(d, DOCTOR_OK, "the relay uses io_uring");
	else if (e != EINVAL)
		say_uring_off(d, strcmp(want, "io_uring") == 0, e);
	else if (runs != NULL)
		doctor_say(d, DOCTOR_WARN, "io_uring is there, and the relay "
			   "uses %s: its log says why", runs);
	else
		doctor_say(d, DOCTOR_OK, "io_uring");
}

/* ---- kTLS ---- */

static void look_at_ktls(struct doctor *d)
{
	const char *want = tree_text(d->conf, "tls.ktls", "auto");
	char ulps[256];
	bool there = read_line("/proc/sys/net/ipv4/tcp_available_ulp", ulps,
			       sizeof(ulps)) && strstr(ulps, "tls") != NULL;

	if (strcmp(want, "off") == 0 || strcmp(want, "false") == 0)
		return;
	if (there)
		doctor_say(d, DOCTOR_OK, "kTLS");
	else if (strcmp(want, "auto") == 0)
		doctor_say(d, DOCTOR_OK, "no kTLS (modprobe tls): the relay's "
					 "own record layer serves");
	else {
		doctor_say(d, DOCTOR_FAIL, "tls.ktls is on, and the kernel has "
					   "no kTLS");
		doctor_remedy(d, "modprobe tls; /etc/modules-load.d keeps it");
	}
}

/* ---- congestion control ---- */

static bool has_word(char *words, const char *word)
{
	char *save;

	for (char *w = strtok_r(words, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

static void look_at_congestion(struct doctor *d)
{
	const char *want = tree_text(d->conf, "tcp_congestion", "auto");
	const char *name = strcmp(want, "auto") == 0 ? "bbr" : want;
	char allowed[256];

	if (strcmp(want, "kernel") == 0 ||
	    !read_line("/proc/sys/net/ipv4/tcp_allowed_congestion_control",
		       allowed, sizeof(allowed)))
		return;
	if (has_word(allowed, name)) {
		doctor_say(d, DOCTOR_OK, "TCP has %s", name);
		return;
	}
	doctor_say(d, DOCTOR_WARN, "tcp_congestion: TCP has no %s, or not for "
				   "everybody", name);
	doctor_remedy(d, "modprobe tcp_%s, which /etc/modules-load.d keeps; "
			 "sysctl net.ipv4.tcp_allowed_congestion_control",
		      name);
}

/* ---- XDP ---- */

static void look_at_forwarding(struct doctor *d)
{
	char value[16] = "";

	if (read_line("/proc/sys/net/ipv4/conf/lo/forwarding", value,
		      sizeof(value)) && strcmp(value, "0") == 0) {
		doctor_say(d, DOCTOR_WARN, "XDP: the kernel does not look "
			   "up routes: packets go through user space");
		doctor_remedy(d, "sysctl -w net.ipv4.conf.lo.forwarding=1 and "
				 "the same with ipv6: see wireguard-xdp.md");
	}
}

static void look_at_xdp(struct doctor *d)
{
	const char *mode = tree_text(d->conf, "wg.xdp", "auto");
	const char *names = tree_text(d->conf, "wg.xdp_interface", "");
	char copy[256];

	if (!doctor_loads(d, "wg") || names[0] == '\0' ||
	    strcmp(mode, "off") == 0 || strcmp(mode, "false") == 0)
		return;
	(void)snprintf(copy, sizeof(copy), "%s", names);
	for (char *save, *name = strtok_r(copy, ", ", &save); name != NULL;
	     name = strtok_r(NULL, ", ", &save)) {
		if (if_nametoindex(name) > 0)
			continue;
		doctor_say(d, DOCTOR_FAIL, "wg.xdp_interface: there is no "
					   "interface %s", name);
		doctor_remedy(d, "ip link lists those there are");
	}
	look_at_forwarding(d);
}

/* README: what the relay is tried on. */
static bool is_known_kernel(const char *release)
{
	int major = atoi(release);
	const char *dot = strchr(release, '.');
	int minor = dot != NULL ? atoi(dot + 1) : 0;

	return major > 5 || (major == 5 && minor >= 15);
}

static void look_at_version(struct doctor *d)
{
	struct utsname u;

	if (uname(&u) < 0)
		return;
	if (is_known_kernel(u.release)) {
		doctor_say(d, DOCTOR_OK, "Linux %s", u.release);
	} else {
		doctor_say(d, DOCTOR_WARN, "Linux %s", u.release);
		doctor_remedy(d, "use 5.15 or later, which io_uring and XDP "
				 "need; before it: `event_backend: epoll`");
	}
}

void doctor_check_kernel(struct doctor *d)
{
	look_at_version(d);
	look_at_uring(d);
	look_at_ktls(d);
	look_at_congestion(d);
	look_at_xdp(d);
}
