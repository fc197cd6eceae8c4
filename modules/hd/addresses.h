/* SPDX-License-Identifier: MIT */
/* modules/hd/addresses.h - the addresses of identities that have enrolled: the
 * X25519 form of an Ed25519 key takes half as long as a login by DERP adds to
 * TLS, and clients come again. What is kept is public, and bounded. One for
 * each worker, and its context. */
#pragma once
#include <hyper-derp/base.h>

/* A power of two; 64 bytes each, of which memory is taken as they fill. */
#define HDP_ADDRESSES_N 4096

struct hdp_addresses;

/* hdp_addresses_new - empty. NULL: out of memory.
 * hdp_addresses_free - NULL is nothing. */
struct hdp_addresses *hdp_addresses_new(void);
void hdp_addresses_free(struct hdp_addresses **a);

/* hdp_address_of - of an identity whose signature has been checked: who has not
 * proven an identity must not learn, by the time this takes, that it has been
 * here, nor put others out.
 * @a  NULL: nothing is kept
 * Returns 0; -EINVAL: not a point of the curve, of small order, or not in the
 * group of prime order. */
int hdp_address_of(struct hdp_addresses *a, const uint8_t *identity,
		   struct hd_key *ret);
