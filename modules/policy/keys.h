/* SPDX-License-Identifier: MIT */
/* modules/policy/keys.h - files of keys and of tokens, as rules name them.
 *
 * Files: keys.c texts; keys_file.c files, and when they have changed. */
#pragma once
#include <hyper-derp/base.h>

/* Keys of a file, with names. A line: a key as 64 hexadecimal digits, with or
 * without `nodekey:` before it; then, if wanted, a name up to the end of the
 * line. Empty lines and those that begin with # are skipped. */
struct policy_stamp { /* which version of a file; all 0: there is none */
	uint64_t dev, ino, size;
	int64_t modified_ns, changed_ns;
};

struct policy_keys {
	size_t n;
	struct policy_key {
		struct hd_key key;
		uint32_t name; /* where it begins in names */
	} * v; /* by key */
	char *names; /* each with a NUL */
	size_t bytes; /* of both */
	struct policy_stamp stamp; /* what was read */
};

/* policy_keys_read - when the file stands still; some milliseconds are waited
 * for that. Of a key that is there twice the first line counts.
 * Returns 0; negative with file, line and remedy in err. Main thread: it reads
 * the whole file. */
int policy_keys_read(const char *path, struct policy_keys *ret,
		     struct hd_error *err);
/* policy_keys_parse - the same of a text that ends with NUL.
 * @path  for messages */
int policy_keys_parse(const char *path, const char *text,
		      struct policy_keys *ret, struct hd_error *err);
/* policy_tokens_read, policy_tokens_parse - the same of tokens: a token, then
 * if wanted a blank and a name. Their hashes are the keys; find one's by
 * policy_token_hash(). What was read is wiped. */
int policy_tokens_read(const char *path, struct policy_keys *ret,
		       struct hd_error *err);
int policy_tokens_parse(const char *path, const char *text,
			struct policy_keys *ret, struct hd_error *err);
/* policy_keys_find - the key's name, "" none; NULL: it is not in the file. */
const char *policy_keys_find(const struct policy_keys *keys,
			     const struct hd_key *key);
void policy_keys_free(struct policy_keys *keys);

/* policy_stamp_at - of the file that the path leads to now. */
struct policy_stamp policy_stamp_at(const char *path);
bool policy_stamp_same(const struct policy_stamp *a,
		       const struct policy_stamp *b);

/* policy_count_lines - of a text; one at least. */
size_t policy_count_lines(const char *text);
/* policy_key_parse - 64 hexadecimal digits, `nodekey:` may stand before them.
 * Returns what follows the key, or NULL: no key. */
const char *policy_key_parse(const char *text, struct hd_key *ret);
/* policy_key_text - its 64 digits and a NUL. Returns how many digits. */
enum { POLICY_KEY_TEXT_BYTES = 2 * HD_KEY_BYTES + 1 };
size_t policy_key_text(const struct hd_key *key,
		       char ret[POLICY_KEY_TEXT_BYTES]);
