/* SPDX-License-Identifier: MIT */
/* t/fuzz/fuzz_mesh_members.c - any bytes as a file of members, and as DNS'
 * answer about SRV records. What was taken can be dialled, and written down
 * again it is the same list; what was not has a reason. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "modules/mesh/mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

const struct hd_proto mesh_proto = { .name = "mesh" }; /* nobody dials */

/* A file with these bytes. Returns its list, or NULL. */
static struct mesh_list *read_bytes(const void *data, size_t n)
{
	int fd = memfd_create("members", MFD_CLOEXEC);
	struct mesh_list *list = NULL;
	struct hd_error err = { "" };
	char path[32];

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (mesh_list_read(path, &list, &err) < 0 &&
	    (list != NULL || err.text[0] == '\0'))
		abort();
	close(fd);
	return list;
}

static void put_word(FILE *out, const char *name, const char *text)
{
	if (text != NULL)
		fprintf(out, " %s%s", name, text);
}

static void put_member(FILE *out, const struct mesh_member_conf *c)
{
	fputs(c->name, out);
	put_word(out, "dial=", c->dial);
	put_word(out, "ca_file=", c->ca_file);
	put_word(out, "pin=", c->pin);
	fprintf(out, "\ttls=%s\n", c->tls ? "true" : "false");
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_conf(const struct mesh_member_conf *a,
		      const struct mesh_member_conf *b)
{
	return same_text(a->name, b->name) && same_text(a->dial, b->dial) &&
	       same_text(a->ca_file, b->ca_file) && same_text(a->pin, b->pin) &&
	       a->tls == b->tls;
}

static void can_be_dialled(const struct mesh_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct mesh_member m;
		struct hd_error err;

		if (mesh_member_set(&m, &list->v[i], NULL, &err) < 0 ||
		    m.host[0] == '\0' || m.dial[0] == '\0' || m.port == 0)
			abort();
		mesh_member_free(&m);
	}
}

static void write_again(const struct mesh_list *list)
{
	struct mesh_list *again;
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		abort();
	if (list->n == 0)
		fputs("none\n", out);
	for (size_t i = 0; i < list->n; i++)
		put_member(out, &list->v[i]);
	fclose(out);
	again = read_bytes(text, n);
	free(text);
	if (again == NULL || again->n != list->n)
		abort();
	for (size_t i = 0; i < list->n; i++)
		if (!same_conf(&list->v[i], &again->v[i]))
			abort();
	mesh_list_put(again);
}

static void take_answer(const uint8_t *data, size_t n)
{
	struct mesh_list *list = mesh_list_new();
	struct hd_error err = { "" };

	if (list == NULL)
		return;
	if (mesh_dns_take_srv(list, data, n, &err) < 0 && err.text[0] == '\0')
		abort();
	can_be_dialled(list);
	mesh_list_put(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mesh_list *list = read_bytes(data, n);

	if (list != NULL) {
		can_be_dialled(list);
		write_again(list);
		mesh_list_put(list);
	}
	take_answer(data, n);
	return 0;
}
