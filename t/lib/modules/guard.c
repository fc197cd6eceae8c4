/* SPDX-License-Identifier: MIT */
/* t/lib/modules/guard.c - says who may log in (everybody), and starts as often
 * as a file says: load() takes one off the number in it. So a test has it fail
 * where it wants, after a trial that was well. */
#include <errno.h>
#include <hyper-derp/hook.h>
#include <hyper-derp/module.h>
#include <stdio.h>

struct guard_conf {
	const char *loads;
};

static const struct hd_option options[] = {
	{ .name = "loads",
	  .type = HD_OPTION_PATH,
	  .offset = offsetof(struct guard_conf, loads),
	  .example = "/tmp/loads",
	  .help = "a file with the number of times that it starts" },
	HD_OPTION_END,
};

static enum hd_verdict on_admit(struct hd_module *mod, struct hd_worker *w,
				const struct hd_admission *who,
				struct hd_ticket *ticket)
{
	(void)mod;
	(void)w;
	(void)who;
	(void)ticket;
	return HD_VERDICT_PASS;
}

static int take_one(const char *path, struct hd_error *err)
{
	FILE *f = fopen(path, "r+");
	int n = 0;

	if (f == NULL)
		return hd_error_set(err, -ENOENT, "%s is missing", path);
	if (fscanf(f, "%d", &n) == 1 && n > 0) {
		rewind(f);
		fprintf(f, "%d\n", n - 1);
	}
	fclose(f);
	return n > 0 ? 0 : hd_error_set(err, -EPERM, "load() has had enough");
}

static int guard_load(struct hd_module *mod, struct hd_error *err)
{
	const struct guard_conf *conf = hd_module_conf(mod);
	int r = take_one(conf->loads, err);

	return r == 0 ? hd_hook_admit(mod, on_admit, err) : r;
}

HD_MODULE(guard, .version = "1.0", .licence = "MIT",
	  .summary = "lets everybody in", .flags = HD_MODULE_GUARD,
	  .options = options, .conf_size = sizeof(struct guard_conf),
	  .load = guard_load);
