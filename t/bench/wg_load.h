/* SPDX-License-Identifier: MIT */
/* t/bench/wg_load.h - the parts of wg_load. */
#pragma once
#include <netinet/in.h>
#include <stdint.h>

enum {
	BATCH = 64,
	KEY_BYTES = 32,
	MAC_BYTES = 6,
	INDEX_A = 0x0a0a0a0a,
	INDEX_B = 0x0b0b0b0b,
};

union addr { /* the port lies at the same place in both */
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct peer {
	int fd;
	union addr addr;
	uint8_t key[KEY_BYTES];
};

struct options {
	union addr relay;
	struct peer a, b;
	int has_keys, checksums;
	unsigned len, window;
	double seconds, rate;
	const char *frames; /* the interface, with that option */
	uint8_t relay_mac[MAC_BYTES];
};
extern struct options o;

void fail(const char *what) __attribute__((noreturn));
double now_s(void);
void put32(uint8_t *p, uint32_t v);
void put64(uint8_t *p, uint64_t v);

/* wg_load_handshake.c */
void handshake(void);

struct result {
	uint64_t sent, received;
	double seconds;
	uint64_t cpu_ns;
};

/* How A's packets leave, and B's are counted. */
struct way {
	void (*open)(void);
	void (*run)(double seconds, struct result *r);
};
extern const struct way by_sockets, by_frames;
