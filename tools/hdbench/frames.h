/* SPDX-License-Identifier: MIT */
/* tools/hdbench/frames.h - finds the stamps in a stream of DERP frames without
 * gathering frames: of each only the head is looked at, the rest is skipped. */
#pragma once
#include <hyper-derp/derp.h>

struct stamp { /* at the start of each packet of ours; host byte order */
	uint32_t run;
	uint32_t pair;
	uint64_t seq;
	int64_t due_ns; /* when the schedule wanted it sent */
	int64_t sent_ns; /* when the kernel was given it */
};

#define FRAMES_HEAD_BYTES                                                      \
	(DERP_HEADER_BYTES + HD_KEY_BYTES + sizeof(struct stamp))

struct frames {
	uint32_t head_bytes; /* gathered so far */
	uint64_t skip_bytes; /* of the frame before */
	uint8_t head[FRAMES_HEAD_BYTES];
};

/* Bytes of the head that a frame of this length has. */
static inline uint32_t frames_head_of(const struct derp_header *h)
{
	return HD_MIN((uint32_t)FRAMES_HEAD_BYTES,
		      DERP_HEADER_BYTES + h->len_bytes);
}

/* Gathers a head that arrives in pieces. Returns how many bytes were taken;
 * *ret_done tells whether f->head is complete. */
static inline size_t frames_gather(struct frames *f, const uint8_t *p, size_t n,
				   bool *ret_done)
{
	uint32_t want = DERP_HEADER_BYTES;
	struct derp_header h;
	size_t take;

	if (f->head_bytes >= DERP_HEADER_BYTES) {
		h = derp_header_get(f->head);
		want = frames_head_of(&h);
	}
	take = HD_MIN(n, (size_t)(want - f->head_bytes));
	memcpy(f->head + f->head_bytes, p, take);
	f->head_bytes += (uint32_t)take;
	*ret_done = false;
	if (f->head_bytes >= DERP_HEADER_BYTES) {
		h = derp_header_get(f->head);
		*ret_done = f->head_bytes == frames_head_of(&h);
	}
	return take;
}

/* frames_feed - hand in the next bytes of the stream; on_frame() gets each
 * head, of frames_head_of() bytes, borrowed. */
static inline void frames_feed(struct frames *f, const uint8_t *p, size_t n,
			       void (*on_frame)(void *arg, const uint8_t *head,
						struct derp_header h),
			       void *arg)
{
	while (n > 0) {
		size_t take = HD_MIN((uint64_t)n, f->skip_bytes);
		struct derp_header h;
		bool done = true;

		f->skip_bytes -= take;
		p += take;
		n -= take;
		if (f->head_bytes == 0 && n >= FRAMES_HEAD_BYTES) {
			h = derp_header_get(p);
			take = frames_head_of(&h);
			on_frame(arg, p, h);
		} else {
			take = frames_gather(f, p, n, &done);
			if (done) {
				h = derp_header_get(f->head);
				on_frame(arg, f->head, h);
				f->head_bytes = 0;
			}
		}
		if (done && n > 0)
			f->skip_bytes = (uint64_t)DERP_HEADER_BYTES +
					h.len_bytes - frames_head_of(&h);
		p += take;
		n -= take;
	}
}
