/* SPDX-License-Identifier: MIT */
/* t/unit/libhd_contact.h - what a relay says of a contact, for tests of libhd
 * that have no relay. */
#pragma once
#include "libhd/inner.h"
#include "t/unit/unit.h"
#include <string.h>

/* @handle  by which the relay names other to h
 * Returns other, as h knows it. */
static inline struct libhd_peer *
contact_put(struct libhd *h, const struct libhd *other, uint32_t handle)
{
	uint8_t frame[HDP_HEADER_BYTES + HDP_CONTACT_BYTES] = { 0 }, *p;
	struct libhd_peer *peer;

	assert_int_equal(libhd_allow(h, &other->id.key, &peer), 0);
	p = hdp_header_put(frame, HDP_CONTACT, HDP_CONTACT_BYTES);
	hdp_put_u32(p, handle);
	memcpy(p + 4, peer->address.v, HD_KEY_BYTES);
	assert_int_equal(hdl_frames(h, frame, sizeof(frame)), sizeof(frame));
	hdl_buf_free(&h->out); /* Allow */
	return peer;
}
