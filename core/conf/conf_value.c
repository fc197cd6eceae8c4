/* SPDX-License-Identifier: MIT */
/* core/conf/conf_value.c - a text of the file becomes a value: one function per
 * type of option, found in a table. */
#include "core/base/secret.h"
#include "core/conf/conf_number.h"
#include "core/conf/conf_value.h"
#include <errno.h>
#include <hyper-derp/module.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct setting { /* one option being set */
	struct hd_conf_private *priv;
	const struct hd_option *opt;
	const struct hd_node *node;
	struct hd_error *err;
};

static int fail(const struct setting *s, const char *want)
{
	return hd_node_error(s->node, s->err, "`%s: %.64s` is not %s",
			     s->opt->name, s->node->text, want);
}

static int set_bool(const struct setting *s, void *at)
{
	static const char *const words[] = { "false", "true", "no",
					     "yes",   "off",  "on" };

	for (size_t i = 0; i < HD_ARRAY_N(words); i++)
		if (strcasecmp(s->node->text, words[i]) == 0) {
			*(bool *)at = i % 2 == 1;
			return 0;
		}
	return fail(s, "true or false");
}

static int fail_range(const struct setting *s)
{
	char min[HD_NUMBER_TEXT_BYTES], max[HD_NUMBER_TEXT_BYTES];
	const struct hd_option *opt = s->opt;
	bool unit = opt->type == HD_OPTION_UINT && opt->unit != NULL;

	return hd_node_error(s->node, s->err,
			     "`%s: %.64s` is out of range: %s to %s%s%s",
			     opt->name, s->node->text,
			     hd_number_text(opt->type, (uint64_t)opt->min, min),
			     hd_number_text(opt->type, (uint64_t)opt->max, max),
			     unit ? " " : "", unit ? opt->unit : "");
}

static int set_number(const struct setting *s, void *at)
{
	const struct hd_option *opt = s->opt;
	bool ranged = opt->min != 0 || opt->max != 0;
	uint64_t v;
	int r = hd_number_parse(opt->type, s->node->text, &v);

	if (r == -EINVAL)
		return fail(s, hd_number_form(opt->type));
	if (ranged && (r < 0 || v > INT64_MAX || (int64_t)v < opt->min ||
		       (int64_t)v > opt->max))
		return fail_range(s);
	if (r < 0)
		return fail(s, "a number below 2^64");
	*(uint64_t *)at = v;
	return 0;
}

static int set_string(const struct setting *s, void *at)
{
	*(const char **)at = s->node->text;
	return 0;
}

static int set_addr(const struct setting *s, void *at)
{
	if (hd_addr_parse(s->node->text, at) < 0)
		return fail(s, "an address with a port, as in 0.0.0.0:3340 "
			       "or \"[::]:3340\"");
	return 0;
}

static int set_key(const struct setting *s, void *at)
{
	if (hd_key_parse(s->node->text, at) < 0)
		return fail(s, "a key of 64 hexadecimal digits");
	return 0;
}

/* What -T shows is no value: it would be everybody's. */
static int set_secret_text(const struct setting *s, void *at)
{
	if (strcmp(s->node->text, HD_SECRET_TEXT_SHOWN) == 0)
		return hd_node_error(s->node, s->err,
				     "`%s: %s` stands for a secret that is not "
				     "shown; write the secret",
				     s->opt->name, HD_SECRET_TEXT_SHOWN);
	return set_string(s, at);
}

static int set_secret(const struct setting *s, void *at)
{
	struct hd_conf_secret *keep =
		hd_arena_alloc(&s->priv->arena, sizeof(*keep));
	struct hd_error why = { "" };
	struct hd_secret *secret = at;
	int r;

	if (keep == NULL)
		return -ENOMEM;
	r = hd_secret_read(s->node->text, secret, &why);
	if (r < 0)
		return hd_node_error(s->node, s->err, "`%s`: %s", s->opt->name,
				     why.text);
	keep->v = (void *)secret->v;
	keep->next = s->priv->secrets;
	s->priv->secrets = keep;
	return 0;
}

