/* SPDX-License-Identifier: MIT */
/* tools/hdctl/setup/setup_start.c - the relay takes it: one that runs reloads,
 * systemd starts it, or its command is said. Then hdprobe looks. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/hdctl/program.h"
#include "tools/hdctl/setup/setup.h"

enum { WAIT_MS = 20000, STEP_MS = 100 };

#define UNIT "hyper-derp.service"

static const char *socket_of(const struct setup *s)
{
	const json_t *path = tree_get(s->want, "control.socket");

	if (s->h->socket != NULL)
		return s->h->socket;
	if (path == NULL)
		path = tree_get(s->others, "control.socket");
	return path != NULL ? json_string_value(path)
			    : "/run/hyper-derp/control.sock";
}

/* Whether a relay runs with this very configuration. */
static bool is_running(struct setup *s)
{
	char ours[4096], theirs[4096];
	struct hd_error err;
	json_t *status = NULL;
	bool same = false;

	ask_close(&s->h->ask);
	if (ask_open(&s->h->ask, socket_of(s), &err) != HDCTL_OK)
		return false;
	if (ask_words(&s->h->ask, "status", &status, &err) == HDCTL_OK)
		same = realpath(s->w.config, ours) != NULL &&
		       realpath(tree_text(status, "config", ""), theirs) !=
			       NULL &&
		       strcmp(ours, theirs) == 0;
	json_decref(status);
	return same;
}

static int wait_for_relay(struct setup *s, bool *ret_runs)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };

	*ret_runs = is_running(s);
	for (int ms = 0; !*ret_runs && ms < WAIT_MS; ms += STEP_MS) {
		nanosleep(&step, NULL);
		*ret_runs = is_running(s);
	}
	return *ret_runs
		       ? HDCTL_OK
		       : hdctl_fail(HDCTL_NO_DAEMON,
				    "no relay with %s answers at %s after "
				    "%d s: journalctl -u hyper-derp says why",
				    s->w.config, socket_of(s), WAIT_MS / 1000);
}

/* ---- systemd ---- */

/* `make install` alone brings no unit. */
static bool has_unit(char *systemctl)
{
	int status = -1;

	free(program_output((char *const[]){ systemctl, (char *)"cat",
					     (char *)"--no-pager",
					     (char *)UNIT, NULL },
			    true, &status));
	return status == 0;
}

