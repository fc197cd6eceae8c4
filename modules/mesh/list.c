/* SPDX-License-Identifier: MIT */
/* modules/mesh/list.c - lists of members that do not stand in the
 * configuration: made by one thread, then read by all workers. A file has a
 * line for each: what `hdctl mesh add` takes, in other clothes:
 *
 *	derp2.example.com
 *	derp3.example.com:8443 dial=10.0.0.3 ca_file=/etc/hyper-derp/ca.pem
 *	192.0.2.7:3340 pin=sha256-raw:0123...
 *	127.0.0.1:3341 tls=false
 *
 * or only this one:
 *
 *	none
 *
 * since a file with nothing in it, or one that ends within a line, is what a
 * write leaves behind that has failed: it must not cut the region. */
#include "modules/mesh/mesh.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"

struct mesh_list *mesh_list_new(void)
{
	struct mesh_list *list = calloc(1, sizeof(*list));

	if (list != NULL)
		list->refs = 1;
	return list;
}

static void conf_free(struct mesh_member_conf *c)
{
	free((char *)c->name);
	free((char *)c->server);
	free((char *)c->dial);
	free((char *)c->ca_file);
	free((char *)c->pin);
}

void mesh_list_put(struct mesh_list *list)
{
	if (list == NULL ||
	    __atomic_sub_fetch(&list->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < list->n; i++)
		conf_free(&list->v[i]);
	free(list);
}

struct mesh_list *mesh_list_get(struct mesh_list *list)
{
	__atomic_add_fetch(&list->refs, 1, __ATOMIC_RELAXED);
	return list;
}

static bool copy(const char **ret, const char *text)
{
	*ret = text != NULL ? strdup(text) : NULL;
	return text == NULL || *ret != NULL;
}

int mesh_list_add(struct mesh_list *list, const struct mesh_member_conf *c,
		  struct hd_error *err)
{
	struct mesh_member_conf *to = &list->v[list->n];
	struct mesh_member m;
	int r;

	if (list->n == MESH_MEMBERS_MAX)
		return hd_error_set(err, -ENOSPC, "more than %d members",
				    MESH_MEMBERS_MAX);
	r = mesh_member_set(&m, c, NULL, err);
	mesh_member_free(&m);
	if (r < 0)
		return r;
	*to = (struct mesh_member_conf){ .tls = c->tls };
	list->n++; /* freed with the list, also when it is half a one */
	if (copy(&to->name, c->name) && copy(&to->server, c->server) &&
	    copy(&to->dial, c->dial) && copy(&to->ca_file, c->ca_file) &&
	    copy(&to->pin, c->pin))
		return 0;
	return hd_error_set(err, -ENOMEM, "out of memory");
}

/* ---- a file ---- */

static int read_word(struct mesh_member_conf *c, const char *word,
		     struct hd_error *err)
{
	static const char *const names[] = { "dial=", "ca_file=", "pin=" };
	const char **to[] = { &c->dial, &c->ca_file, &c->pin };

	for (unsigned i = 0; i < HD_ARRAY_N(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(word, names[i], n) != 0)
			continue;
		*to[i] = word + n;
		return 0;
	}
	c->tls = strcmp(word, "tls=true") == 0;
	if (c->tls || strcmp(word, "tls=false") == 0)
		return 0;
	return hd_error_set(err, -EINVAL,
			    "`%.80s` is not known; after a member there can "
			    "be dial=, ca_file=, pin= and tls=false",
			    word);
}

/* @rest  of the line `none` */
static int read_none(char *rest, bool *none, struct hd_error *err)
{
	const char *word = strtok_r(NULL, BLANKS, &rest);

	if (word != NULL)
		return hd_error_set(err, -EINVAL,
				    "`%.80s`: there must be nothing after "
				    "`none`",
				    word);
	*none = true;
	return 0;
}

/* @none  set: the line says that there is nobody */
static int read_line(struct mesh_list *list, char *line, bool *none,
		     struct hd_error *err)
{
	struct mesh_member_conf c = { .tls = true };
	char *rest = NULL, *word = strtok_r(line, BLANKS, &rest);
	int r = 0;

	if (word == NULL || word[0] == '#')
		return 0;
	if (strcmp(word, "none") == 0)
		return read_none(rest, none, err);
	c.name = word;
	while (r == 0 && (word = strtok_r(NULL, BLANKS, &rest)) != NULL)
		r = read_word(&c, word, err);
	return r == 0 ? mesh_list_add(list, &c, err) : r;
}

/* What all lines together say. */
static int check_lines(const struct mesh_list *list, bool none,
		       struct hd_error *err)
{
	if (none && list->n > 0)
		return hd_error_set(err, -EINVAL, "`none`, and members");
	if (!none && list->n == 0)
		return hd_error_set(err, -EINVAL,
				    "there is no member in it; a line `none` "
				    "says that there is to be none");
	return 0;
}

static int read_lines(struct mesh_list *list, FILE *f, const char *path,
		      struct hd_error *err)
{
	struct hd_error why = { "" };
	char *line = NULL;
	bool none = false;
	size_t size = 0;
	ssize_t len;
	unsigned n = 0;
	int r = 0;

	while (r == 0 && (len = getline(&line, &size, f)) >= 0) {
		n++;
		r = line[len - 1] != '\n'
			    ? hd_error_set(&why, -EINVAL,
					   "it ends within this line")
			    : read_line(list, line, &none, &why);
	}
	free(line);
	if (r == 0 && ferror(f))
		return hd_error_set(err, -EIO, "%s: cannot be read: %m", path);
	if (r == 0) {
		r = check_lines(list, none, &why);
		n = 1;
	}
	return r < 0 ? hd_error_set(err, r, "%s:%u: %s", path, n, why.text) : 0;
}

int mesh_list_read(const char *path, struct mesh_list **ret_list,
		   struct hd_error *err)
{
	struct mesh_list *list = mesh_list_new();
	FILE *f = fopen(path, "re");
	int r = f == NULL ? hd_error_set(err, -errno, "%s: %s", path,
					 strerror(errno))
			  : 0;

	if (list == NULL)
		r = hd_error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = read_lines(list, f, path, err);
	if (f != NULL)
		fclose(f);
	if (r < 0) {
		mesh_list_put(list);
		return r;
	}
	*ret_list = list;
	return 0;
}