static size_t names_n(const char *const *names)
{
	size_t n = 0;

	while (names[n] != NULL)
		n++;
	return n;
}

static int fail_choice(const struct setting *s)
{
	const char *const *names = s->opt->choices;
	const char *nearest = hd_near(s->node->text, names, names_n(names));
	char all[256] = "";

	for (size_t i = 0, len = 0; names[i] != NULL && len < sizeof(all); i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s",
					i == 0 ? "" : ", ", names[i]);
	return hd_node_error(
		s->node, s->err, "`%s: %.64s` is not one of %s%s%s%s",
		s->opt->name, s->node->text, all,
		nearest == NULL ? "" : "; did you mean `",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "`?");
}

static int set_choice(const struct setting *s, void *at)
{
	for (uint64_t i = 0; s->opt->choices[i] != NULL; i++)
		if (strcmp(s->node->text, s->opt->choices[i]) == 0) {
			*(uint64_t *)at = i;
			return 0;
		}
	return fail_choice(s);
}

static int fail_count(const struct setting *s, size_t n)
{
	const struct hd_option *opt = s->opt;

	return hd_node_error(s->node, s->err,
			     "`%s` has %zu entries: %jd to %jd can be there",
			     opt->name, n, (intmax_t)opt->min,
			     (intmax_t)opt->max);
}

static int check_count(const struct setting *s, size_t n)
{
	const struct hd_option *opt = s->opt;

	if ((opt->min == 0 && opt->max == 0) ||
	    ((int64_t)n >= opt->min && (int64_t)n <= opt->max))
		return 0;
	return fail_count(s, n);
}

static int list_entry(const struct setting *list, const struct hd_node *node,
		      const char **ret)
{
	const struct setting s = { list->priv, list->opt, node, list->err };
	uint64_t unused;

	if (node->type != HD_NODE_SCALAR)
		return hd_node_error(node, s.err,
				     "an entry of `%s` must be a text",
				     s.opt->name);
	*ret = node->text;
	return s.opt->choices == NULL ? 0 : set_choice(&s, &unused);
}