static bool has_systemd(const struct setup *s, char path[4096])
{
	if (strcmp(s->w.config, HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml") ||
	    access("/run/systemd/system", F_OK) < 0)
		return false;
	return program_find("systemctl", path) != NULL && has_unit(path);
}

static int systemctl(char *path, const char *verb, const char *option)
{
	int r;

	printf("\nsystemctl %s%s%s %s\n", verb, option != NULL ? " " : "",
	       option != NULL ? option : "", UNIT);
	r = program_run(option != NULL
				? (char *const[]){ path, (char *)verb,
						   (char *)option, (char *)UNIT,
						   NULL }
				: (char *const[]){ path, (char *)verb,
						   (char *)UNIT, NULL });
	return r == 0 ? HDCTL_OK
		      : hdctl_fail(HDCTL_REFUSED, "systemctl ends with %d: "
				   "journalctl -u hyper-derp says why", r);
}

/* ---- one that runs ---- */

/* Whoever goes from some clients to all means it: hence --force. */
static int change_module(struct setup *s, bool load, const char *name)
{
	const char *words[] = { "module", load ? "load" : "unload", name,
				"--force" };
	struct hd_error err;
	json_t *data = NULL;
	int r = ask(&s->h->ask, words, load ? 3 : 4, &data, &err);

	json_decref(data);
	return r == HDCTL_OK ? r
			     : hdctl_fail(r, "module %s %s: %s", words[1],
					  name, err.text);
}

static bool is_loaded(const json_t *all, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(all, i, row)
		if (strcmp(tree_text(row, "name", ""), name) == 0)
			return true;
	return false;
}

/* Those that the configuration lists, and no others of ours. Before the reload:
 * without its module a section that keeps clients out is refused, and one that
 * stays with its module, but without rules, would let nobody in. */
static int change_modules(struct setup *s)
{
	static const char *const ours[] = { "derp", "stun", "policy", "acme" };
	json_t *all = NULL;
	int r = hdctl_ask(s->h, "module status", &all);

	for (size_t i = 0; r == HDCTL_OK && i < HD_ARRAY_N(ours); i++) {
		bool wanted = setup_wants(s, ours[i]);

		if (wanted != is_loaded(all, ours[i]))
			r = change_module(s, wanted, ours[i]);
	}
	json_decref(all);
	return r;
}

static int restart(struct setup *s, const char *why, bool *ret_runs)
{
	char path[4096];
	int r;

	*ret_runs = false;
	printf("\nthe relay that runs cannot take it: %s\n", why);
	if (!has_systemd(s, path))
		return hdctl_fail(HDCTL_REFUSED, "stop the relay and start it "
						 "again");
	r = systemctl(path, "restart", NULL);
	return r == HDCTL_OK ? wait_for_relay(s, ret_runs) : r;
}

/* Some options are not live: the relay names them. */
static int reload(struct setup *s, bool *ret_runs)
{
	struct hd_error err;
	json_t *data = NULL;
	int r = change_modules(s);

	if (r != HDCTL_OK)
		return restart(s, "its modules", ret_runs);
	r = ask_words(&s->h->ask, "reload", &data, &err);
	json_decref(data);
	if (r != HDCTL_OK)
		return restart(s, err.text, ret_runs);
	puts("\nthe relay has taken it (hdctl reload)");
	return r;
}

/* ---- from outside ---- */

enum { PROBE_FAILED = 2, PROBE_COULD_NOT = 3 }; /* how hdprobe ends */

static enum setup_seen probe(struct setup *s)
{
	char path[4096], to[300], stun[16];
	bool v6 = strchr(s->w.host, ':') != NULL;

	if (program_find("hdprobe", path) == NULL) {
		puts("\nhdprobe is not installed (hyper-derp-tools): nothing "
		     "looked at it from outside");
		return SETUP_WELL;
	}
	(void)snprintf(to, sizeof(to), "%s%s%s:%d", v6 ? "[" : "", s->w.host,
		       v6 ? "]" : "", setup_port(s));
	(void)snprintf(stun, sizeof(stun), "%d", setup_stun_port(s));
	const char *words[7] = { path };
	size_t n = 1;

	if (s->self_signed)
		words[n++] = "--insecure";
	words[n++] = setup_wants(s, "stun") ? "--stun-port" : "--no-stun";
	if (setup_wants(s, "stun"))
		words[n++] = stun;
	if (setup_wants(s, "policy"))
		words[n++] = "--known-only";
	words[n++] = to;
	puts("\nas a client sees it from here (hdprobe):");
	int end = program_run((char *const *)words);
	return end == PROBE_FAILED || end == PROBE_COULD_NOT ? SETUP_UNUSABLE
							     : SETUP_WELL;
}

static void say_command(const struct setup *s)
{
	bool usual = strcmp(s->w.config, HD_SYSCONF_DIR
			    "/hyper-derp/hyper-derp.yaml") == 0;

	printf("\nsystemd does not start it here; start it with: "
	       "hyper-derp%s%s\n",
	       usual ? "" : " -c ", usual ? "" : s->w.config);
}

static int start(struct setup *s, bool *ret_runs)
{
	char path[4096];
	int r = HDCTL_OK;

	*ret_runs = is_running(s);
	if (*ret_runs) {
		if (setup_changes(s))
			r = reload(s, ret_runs);
	} else if (has_systemd(s, path)) {
		r = systemctl(path, "enable", "--now");
		if (r == HDCTL_OK)
			r = wait_for_relay(s, ret_runs);
	} else {
		say_command(s);
	}
	return r;
}

/* Of a temporary certificate hdprobe could only say what is known. */
static enum setup_seen look(struct setup *s)
{
	return setup_by_acme(s) && !setup_wait_cert(s) ? SETUP_NO_CERT
						       : probe(s);
}

int setup_start(struct setup *s, enum setup_seen *ret_seen)
{
	int r = start(s, &s->runs);

	*ret_seen = s->runs ? look(s) : SETUP_WELL;
	return r;
}
