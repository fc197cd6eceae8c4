/* SPDX-License-Identifier: MIT */
/* tools/hdprobe/mesh.c - --mesh: a line for each relay of a region, and one for
 * each way between two of them. */
#include "tools/hdprobe/mesh.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_UNKNOWN = 3, NAME_BYTES = 600 };

/* ---- each relay ---- */

/* Its key, as operators see it in logs. */
static const char *short_key(const struct probe *p, char buf[9])
{
	return sodium_bin2hex(buf, 9, p->server_key.b, 4);
}

/* All checks up to the login become one line. */
static void login(struct mesh_relay *m, struct result *r)
{
	struct report rep;
	char key[9];

	report_init(&rep, stdout, m->label, false, true);
	probe_run_until(&m->p, FACT_LOGIN, &rep);
	m->in = (m->p.facts & FACT_LOGIN) != 0;
	if (rep.worst > V_SKIP)
		result_bad(r, rep.worst,
			   rep.first_remedy[0] ? rep.first_remedy : NULL, "%s",
			   rep.first_bad);
	else if (m->p.peer[0]->health[0] != '\0')
		result_bad(r, V_WARN, "the relay says so itself", "%s",
			   m->p.peer[0]->health);
	else
		result_ok(r, "logged in; the relay's key is %s",
			  short_key(&m->p, key));
	report_clear(&rep);
}

static void check_relays(struct mesh_region *region, struct report *rep)
{
	for (size_t i = 0; i < region->n; i++) {
		struct result r = { .verdict = V_UNKNOWN };

		login(&region->v[i], &r);
		report_add(rep, region->v[i].label, &r);
	}
}

/* ---- each way ---- */

static void no_login(struct result *r, const struct mesh_relay *a,
		     const struct mesh_relay *b)
{
	result_skip(r, "no client at %s", a->in ? b->label : a->label);
}

/* Who has the other's key takes its clients for its own. */
static void one_key(struct result *r, const struct mesh_relay *a)
{
	char key[9];

	result_bad(r, V_FAIL,
		   "is this one relay under two names? else give each a "
		   "derp.key of its own: a relay does not dial its own key",
		   "both have the key %s", short_key(&a->p, key));
}

static void check_way(struct mesh_relay *a, struct mesh_relay *b,
		      struct report *rep)
{
	struct result r = { .verdict = V_UNKNOWN };
	char name[NAME_BYTES];

	(void)snprintf(name, sizeof(name), "%.290s -> %.290s", a->label,
		       b->label);
	if (!a->in || !b->in)
		no_login(&r, a, b);
	else if (memcmp(&a->p.server_key, &b->p.server_key,
			sizeof(a->p.server_key)) == 0)
		one_key(&r, a);
	else
		mesh_pair(a, b, &r);
	report_add(rep, name, &r);
}

static void check_ways(struct mesh_region *region, struct report *rep)
{
	for (size_t i = 0; i < region->n; i++)
		for (size_t j = 0; j < region->n; j++)
			if (i != j)
				check_way(&region->v[i], &region->v[j], rep);
}

/* ---- which relays ---- */

static int read_map(const struct options *opt, struct mesh_region *ret,
		    struct hd_error *err)
{
	bool is_stdin = strcmp(opt->map, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(opt->map, "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int r;

	if (f == NULL)
		return hd_error_set(err, -errno, "%s: %m", opt->map);
	n = getdelim(&text, &size, '\0', f);
	if (n < 0)
		r = hd_error_set(err, -EINVAL, "%s: there is nothing in it",
				 opt->map);
	else
		r = mesh_list_map(opt, text, (size_t)n, ret, err);
	free(text);
	if (!is_stdin)
		fclose(f);
	return r;
}

static int find_relays(const struct options *opt, struct mesh_region *ret,
		       struct hd_error *err)
{
	int r = opt->map != NULL ? read_map(opt, ret, err)
				 : mesh_list_args(opt, ret, err);

	if (r == 0 && ret->n < 2)
		r = hd_error_set(err, -EINVAL,
				 "a region has two relays at least, to check "
				 "what goes between them");
	return r;
}

static int check_all(const struct options *opt, struct mesh_region *region)
{
	struct report rep;
	char target[40];
	int status;

	(void)snprintf(target, sizeof(target), "mesh of %zu relays", region->n);
	report_init(&rep, stdout, target, opt->json, opt->quiet);
	check_relays(region, &rep);
	check_ways(region, &rep);
	report_print_sum(&rep);
	status = report_status(&rep);
	report_clear(&rep);
	return status;
}

int probe_mesh(const struct options *opt)
{
	struct mesh_region region = { 0 };
	struct hd_error err = { "" };
	int status = STATUS_UNKNOWN;

	if (find_relays(opt, &region, &err) < 0)
		fprintf(stderr, "hdprobe: %s\n", err.text);
	else
		status = check_all(opt, &region);
	mesh_list_free(&region);
	return status;
}
