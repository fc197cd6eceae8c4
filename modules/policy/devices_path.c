/* SPDX-License-Identifier: MIT */
/* modules/policy/devices_path.c - where something stands in JSON:
 *
 *   path = step { step }    step = "." name | "[*]"
 *
 * The dot before the first name may be left out. A name is a member of an
 * object; [*] is each element of an array, or each member of an object, for
 * some APIs have their devices by key. There is no more to it. */
#include <errno.h>
#include <string.h>
#include "modules/policy/devices.h"

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* Returns its length; 0: there is none. */
static size_t name_length(const char *text)
{
	size_t n = strcspn(text, ".[]");

	for (size_t i = 0; i < n; i++)
		if (is_control(text[i]))
			return 0;
	return n;
}

/* There is room for it: all of them are no longer than the path. */
static void take_name(struct policy_path *p, size_t *used, const char *name,
		      size_t n)
{
	p->at[p->n] = (uint8_t)*used;
	memcpy(p->text + *used, name, n);
	*used += n + 1;
}

/* Returns what follows the step; NULL: it is none. */
static const char *take_step(struct policy_path *p, size_t *used,
			     const char *text)
{
	size_t n;

	if (strncmp(text, "[*]", 3) == 0) {
		p->at[p->n] = POLICY_EACH;
		return text + 3;
	}
	if (*text == '.')
		text++;
	else if (p->n > 0)
		return NULL;
	n = name_length(text);
	if (n == 0)
		return NULL;
	take_name(p, used, text, n);
	return text + n;
}

int policy_path_parse(const char *text, struct policy_path *ret)
{
	size_t used = 0;

	*ret = (struct policy_path){ .n = 0 };
	if (strlen(text) >= POLICY_PATH_BYTES || *text == '\0')
		return -EINVAL;
	while (*text != '\0') {
		if (ret->n == POLICY_STEPS_MAX)
			return -EINVAL;
		text = take_step(ret, &used, text);
		if (text == NULL)
			return -EINVAL;
		ret->n++;
	}
	return 0;
}

const char *policy_path_step(const struct policy_path *p, unsigned i)
{
	return p->at[i] != POLICY_EACH ? p->text + p->at[i] : NULL;
}

unsigned policy_path_item(const struct policy_path *p)
{
	unsigned n = p->n;

	while (n > 0 && p->at[n - 1] != POLICY_EACH)
		n--;
	return n;
}

static bool same_step(const struct policy_path *a, const struct policy_path *b,
		      unsigned i)
{
	const char *x = policy_path_step(a, i), *y = policy_path_step(b, i);

	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

bool policy_path_beside(const struct policy_path *of,
			const struct policy_path *other)
{
	unsigned n = policy_path_item(of);

	if (policy_path_item(other) != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!same_step(of, other, i))
			return false;
	return true;
}
