/* SPDX-License-Identifier: MIT */
/* hdctl - operate a running relay. */
#include <hyper-derp/whole.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/hdctl/hdctl.h"
#include "tools/lib/output.h"

static int usage(FILE *out)
{
	fputs("usage: hdctl [--socket PATH] [--json | --csv] [--sort FIELD] "
	      "COMMAND...\n"
	      "Operates a running relay. `hdctl help` lists the commands that "
	      "it offers,\n"
	      "and where none runs those that need none: setup, doctor, "
	      "configure, ...\n\n"
	      "  --socket PATH  the relay's control socket\n"
	      "  --json         answers for programs\n"
	      "  --csv          tables for spreadsheets\n"
	      "  --sort FIELD   tables by a field, the largest first\n\n"
	      "exit status: 0 done, 1 refused, 2 usage, 3 no relay, "
	      "4 not permitted\n"
	      "see hdctl(1)\n",
	      out);
	return out == stdout ? HDCTL_OK : HDCTL_USAGE;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return word != NULL && (strcmp(word, a) == 0 || strcmp(word, b) == 0);
}

static bool is_hdcli(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strcmp(slash != NULL ? slash + 1 : name, "hdcli") == 0;
}

static int run(struct hdctl *h, int argc, char **argv)
{
	if (is_one_of(argv[1], "--help", "-h"))
		return usage(stdout);
	if (is_one_of(argv[1], "--version", "-V")) {
		printf("hdctl %s\n", PACKAGE_VERSION);
		return HDCTL_OK;
	}
	if (argc < 2 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return run_shell(h);
	if (argc < 2 && is_hdcli(argv[0]))
		return run_shell(h);
	if (argc < 2)
		return usage(stderr);
	return hdctl_run(h, (const char *const *)argv + 1, (size_t)argc - 1);
}

int main(int argc, char **argv)
{
	struct hdctl h = { .ask = { .fd = -1 } };
	int status;

	if (hd_stdio_whole() < 0)
		return HDCTL_REFUSED;
	status = run(&h, argc, argv);
	json_decref(h.commands);
	free(h.configure_file);
	ask_close(&h.ask);
	return output_end("hdctl", status, HDCTL_REFUSED);
}
