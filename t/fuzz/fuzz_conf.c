/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_conf.c - any text as a configuration: it is refused with a
 * reason, or what it means can be printed and means the same again. A first
 * byte D stands for --dev. */
#include "core/conf/conf.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct fuzz_part {
	uint64_t number;
	const char *text;
};

struct fuzz_entry {
	struct hd_place at;
	const char *name;
	uint64_t number, choice, time_ms;
	bool flag;
	union hd_addr addr;
	struct hd_key key;
	struct hd_list list;
	HD_ENTRIES_OF(struct fuzz_part) parts;
};

struct fuzz_conf { /* no HD_OPTION_SECRET_FILE: it would read this machine's
		      files */
	bool flag;
	uint64_t number, time_ms, size_bytes, choice;
	const char *text, *path;
	union hd_addr addr;
	struct hd_key key;
	struct hd_list list;
	HD_ENTRIES_OF(struct fuzz_entry) entries;
};

#define ROW_OF(of, text, kind, member, ...)                                    \
	{                                                                      \
		.name = text, .type = kind,                                    \
		.offset = offsetof(struct of, member), __VA_ARGS__             \
	}
static const char *const choices[] = { "one", "two", NULL };

#define ROW(...) ROW_OF(fuzz_part, __VA_ARGS__)
static const struct hd_option parts[] = {
	ROW("number", HD_OPTION_UINT, number, .bare = true, .max = 9),
	ROW("text", HD_OPTION_STRING, text, .def = "x: y"),
	HD_OPTION_END,
};
#undef ROW

#define ROW(...) ROW_OF(fuzz_entry, __VA_ARGS__)
static const struct hd_option entries[] = {
	ROW("", HD_OPTION_PLACE, at),
	ROW("name", HD_OPTION_STRING, name, .bare = true, .required = true),
	ROW("flag", HD_OPTION_BOOL, flag, .def = "on"),
	ROW("number", HD_OPTION_UINT, number, .min = 2, .max = 9),
	ROW("time", HD_OPTION_DURATION_MS, time_ms, .def = "2s"),
	ROW("choice", HD_OPTION_CHOICE, choice, .choices = choices),
	ROW("addr", HD_OPTION_ADDR, addr),
	ROW("key", HD_OPTION_KEY, key),
	ROW("list", HD_OPTION_LIST, list, .choices = choices, .max = 3),
	ROW("parts", HD_OPTION_ENTRIES, parts, .entry = parts,
	    .entry_size = sizeof(struct fuzz_part)),
	HD_OPTION_END,
};
#undef ROW

#define ROW(...) ROW_OF(fuzz_conf, __VA_ARGS__)
static const struct hd_option options[] = {
	ROW("flag", HD_OPTION_BOOL, flag, .def = "on"),
	ROW("number", HD_OPTION_UINT, number, .def = "7", .max = 9,
	    .unit = "things"),
	ROW("time", HD_OPTION_DURATION_MS, time_ms, .def = "2s"),
	ROW("size", HD_OPTION_SIZE_BYTES, size_bytes, .def = "1MiB"),
	ROW("choice", HD_OPTION_CHOICE, choice, .def = "two",
	    .choices = choices),
	ROW("text", HD_OPTION_STRING, text, .def = NULL),
	ROW("path", HD_OPTION_PATH, path, .def = "/x"),
	ROW("addr", HD_OPTION_ADDR, addr, .def = "[::]:3478"),
	ROW("key", HD_OPTION_KEY, key, .def = NULL),
	ROW("list", HD_OPTION_LIST, list, .def = "[a, b]"),
	ROW("entries", HD_OPTION_ENTRIES, entries, .def = "[one, {name: two}]",
	    .entry = entries, .entry_size = sizeof(struct fuzz_entry)),
	HD_OPTION_END,
};

static struct hd_conf *load(const struct hd_conf_cli *cli, const char *text,
			    size_t n)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = NULL;
	struct hd_error err = { "" };
	void *data = NULL;
	int r = hd_conf_load_text(text, n, cli, &conf, &err);

	if (r == 0)
		r = hd_conf_section_fill(conf, "stun", options,
					 sizeof(struct fuzz_conf), &data, &err);
	if (r == 0)
		r = hd_conf_finish(conf, &err);
	hd_assert(r <= 0 && (r == 0) == (err.text[0] == '\0'));
	return r == 0 ? hd_steal(&conf) : NULL;
}

static char *print(const struct hd_conf *conf, size_t *ret_n)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_n);

	hd_assert(file != NULL && hd_conf_print(conf, file) == 0);
	fclose(file);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct hd_conf_cli cli = { .port = -1,
					 .workers = -1,
					 .dev = n > 0 && data[0] == 'D' };
	const char *text = (const char *)data + cli.dev;
	struct hd_conf *a = load(&cli, text, n - cli.dev), *b;
	char *text_a, *text_b;
	struct hd_error err;
	size_t n_a, n_b;

	if (a == NULL)
		return 0;
	text_a = print(a, &n_a);
	b = load(&cli, text_a, n_a);
	if (b == NULL)
		fprintf(stderr, "does not load again:\n%s", text_a);
	hd_assert(b != NULL);
	text_b = print(b, &n_b);
	hd_assert(n_a == n_b && memcmp(text_a, text_b, n_a) == 0);
	hd_assert(hd_conf_live_only(b, b, &err) == 0);
	free(text_a);
	free(text_b);
	hd_conf_free(&a);
	hd_conf_free(&b);
	return 0;
}
