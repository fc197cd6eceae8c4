/* SPDX-License-Identifier: MIT */
/* modules/policy/journal.h - the files in which is kept who has used the relay
 * how much: one for each month, which only grows, and is written anew when it
 * has grown too long.
 *
 *   file   "HDACCT1\n" frame*
 *   frame  length of the body, 4 bytes, little endian; its hash, 8 bytes
 *          (SipHash-2-4, key 0); body
 *   body   record*
 *   record 1 id key[32] n tenant[n] n name[n]   an account, or its new name
 *          2 id and one number for each of enum account_what, to be added
 *
 * id: a number that counts accounts up from 0 in the file. id and numbers are
 * varints: 7 bits a byte, the lowest first, bit 7 set where more follow; n is
 * one byte. A frame counts whole or not at all. So of a file that was cut off
 * anywhere all is read that was written before the last frame. Any thread. */
#pragma once
#include <hyper-derp/base.h>

enum account_what { /* their order is that of the file */
		    ACCOUNT_BYTES_IN, /* from the client */
		    ACCOUNT_BYTES_OUT,
		    ACCOUNT_PACKETS_IN,
		    ACCOUNT_PACKETS_OUT,
		    ACCOUNT_DROPS,
		    ACCOUNT_N
};

struct account_counts {
	uint64_t n[ACCOUNT_N];
};

enum { ACCOUNT_NAME_BYTES = 64 }; /* of a tenant and of a key, with its NUL */

/* ---- written ---- */

struct journal { /* bytes to come; zeroed: none */
	uint8_t *v;
	size_t n, size;
	size_t body; /* of the open frame; 0: none is open */
	bool no_memory; /* something is missing: nothing of it counts */
};

/* journal_head - that of a file. journal_account, journal_counts - a record, in
 * a frame of up to 64 KiB. journal_end - the last frame is whole. Returns 0;
 * -ENOMEM. journal_free - it can be used again. */
void journal_head(struct journal *j);
void journal_account(struct journal *j, uint32_t id, const struct hd_key *key,
		     const char *tenant, const char *name);
void journal_counts(struct journal *j, uint32_t id,
		    const struct account_counts *counts);
int journal_end(struct journal *j);
void journal_free(struct journal *j);

/* ---- read ---- */

struct journal_reader { /* what it is told; all of it is borrowed */
	void (*account)(void *arg, uint32_t id, const struct hd_key *key,
			const char *tenant, const char *name);
	void (*counts)(void *arg, uint32_t id,
		       const struct account_counts *counts);
	void *arg;
};

/* journal_read - all frames that are whole.
 * @ret_good  so many bytes were; n: all
 * Returns how many accounts there are; -EPROTO it is no journal. Empty: 0. */
int64_t journal_read(const uint8_t *data, size_t n,
		     const struct journal_reader *to, size_t *ret_good);
/* journal_is_torn - what follows the good part is one frame that was not
 * written to its end, or nothing; else the file is damaged: whole ones follow.
 */
bool journal_is_torn(const uint8_t *rest, size_t n);
