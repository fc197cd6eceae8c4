/* SPDX-License-Identifier: MIT */
/* libhd/udp_batch.h - many datagrams by one system call, on a connected socket.
 *
 * Those that are to go are made in the batch, and leave together: at the end of
 * a turn, or when it is full. Of equal size they are one send that the kernel
 * cuts (UDP_SEGMENT), where it can; so it joins those that come (UDP_GRO).
 *
 * Memory is there while packets pass only: hdl_batch_free() when they do
 * not. */
#pragma once
#include <hyper-derp/hd.h>

#define HDL_BATCH_RUNS 16 /* sends that wait */
#define HDL_BATCH_DATAGRAMS 64 /* and datagrams, in all of them */

struct hdl_batch_run { /* datagrams of equal size, but the last, that is not
			  larger */
	uint32_t at, len_bytes, each_bytes;
};

struct hdl_batch {
	uint8_t *out, *in; /* NULL: none is needed now */
	struct hdl_batch_run runs[HDL_BATCH_RUNS];
	uint32_t n_runs, n, out_bytes; /* runs, datagrams, bytes that wait */
	bool gso; /* the kernel cuts */
	bool blocked; /* its buffer is full: POLLOUT will say when not */
};

typedef void hdl_batch_fn(void *arg, uint8_t *p, size_t n);

/* hdl_batch_init - of a socket: asks the kernel what it can, and for buffers.
 * hdl_batch_free - the memory; what waits is lost.
 * hdl_batch_room - where the next datagram may be made, HDP_UDP_MAX_BYTES long.
 * NULL: the batch is full, and the kernel's buffer, too; or no memory.
 * hdl_batch_add - it has been, and has n bytes.
 * hdl_batch_flush - what waits is sent, as far as the kernel takes it. What it
 * refuses otherwise is lost.
 * hdl_batch_read - what has come, each datagram to fn. One that is longer than
 * any of ours is given as HDP_UDP_MAX_BYTES + 1 bytes or more. Returns whether
 * there may be more. */
void hdl_batch_init(struct hdl_batch *b, int fd);
void hdl_batch_free(struct hdl_batch *b);
uint8_t *hdl_batch_room(struct hdl_batch *b, int fd);
void hdl_batch_add(struct hdl_batch *b, size_t n);
void hdl_batch_flush(struct hdl_batch *b, int fd);
bool hdl_batch_read(struct hdl_batch *b, int fd, hdl_batch_fn *fn, void *arg);
