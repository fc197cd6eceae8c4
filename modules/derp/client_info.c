/* SPDX-License-Identifier: MIT */
/* modules/derp/client_info.c - the JSON in ClientInfo.
 * Source: tailscale 1.102, derp/derp_client.go (struct ClientInfo), read there
 * by encoding/json. The last field is ours: derp_realms.h. */
#include "modules/derp/derp.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: a double holds all below */

/* A whole number; it comes as a real one when decode() had to read so. */
static int read_int(const json_t *v, void *ret)
{
	double real = json_number_value(v);

	if (!json_is_number(v) || real < -EXACT_MAX || real > EXACT_MAX ||
	    real != (double)(int64_t)real)
		return -EBADMSG;
	*(int64_t *)ret = (int64_t)real;
	return 0;
}

static int read_bool(const json_t *v, void *ret)
{
	if (!json_is_boolean(v))
		return -EBADMSG;
	*(bool *)ret = json_is_true(v);
	return 0;
}

/* For the log, so nothing that could forge a line gets through. */
static int read_app_name(const json_t *v, void *ret)
{
	struct derp_client_info *info =
		hd_container_of(ret, struct derp_client_info, app_name);
	const char *text = json_string_value(v);
	size_t n = HD_MIN(json_string_length(v), sizeof(info->app_name) - 1);

	if (text == NULL)
		return -EBADMSG;
	memset(info->app_name, 0, sizeof(info->app_name));
	for (size_t i = 0; i < n; i++)
		info->app_name[i] =
			text[i] > ' ' && text[i] <= '~' ? text[i] : '?';
	return 0;
}

static int read_mesh_key(const json_t *v, void *ret)
{
	struct derp_client_info *info =
		hd_container_of(ret, struct derp_client_info, mesh_key);
	size_t n = json_string_length(v), got;

	if (!json_is_string(v) || n != 2 * HD_KEY_BYTES ||
	    sodium_hex2bin(info->mesh_key.b, HD_KEY_BYTES, json_string_value(v),
			   n, NULL, &got, NULL) != 0 ||
	    got != HD_KEY_BYTES)
		return -EBADMSG;
	info->has_mesh_key = true;
	return 0;
}

struct field {
	const char *name;
	uint32_t offset;
	bool null_ok; /* leaves the field alone; the mesh key's reader fails */
	int (*read)(const json_t *v, void *ret);
};

#define FIELD(name, member, null_ok, read)                                     \
	{                                                                      \
		name, offsetof(struct derp_client_info, member), null_ok, read \
	}
static const struct field fields[] = {
	FIELD("meshKey", mesh_key, false, read_mesh_key),
	FIELD("version", version, true, read_int),
	FIELD("CanAckPings", can_ack_pings, true, read_bool),
	FIELD("IsProber", is_prober, true, read_bool),
	FIELD("AppName", app_name, true, read_app_name),
	FIELD("hyperDerpRealms", knows_realms, true, read_bool),
};

static int read_field(const char *name, const json_t *v,
		      struct derp_client_info *info)
{
	for (size_t i = 0; i < HD_ARRAY_N(fields); i++) {
		const struct field *f = &fields[i];

		if (strcasecmp(name, f->name) != 0)
			continue;
		if (f->null_ok && json_is_null(v))
			return 0;
		return f->read(v, (char *)info + f->offset);
	}
	return 0;
}

/* A field that we do not know may hold a number that no integer of ours
 * holds: then all numbers are read as real ones. */
static json_t *decode(const char *json, size_t len_bytes)
{
	size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t err;
	json_t *v = json_loadb(json, len_bytes, flags, &err);

	if (v == NULL && json_error_code(&err) == json_error_numeric_overflow)
		v = json_loadb(json, len_bytes, flags | JSON_DECODE_INT_AS_REAL,
			       &err);
	return v;
}

static int read_fields(json_t *root, struct derp_client_info *info)
{
	const char *name;
	json_t *v;
	int r;

	json_object_foreach (root, name, v) {
		r = read_field(name, v, info);
		if (r < 0)
			return r;
	}
	return 0;
}

int derp_client_info_parse(const char *json, size_t len_bytes,
			   struct derp_client_info *ret_info)
{
	json_t *root = decode(json, len_bytes);
	int r = -EBADMSG;

	memset(ret_info, 0, sizeof(*ret_info));
	if (json_is_null(root))
		r = 0;
	else if (json_is_object(root))
		r = read_fields(root, ret_info);
	json_decref(root);
	return r;
}
