/* SPDX-License-Identifier: MIT */
/* core/net/path.c - see path.h. */
#include "core/net/path.h"
#include <errno.h>
#include <hyper-derp/base.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

/* Of Linux 4.19 and later; older kernels tell less, and nothing is done. */
#define SEEN_BYTES (offsetof(struct tcp_info, tcpi_bytes_sent) + 8)
/* BBR sends next to nothing for 200 ms and a round trip, every 10 s, while the
 * sender goes on (PROBE_RTT, net/ipv4/tcp_bbr.c). */
#define BBR_PAUSE_US 250000
#define RATE_MAX (UINT64_C(1) << 32) /* bytes/s */

int hd_path_see(int fd, struct hd_path_seen *ret)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
		return -errno;
	if (n < SEEN_BYTES)
		return -EOPNOTSUPP;
	*ret = (struct hd_path_seen){
		.sent_bytes = info.tcpi_bytes_sent,
		.rate = info.tcpi_pacing_rate < RATE_MAX ? info.tcpi_pacing_rate
							 : 0,
		.rtt_us = info.tcpi_rtt,
		.min_rtt_us = info.tcpi_min_rtt,
		.retransmits = info.tcpi_total_retrans,
	};
	return 0;
}

/* Those of a queue that is full come while it is long, and CUBIC does well
 * there: it falls to 7/10 of the whole, by which a queue as long as the path is
 * not used up, and it grows again. A round trip differs by itself, too. */
static bool has_queue(const struct hd_path_seen *seen)
{
	return seen->rtt_us > seen->min_rtt_us + seen->min_rtt_us / 4 + 5000;
}

static bool is_far(const struct hd_path_seen *seen)
{
	return seen->min_rtt_us >= HD_PATH_FAR_US &&
	       seen->min_rtt_us != UINT32_MAX; /* nothing has come back */
}

bool hd_path_is_lossy(struct hd_path *p, const struct hd_path_seen *seen)
{
	bool lost = seen->retransmits != p->retransmits;

	p->retransmits = seen->retransmits;
	if (!is_far(seen) || has_queue(seen) ||
	    seen->sent_bytes - p->from_bytes > HD_PATH_WINDOW_BYTES) {
		p->from_bytes = seen->sent_bytes;
		p->losses = 0;
	} else if (lost) {
		p->losses++;
	}
	return p->losses >= HD_PATH_LOSSES;
}

void hd_path_measure(struct hd_path *p, const struct hd_path_seen *seen)
{
	uint64_t us = (uint64_t)seen->rtt_us +
		      (p->keeps_rate ? BBR_PAUSE_US : 0);
	uint64_t room = HD_MIN(seen->rate * us / 1000000,
			       (uint64_t)HD_PATH_ROOM_BYTES);

	if (!is_far(seen))
		room = 0;
	/* its rate goes up and down: what waits is not dropped for that */
	p->room_bytes = (uint32_t)HD_MAX(
		room, (uint64_t)(p->room_bytes - p->room_bytes / 8));
}

const char *hd_path_name(int fd, char ret[static HD_PATH_NAME_BYTES])
{
	socklen_t n = HD_PATH_NAME_BYTES;

	memset(ret, 0, HD_PATH_NAME_BYTES);
	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, ret, &n) < 0)
		ret[0] = '\0';
	ret[HD_PATH_NAME_BYTES - 1] = '\0';
	return ret;
}

bool hd_path_has_bbr(int fd)
{
	char name[HD_PATH_NAME_BYTES];

	return strncmp(hd_path_name(fd, name), "bbr", 3) == 0;
}

int hd_path_set_bbr(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) == 0
		       ? 0
		       : -errno;
}
