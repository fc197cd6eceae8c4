/* SPDX-License-Identifier: MIT */
/* tools/hdcat/loop.h - sockets beside the endpoint: as many as there are, by
 * an epoll instance that libhd_poll() waits for. */
#pragma once
#include "tools/hdcat/hdcat.h"

/* watch - a descriptor; events: what is waited for, 0: it is not in epoll, so
 * that one which has ended and is not read wakes nobody. */
struct watch {
	int fd;
	uint32_t events;
	void (*ready)(struct watch *w, uint32_t events);
};

/* loop_open - Returns 0; -1, having said why. SIGINT and SIGTERM end the
 * program well from now on. loop_close - the other way.
 * loop_turn - wait, at most until until_ms, 0: for ever; tell who is ready.
 * watch_set - wait for other events. Returns 0; negative errno.
 * watch_close - and the fd is -1 then. */
int loop_open(struct hdcat *c);
void loop_close(void);
void loop_turn(struct hdcat *c, int64_t until_ms);
int watch_set(struct watch *w, uint32_t events);
void watch_close(struct watch *w);
