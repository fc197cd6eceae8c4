/* SPDX-License-Identifier: MIT */
/* core/base/json_text.h - JSON written as it comes, into one buffer. Answers
 * are written by one worker after another, and a tree of 100,000 peers would be
 * 200 MB where the text is 30; so this is not jansson, which reads. */
#pragma once
#include <hyper-derp/base.h>

#define HD_JSON_DEPTH_MAX 16

struct hd_json { /* zeroed: empty */
	char *text; /* not terminated */
	size_t len, size;
	size_t limit; /* bytes; 0: none */
	int error; /* -ENOMEM; -EFBIG beyond the limit: the text is worthless */
	unsigned depth;
	char kind[HD_JSON_DEPTH_MAX]; /* what closes each level */
	bool comma; /* something stands before, at this level */
};

void hd_json_free(struct hd_json *j);
/* @name  NULL: no member of an object */
void hd_json_open(struct hd_json *j, const char *name, char kind);
void hd_json_close(struct hd_json *j);
void hd_json_string(struct hd_json *j, const char *name, const char *text);
void hd_json_uint(struct hd_json *j, const char *name, uint64_t n);
void hd_json_int(struct hd_json *j, const char *name, int64_t n);
void hd_json_bool(struct hd_json *j, const char *name, bool on);
void hd_json_double(struct hd_json *j, const char *name, double v);
void hd_json_key(struct hd_json *j, const char *name, const struct hd_key *key);
/* hd_json_raw - text that is JSON already. */
void hd_json_raw(struct hd_json *j, const char *name, const char *json,
		 size_t n);
/* hd_json_put - bytes as they are, between values: a newline. */
void hd_json_put(struct hd_json *j, const char *p, size_t n);
