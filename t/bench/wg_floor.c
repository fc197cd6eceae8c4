/* SPDX-License-Identifier: MIT */
/* t/bench/wg_floor.c - the least that a UDP relay in user space can do: what
 * comes from A goes to B and the other way round, in batches, unexamined.
 *
 *   wg_floor PORT A_ADDRESS A_PORT B_ADDRESS B_PORT      (IPv4)
 *
 * Prints "ready" when it is bound; runs until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, PACKET_BYTES = 2048, BUFFER_BYTES = 4 << 20 };

static uint8_t data[BATCH][PACKET_BYTES];
static struct iovec iov[BATCH];
static struct sockaddr_in from[BATCH];
static struct mmsghdr in[BATCH];
static struct sockaddr_in a, b;

static struct sockaddr_in addr(const char *ip, const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, ip, &sin.sin_addr) != 1) {
		fprintf(stderr, "wg_floor: %s is no IPv4 address\n", ip);
		exit(2);
	}
	return sin;
}

static int bound(const char *port)
{
	struct sockaddr_in any = addr("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bytes = BUFFER_BYTES;

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
		perror("wg_floor: bind");
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

static void prepare(void)
{
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], PACKET_BYTES };
		in[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
		};
	}
}

/* The source's slot becomes the destination's: the same headers send. */
static void forward(int fd, int n)
{
	for (int i = 0; i < n; i++) {
		int is_a = from[i].sin_port == a.sin_port &&
			   from[i].sin_addr.s_addr == a.sin_addr.s_addr;

		from[i] = is_a ? b : a;
		iov[i].iov_len = in[i].msg_len;
	}
	for (int done = 0; done < n;) {
		int r = sendmmsg(fd, in + done, (unsigned)(n - done), 0);

		if (r < 0 && errno != EINTR)
			done++; /* that one is lost */
		else if (r > 0)
			done += r;
	}
	for (int i = 0; i < n; i++)
		iov[i].iov_len = PACKET_BYTES;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: wg_floor PORT A A_PORT B B_PORT\n");
		return 2;
	}
	a = addr(argv[2], argv[3]);
	b = addr(argv[4], argv[5]);
	int fd = bound(argv[1]);
	prepare();
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);

		if (n > 0)
			forward(fd, n);
		else if (errno != EINTR)
			return 1;
	}
}