/* A single text is a list of one. */
static int set_list(const struct setting *s, void *at)
{
	const struct hd_node *node = s->node;
	bool one = node->type == HD_NODE_SCALAR;
	struct hd_list *list = at;
	const char **v;

	v = hd_arena_alloc(&s->priv->arena,
			   (one ? 1 : node->n + 1) * sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	*list = (struct hd_list){ .v = v };
	for (node = one ? node : node->first; node != NULL;
	     node = one ? NULL : node->next) {
		int r = list_entry(s, node, &v[list->n++]);

		if (r < 0)
			return r;
	}
	return check_count(s, list->n);
}

static int set_entries(const struct setting *s, void *at)
{
	int r = hd_entries_set(s->priv, s->opt, s->node, at, s->err);

	return r == 0 ? check_count(s, hd_entries_n(at)) : r;
}

static const struct {
	size_t size;
	int (*set)(const struct setting *s, void *at);
} types[] = {
	[HD_OPTION_BOOL] = { sizeof(bool), set_bool },
	[HD_OPTION_UINT] = { sizeof(uint64_t), set_number },
	[HD_OPTION_DURATION_MS] = { sizeof(uint64_t), set_number },
	[HD_OPTION_SIZE_BYTES] = { sizeof(uint64_t), set_number },
	[HD_OPTION_STRING] = { sizeof(char *), set_string },
	[HD_OPTION_PATH] = { sizeof(char *), set_string },
	[HD_OPTION_ADDR] = { sizeof(union hd_addr), set_addr },
	[HD_OPTION_KEY] = { sizeof(struct hd_key), set_key },
	[HD_OPTION_SECRET_FILE] = { sizeof(struct hd_secret), set_secret },
	[HD_OPTION_CHOICE] = { sizeof(uint64_t), set_choice },
	[HD_OPTION_LIST] = { sizeof(struct hd_list), set_list },
	[HD_OPTION_ENTRIES] = { sizeof(struct hd_list), set_entries },
	[HD_OPTION_PLACE] = { sizeof(struct hd_place), NULL },
	[HD_OPTION_SECRET_TEXT] = { sizeof(char *), set_secret_text },
};

size_t hd_value_size(enum hd_option_type type)
{
	return (unsigned)type < HD_ARRAY_N(types) ? types[type].size : 0;
}

static bool is_list(const struct hd_option *opt)
{
	return opt->type == HD_OPTION_LIST || opt->type == HD_OPTION_ENTRIES;
}

/* The default as if it stood in a file; NULL: unset. */
static int default_node(struct hd_conf_private *priv,
			const struct hd_option *opt, const struct hd_node **ret,
			struct hd_error *err)
{
	static const struct hd_node nowhere = { .file = hd_default_file };
	struct hd_node *top;
	const char *text;
	int r;

	if (opt->def == NULL)
		return 0;
	/* the configuration outlives the code of a module, and its texts */
	text = hd_arena_printf(&priv->arena, "%s", opt->def);
	*ret = hd_node_scalar(&priv->arena, text, &nowhere);
	if (*ret == NULL)
		return -ENOMEM;
	if (!is_list(opt) || opt->def[0] != '[')
		return 0;
	text = hd_arena_printf(&priv->arena, "list: %s", opt->def);
	if (text == NULL)
		return -ENOMEM;
	r = hd_yaml_parse(&priv->arena, text, strlen(text), hd_default_file,
			  &top, err);
	if (r == 0)
		*ret = top->first;
	return r;
}

/* `tls_cert: ""` has always meant none. */
bool hd_is_unset(const struct hd_option *opt, const struct hd_node *node)
{
	return node == NULL ||
	       (opt->type == HD_OPTION_PATH && node->type == HD_NODE_SCALAR &&
		node->text[0] == '\0');
}

int hd_value_set(struct hd_conf_private *priv, const struct hd_option *opt,
		 const struct hd_node *node, void *base, struct hd_error *err)
{
	struct setting s = { priv, opt, node, err };
	int r = 0;

	hd_assert(opt->type < HD_ARRAY_N(types));
	if (hd_is_unset(opt, node)) {
		s.node = NULL;
		r = default_node(priv, opt, &s.node, err);
	}
	if (r < 0 || s.node == NULL)
		return r;
	if (opt->type != HD_OPTION_ENTRIES &&
	    (s.node->type == HD_NODE_MAP ||
	     (s.node->type == HD_NODE_LIST && opt->type != HD_OPTION_LIST)))
		return hd_node_error(s.node, err, "`%s` must be %s", opt->name,
				     opt->type == HD_OPTION_LIST ? "a list"
								 : "one value");
	return types[opt->type].set(&s, (char *)base + opt->offset);
}

bool hd_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const struct hd_list *a, const struct hd_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

bool hd_value_equal(const struct hd_option *opt, const void *base_a,
		    const void *base_b)
{
	const void *a = (const char *)base_a + opt->offset;
	const void *b = (const char *)base_b + opt->offset;
	const struct hd_secret *sa = a, *sb = b;

	switch (opt->type) {
	case HD_OPTION_STRING:
	case HD_OPTION_PATH:
	case HD_OPTION_SECRET_TEXT:
		return hd_same_text(*(const char *const *)a,
				    *(const char *const *)b);
	case HD_OPTION_LIST:
		return same_list(a, b);
	case HD_OPTION_ENTRIES:
		return hd_entries_equal(opt, a, b);
	case HD_OPTION_PLACE:
		return true; /* a line above is no change */
	case HD_OPTION_SECRET_FILE:
		return sa->len_bytes == sb->len_bytes &&
		       (sa->len_bytes == 0 ||
			memcmp(sa->v, sb->v, sa->len_bytes) == 0);
	default:
		return memcmp(a, b, types[opt->type].size) == 0;
	}
}
