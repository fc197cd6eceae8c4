/* SPDX-License-Identifier: MIT */
/* t/lib/modules/good.c - a module that loads and does nothing; its options are
 * those of doc/guides/module-guide.md. */
#include <errno.h>
#include <hyper-derp/module.h>
#include <string.h>

struct room { /* an entry of `rooms` */
	struct hd_place at;
	const char *name;
	uint64_t seats;
	struct hd_list tags;
};

struct good_conf {
	uint64_t number;
	HD_ENTRIES_OF(struct room) rooms;
};

static const struct hd_option room_options[] = {
	{ .name = "",
	  .type = HD_OPTION_PLACE,
	  .offset = offsetof(struct room, at) },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  .offset = offsetof(struct room, name),
	  .bare = true,
	  .required = true,
	  .help = "what it is called" },
	{ .name = "seats",
	  .type = HD_OPTION_UINT,
	  .offset = offsetof(struct room, seats),
	  .def = "10",
	  .min = 1,
	  .max = 500,
	  .help = "how many may be in it" },
	{ .name = "tags",
	  .type = HD_OPTION_LIST,
	  .offset = offsetof(struct room, tags),
	  .help = "words to find it by" },
	HD_OPTION_END,
};

static const struct hd_option good_options[] = {
	{ .name = "number",
	  .type = HD_OPTION_UINT,
	  .offset = offsetof(struct good_conf, number),
	  .def = "7",
	  .min = 1,
	  .max = 100,
	  .help = "a number",
	  .live = true },
	{ .name = "rooms",
	  .type = HD_OPTION_ENTRIES,
	  .offset = offsetof(struct good_conf, rooms),
	  .help = "which rooms there are",
	  .example = "[hall, {name: attic, seats: 3, tags: [quiet]}]",
	  .live = true,
	  .entry = room_options,
	  .entry_size = sizeof(struct room) },
	HD_OPTION_END,
};

static int check(struct hd_module *mod, const void *data, struct hd_error *err)
{
	const struct good_conf *conf = data;

	(void)mod;
	for (size_t i = 0; i < conf->rooms.n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(conf->rooms.v[i].name,
				   conf->rooms.v[k].name) == 0)
				return hd_error_at(
					&conf->rooms.v[i].at, err, -EEXIST,
					"the room %s is there twice, line %u",
					conf->rooms.v[i].name,
					conf->rooms.v[k].at.line);
	return 0;
}

HD_MODULE(good, .version = "1.0", .licence = "MIT", .summary = "does nothing",
	  .options = good_options, .conf_size = sizeof(struct good_conf),
	  .check = check);
