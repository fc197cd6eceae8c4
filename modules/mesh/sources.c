/* SPDX-License-Identifier: MIT */
/* modules/mesh/sources.c - members of a file and of DNS. The first worker has
 * them looked at by a helper thread from time to time, and gives what has
 * changed to all workers.
 *
 *   timer --> job (helper thread): stat, read; resolve --> lists --> workers
 *
 * What cannot be read changes nothing: the members of before stay. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/task.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOK_MS = 500 };

struct job {
	char *path, *name; /* NULL: not to be looked at now */
	struct mesh_stamp read, seen; /* of the file: before, and now */
	struct mesh_list *list[MESH_SOURCES]; /* NULL: as before */
	struct hd_error error[MESH_SOURCES]; /* "": none */
};

static void job_free(void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < MESH_SOURCES; i++)
		mesh_list_put(j->list[i]);
	free(j->path);
	free(j->name);
	free(j);
}

/* ---- in a helper thread ---- */

static struct mesh_stamp stamp_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct mesh_stamp){ 0 };
	return (struct mesh_stamp){
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.s = st.st_mtim.tv_sec,
		.ns = st.st_mtim.tv_nsec,
	};
}

static bool same(const struct mesh_stamp *a, const struct mesh_stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->s == b->s &&
	       a->ns == b->ns;
}

/* A file that changes is read when it has rested for one look; the first time
 * at once. */
static void look_at_file(struct job *j)
{
	struct mesh_stamp now = stamp_at(j->path);
	bool rests = same(&now, &j->seen) || j->read.ino == 0;

	j->seen = now;
	if (!rests || (same(&now, &j->read) && now.ino != 0))
		return;
	if (mesh_list_read(j->path, &j->list[MESH_FROM_FILE],
			   &j->error[MESH_FROM_FILE]) == 0 ||
	    now.ino != 0)
		j->read = now; /* also of one that is wrong: said once */
}

static void work(struct hd_module *mod, void *arg)
{
	struct job *j = arg;

	(void)mod;
	if (j->path != NULL)
		look_at_file(j);
	if (j->name != NULL)
		mesh_dns_ask(j->name, &j->list[MESH_FROM_DNS],
			     &j->error[MESH_FROM_DNS]);
}

/* ---- to all workers ---- */

struct handed {
	enum mesh_source source;
	struct mesh_list *list;
};

static void handed_free(void *arg)
{
	struct handed *h = arg;

	mesh_list_put(h->list);
	free(h);
}

static void take_here(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct handed *h = arg;

	mesh_links_take(mod, w, h->source, h->list);
	handed_free(h);
}

static void hand_out(struct hd_module *mod, enum mesh_source source,
		     struct mesh_list *list)
{
	for (unsigned i = 0; i < hd_workers(); i++) {
		struct handed *h = malloc(sizeof(*h));

		if (h == NULL) {
			hd_log_error("mesh: not all members are dialled: out "
				     "of memory");
			return;
		}
		h->source = source;
		h->list = mesh_list_get(list);
		hd_post(mod, hd_worker_at(i), take_here, h, handed_free);
	}
}

/* ---- in the first worker ---- */

static const struct mesh_conf *conf_of(struct hd_module *mod,
				       struct hd_worker *w)
{
	return hd_module_worker_conf(mod, w);
}

static bool is_new_error(struct mesh_worker *mw, unsigned source,
			 const char *text)
{
	char *old = mw->error[source];

	if (strncmp(old, text, sizeof(mw->error[0]) - 1) == 0)
		return false;
	strncpy(old, text, sizeof(mw->error[0]) - 1);
	return text[0] != '\0';
}

static bool differs(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

static void drop(struct job *j, char **what, enum mesh_source source)
{
	free(*what);
	*what = NULL;
	mesh_list_put(j->list[source]);
	j->list[source] = NULL;
}

/* The configuration has changed while it looked. */
static void drop_stale(struct job *j, const struct mesh_conf *conf)
{
	if (differs(j->path, conf->members_file))
		drop(j, &j->path, MESH_FROM_FILE);
	if (j->name != NULL && differs(j->name, conf->members_dns))
		drop(j, &j->name, MESH_FROM_DNS);
}

static void looked(struct hd_module *mod, struct hd_worker *w, void *arg)
{
	struct mesh_worker *mw = mesh_here(mod, w);
	struct job *j = arg;

	mw->looking = false;
	drop_stale(j, conf_of(mod, w));
	if (j->path != NULL) {
		mw->read = j->read;
		mw->seen = j->seen;
	}
	for (unsigned i = 0; i < MESH_SOURCES; i++) {
		if (is_new_error(mw, i, j->error[i].text))
			hd_log_error("mesh: members cannot be taken, the old "
				     "ones stay: %s",
				     j->error[i].text);
		if (j->list[i] != NULL)
			hand_out(mod, (enum mesh_source)i, j->list[i]);
	}
	job_free(j);
}

static int copy(char **ret, const char *text)
{
	*ret = text != NULL ? strdup(text) : NULL;
	return text != NULL && *ret == NULL ? -ENOMEM : 0;
}

static void look(struct hd_module *mod, struct hd_worker *w, void *unused)
{
	const struct mesh_conf *conf = conf_of(mod, w);
	struct mesh_worker *mw = mesh_here(mod, w);
	uint64_t now_ms = hd_now_ms(w);
	bool ask = conf->members_dns != NULL && now_ms >= mw->ask_ms;
	struct job *j;

	(void)unused;
	hd_timer_set(mw->timer, LOOK_MS);
	if (mw->looking || (conf->members_file == NULL && !ask))
		return;
	j = calloc(1, sizeof(*j));
	if (j == NULL || copy(&j->path, conf->members_file) < 0 ||
	    copy(&j->name, ask ? conf->members_dns : NULL) < 0) {
		if (j != NULL)
			job_free(j);
		return; /* the next look may have more */
	}
	j->read = mw->read;
	j->seen = mw->seen;
	mw->looking = hd_task(mod, w, work, looked, j, job_free) == 0;
	if (mw->looking && ask)
		mw->ask_ms = now_ms + conf->refresh_ms;
}

int mesh_sources_start(struct hd_module *mod, struct hd_worker *w)
{
	struct mesh_worker *mw = mesh_here(mod, w);

	if (hd_worker_index(w) != 0)
		return 0;
	mw->looking = false;
	mw->timer = hd_timer_new(mod, w, look, NULL);
	if (mw->timer == NULL)
		return -ENOMEM;
	hd_timer_set(mw->timer, 1);
	return 0;
}

/* What is not named any more has no members. */
static void forget(struct hd_module *mod, enum mesh_source source)
{
	struct mesh_list *none = mesh_list_new();

	if (none != NULL)
		hand_out(mod, source, none);
	mesh_list_put(none);
}

void mesh_sources_changed(struct hd_module *mod, struct hd_worker *w,
			  const struct mesh_conf *old)
{
	const struct mesh_conf *conf = conf_of(mod, w);
	struct mesh_worker *mw = mesh_here(mod, w);

	if (hd_worker_index(w) != 0)
		return;
	if (differs(old->members_file, conf->members_file)) {
		mw->read = mw->seen = (struct mesh_stamp){ 0 };
		if (conf->members_file == NULL)
			forget(mod, MESH_FROM_FILE);
	}
	if (differs(old->members_dns, conf->members_dns) &&
	    conf->members_dns == NULL)
		forget(mod, MESH_FROM_DNS);
	mw->ask_ms = 0;
	hd_timer_set(mw->timer, 1);
}
