/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/conf.c - the thread's own copy of the section. Main
 * thread, while the thread does not run. */
#include <errno.h>
#include <hyper-derp/secret.h>
#include <stdlib.h>
#include <string.h>
#include "modules/mesh_nats/mesh_nats.h"

/* The thread's own: a reload replaces the section, also when none of it has
 * changed. */
static struct dir_conf conf;
static const char **const texts[] = {
	&conf.server, &conf.user,    &conf.creds,  &conf.nkey,
	&conf.tlsca,  &conf.tlscert, &conf.tlskey, &conf.region,
	&conf.name,   &conf.dial,    &conf.ca_file
};

static int copy(const char **text)
{
	if (*text == NULL)
		return 0;
	*text = strdup(*text);
	return *text != NULL ? 0 : -ENOMEM;
}

static int copy_secret(struct hd_secret *s)
{
	uint8_t *v;

	if (s->v == NULL)
		return 0;
	v = hd_secret_alloc(s->len_bytes);
	if (v != NULL)
		memcpy(v, s->v, s->len_bytes);
	s->v = v;
	return v != NULL ? 0 : -ENOMEM;
}

static int copy_list(struct hd_list *list)
{
	const char **v = calloc(list->n + 1, sizeof(*v));
	int r = v == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < list->n && v != NULL; i++) {
		v[i] = list->v[i];
		r |= copy(&v[i]);
	}
	list->v = v;
	return r;
}

int dir_conf_take(struct hd_module *mod)
{
	int r = 0;

	conf = *(const struct dir_conf *)hd_module_conf(mod);
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++)
		r |= copy(texts[i]);
	r |= copy_list(&conf.relays);
	r |= copy_secret(&conf.password);
	r |= copy_secret(&conf.token);
	dir.conf = &conf;
	return r != 0 ? -ENOMEM : 0;
}

void dir_conf_drop(void)
{
	for (size_t i = 0; i < HD_ARRAY_N(texts); i++)
		free((char *)*texts[i]);
	for (size_t i = 0; conf.relays.v != NULL && i < conf.relays.n; i++)
		free((char *)conf.relays.v[i]);
	free((void *)conf.relays.v);
	hd_secret_free((void *)conf.password.v);
	hd_secret_free((void *)conf.token.v);
	conf = (struct dir_conf){ 0 };
	dir.conf = NULL;
}
