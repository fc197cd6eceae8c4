/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp_help.h - the XDP program on raw frames, by BPF_PROG_TEST_RUN.
 *
 * In a network namespace of its own: eth0 and eth1, with neighbours that are
 * known (alice .10, bob .20 on eth0, carol .30 on eth1) and others that are
 * not. */
#pragma once
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/wg_relay.skel.h"
#include "modules/wg/xdp_private.h"
#include "t/unit/unit.h"
#include "t/unit/wg_xdp_frame.h"

enum { PORT = 51820, INDEX = 0x01020304 };

extern struct wg_xdp *xdp;
extern uint32_t eth0, eth1;

/* xdp_main - the namespace, then the tests, or the reason why not. */
int xdp_main(const char *name, const struct CMUnitTest *tests, size_t n,
	     CMFixtureFunction setup, CMFixtureFunction teardown);
/* Open the fast path on both interfaces, in skb mode; close it. */
int xdp_up(void **state);
int xdp_down(void **state);

struct frame_spec alice4(void);
struct frame_spec alice6(void);
union hd_addr addr(const char *ip, uint16_t port);
struct wg_path path(const char *from, const char *in, const char *out,
		    const char *to);
struct wg_path alice_to_bob4(void);
struct wg_path alice_to_bob6(void);

/* Returns the verdict. */
uint32_t run_frame(const struct frame *in, struct frame *out);
uint64_t counter_at(size_t offset);
/* The route to bob and alice means these tags. */
void tags_of(uint32_t tags);

/* The verdict on the frame, which stays as it was, and the counter it moves. */
void left_alone(const struct frame_spec *spec, uint32_t verdict, size_t counter,
		int line);
#define COUNTER(name) offsetof(struct wg_relay_stats, name)
#define passes(spec, name) left_alone(spec, XDP_PASS, COUNTER(name), __LINE__)
#define drops(spec, name) left_alone(spec, XDP_DROP, COUNTER(name), __LINE__)
/* Wait until the program's clock moves: it asks for each route once a tick. */
void next_tick(void);
/* Passed, and not even looked at. */
void not_ours(const struct frame_spec *spec);
