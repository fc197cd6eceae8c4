/* SPDX-License-Identifier: MIT */
/* core/conf/compat_keys.h - keys of the predecessor's files, as data. */
#pragma once
#include <hyper-derp/base.h>

/* A row per key. What it does, in this order: */
struct hd_old_key {
	const char *key;
	const char *value; /* the row is for this value only */
	const char *to; /* our name for it */
	const char *format; /* of the value under that name */
	const char *module; /* it asks for this module, loaded if present */
	const char *sets; /* YAML that it implies where nothing else is set */
	const char *drops; /* another key that means nothing beside it */
	const char *ignored; /* no effect here: what to know instead */
	const char *refused; /* it kept somebody out: what does so instead. A
				value that is off restricts nobody */
	bool keep; /* it is a key of the module's own section too */
};

#define HD_OLD_KEYS_MAX 64
extern const struct hd_old_key hd_old_keys[];
extern const size_t hd_n_old_keys;

/* Mappings, by path, of which only rows above know the keys; NULL ends. */
extern const char *const hd_old_sections[];
