/* SPDX-License-Identifier: MIT */
/* modules/hd/contacts.h - whom a client has allowed, on one connection, and by
 * which handle. Plain memory without pointers into the module: it survives a
 * reload. Context: one thread. */
#pragma once
#include <hyper-derp/base.h>

/* A handle is generation(16) slot(16). A slot whose generations are used up is
 * not used again. Slot 65535 is never used: HDP_NO_HANDLE. */
#define HDP_SLOTS_MAX 65535u

struct hdp_contact {
	struct hd_key key;
	uint16_t generation;
	uint16_t next_free; /* of a free one: slot + 1; 0: the last */
	uint16_t told_s; /* Allowed: the second of the last one, */
	uint8_t told_n; /* and how many in it */
	bool used;
};

/* hdp_contacts - zeroed is empty. */
struct hdp_contacts {
	uint32_t n; /* used */
	uint32_t n_slots, cap;
	uint32_t first_free; /* slot + 1 */
	struct hdp_contact *v;
	uint16_t *order; /* the n used slots, by key */
	uint16_t last; /* the slot found last */
};

/* hdp_contacts_allow - enter a key, or find that it is there.
 * Returns 0; 1 it was there; -ENOSPC there are max, or no slot is left;
 * -ENOMEM. */
int hdp_contacts_allow(struct hdp_contacts *c, const struct hd_key *key,
		       uint32_t max, uint32_t *ret_handle);
/* hdp_contacts_find - Returns the handle, or HDP_NO_HANDLE. */
uint32_t hdp_contacts_find(struct hdp_contacts *c, const struct hd_key *key);
/* hdp_contacts_at - NULL: the handle means nobody, or nobody any more. */
struct hdp_contact *hdp_contacts_at(struct hdp_contacts *c, uint32_t handle);
/* hdp_contacts_forbid - Returns whether the handle meant somebody. */
bool hdp_contacts_forbid(struct hdp_contacts *c, uint32_t handle);
/* hdp_contacts_tell - Returns whether a contact may be told of now: a few times
 * a second, for it decides how often. @now_s  any clock's seconds */
bool hdp_contacts_tell(struct hdp_contacts *c, uint32_t handle, uint64_t now_s);
void hdp_contacts_clear(struct hdp_contacts *c);

/* For another process: every slot, with its handle, whoever it means.
 * hdp_contacts_bytes - how many they are. hdp_contacts_write - so many.
 * hdp_contacts_read - @c what is there is not looked at. Returns 0; -EBADMSG,
 * -ENOMEM: it is empty. */
size_t hdp_contacts_bytes(const struct hdp_contacts *c);
void hdp_contacts_write(const struct hdp_contacts *c, uint8_t *to);
int hdp_contacts_read(struct hdp_contacts *c, const uint8_t *p, size_t n);
