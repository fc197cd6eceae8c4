/* SPDX-License-Identifier: MIT */
/* modules/policy/devices.c - lists of devices in memory, and the last good one
 * of each in state_dir: a relay that starts while the API is down goes on with
 * it. It is a file of keys, so keys.c reads it. */
#include <errno.h>
#include <hyper-derp/state_file.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "modules/policy/devices.h"

/* ---- a list ---- */

struct policy_device_list *policy_device_list_new(const struct hd_key *id,
						  struct policy_keys *keys)
{
	struct policy_device_list *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		policy_keys_free(keys);
		return NULL;
	}
	l->holders = 1;
	l->id = *id;
	l->keys = *keys;
	*keys = (struct policy_keys){ .n = 0 };
	return l;
}

struct policy_device_list *
policy_device_list_hold(struct policy_device_list *list)
{
	if (list != NULL)
		list->holders++;
	return list;
}

void policy_device_list_drop(struct policy_device_list **list)
{
	struct policy_device_list *l = hd_steal(list);

	if (l == NULL || --l->holders > 0)
		return;
	policy_keys_free(&l->keys);
	free(l);
}

static bool same_key(const struct policy_keys *a, const struct policy_keys *b,
		     size_t i)
{
	return memcmp(&a->v[i].key, &b->v[i].key, HD_KEY_BYTES) == 0 &&
	       strcmp(a->names + a->v[i].name, b->names + b->v[i].name) == 0;
}

bool policy_device_list_same(const struct policy_device_list *a,
			     const struct policy_device_list *b)
{
	if (a == NULL || b == NULL || a->keys.n != b->keys.n)
		return false;
	for (size_t i = 0; i < a->keys.n; i++)
		if (!same_key(&a->keys, &b->keys, i))
			return false;
	return true;
}

/* ---- all lists ---- */

struct policy_devices *policy_devices_hold(struct policy_devices *set)
{
	if (set != NULL)
		set->holders++;
	return set;
}

void policy_devices_drop(struct policy_devices **set)
{
	struct policy_devices *s = hd_steal(set);

	if (s == NULL || --s->holders > 0)
		return;
	for (size_t i = 0; i < s->n; i++)
		policy_device_list_drop(&s->v[i]);
	free(s);
}

static bool is_id(const struct hd_key *a, const struct hd_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

struct policy_devices *policy_devices_with(const struct policy_devices *old,
					   struct policy_device_list *list)
{
	size_t n = old != NULL ? old->n : 0;
	struct policy_devices *set =
		calloc(1, sizeof(*set) + (n + 1) * sizeof(set->v[0]));

	if (set == NULL)
		return NULL;
	set->holders = 1;
	for (size_t i = 0; i < n; i++)
		if (!is_id(&old->v[i]->id, &list->id))
			set->v[set->n++] = policy_device_list_hold(old->v[i]);
	set->v[set->n++] = policy_device_list_hold(list);
	return set;
}

static bool is_named(const struct policy_rules *rules, const struct hd_key *id)
{
	for (size_t i = 0; rules != NULL && i < rules->n; i++)
		if (rules->v[i].devices.url != NULL &&
		    is_id(&rules->v[i].devices.id, id))
			return true;
	return false;
}

struct policy_devices *policy_devices_named(const struct policy_devices *old,
					    const struct policy_rules *rules,
					    const struct policy_rules *also)
{
	struct policy_devices *set =
		calloc(1, sizeof(*set) + old->n * sizeof(set->v[0]));

	if (set == NULL)
		return NULL;
	set->holders = 1;
	for (size_t i = 0; i < old->n; i++)
		if (is_named(rules, &old->v[i]->id) ||
		    is_named(also, &old->v[i]->id))
			set->v[set->n++] = policy_device_list_hold(old->v[i]);
	return set;
}

struct policy_device_list *policy_devices_find(const struct policy_devices *set,
					       const struct hd_key *id)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (is_id(&set->v[i]->id, id))
			return set->v[i];
	return NULL;
}

enum policy_listed policy_devices_ask(const struct policy_devices *set,
				      const struct policy_devices_rule *rule,
				      const struct hd_key *key,
				      const char **ret_name)
{
	const struct policy_device_list *l =
		policy_devices_find(set, &rule->id);

	if (l == NULL)
		return POLICY_LISTED_UNKNOWN;
	*ret_name = policy_keys_find(&l->keys, key);
	return *ret_name != NULL ? POLICY_LISTED_YES : POLICY_LISTED_NO;
}

/* ---- on disk ---- */

enum { NAME_BYTES = 48, ID_BYTES = 8 };

/* Its name tells the list: another URL or path is another list. */
static const char *file_name(const struct hd_key *id, char buf[NAME_BYTES])
{
	int n = snprintf(buf, NAME_BYTES, "policy.devices.");

	for (unsigned i = 0; i < ID_BYTES; i++)
		n += snprintf(buf + n, NAME_BYTES - (size_t)n, "%02x",
			      id->b[i]);
	return buf;
}

int policy_device_list_load(const struct policy_devices_rule *rule,
			    struct policy_device_list **ret,
			    struct hd_error *err)
{
	char name[NAME_BYTES], path[PATH_MAX];
	struct policy_keys keys;
	int r;

	*ret = NULL;
	hd_state_file_path(file_name(&rule->id, name), path, sizeof(path));
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return -ENOENT;
	r = policy_keys_read(path, &keys, err);
	if (r < 0)
		return r;
	*ret = policy_device_list_new(&rule->id, &keys);
	return *ret != NULL ? 0 : hd_error_set(err, -ENOMEM, "out of memory");
}

int policy_device_list_save(const struct hd_key *id, const char *text,
			    struct hd_error *err)
{
	char name[NAME_BYTES];

	return hd_state_file_write(file_name(id, name), text, strlen(text),
				   err);
}
