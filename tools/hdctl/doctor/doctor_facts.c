/* SPDX-License-Identifier: MIT */
/* tools/hdctl/doctor/doctor_facts.c - what is configured, and which relay
 * runs. */
#include <stdlib.h>
#include <string.h>

#include "tools/hdctl/doctor/doctor.h"
#include "tools/hdctl/program.h"

/* As the relay itself takes it, with all defaults; NULL: it does not. */
static json_t *in_effect(const char *config)
{
	char path[4096], *text;
	struct hd_error err;
	json_t *tree = NULL;
	int status;

	if (program_find("hyper-derp", path) == NULL)
		return NULL;
	text = program_output((char *const[]){ path, (char *)"-T",
					       (char *)"-c", (char *)config,
					       NULL },
			      false, &status);
	if (text != NULL && status == 0)
		tree = yaml_tree_parse(text, strlen(text), config, &err);
	free(text);
	return tree;
}

/* One certificate by itself is short for a list of one. */
static void spell_out(json_t *conf)
{
	const char *cert = tree_text(conf, "tls_cert", NULL);
	const char *key = tree_text(conf, "tls_key", NULL);
	json_t *tls = json_object_get(conf, "tls");

	if (cert == NULL || key == NULL)
		return;
	if (!json_is_object(tls)) {
		tls = json_object();
		json_object_set_new(conf, "tls", tls);
	}
	if (json_object_get(tls, "certificates") == NULL)
		json_object_set_new(tls, "certificates", json_array());
	json_array_append_new(json_object_get(tls, "certificates"),
			      json_pack("{s:s, s:s}", "cert", cert, "key",
					key));
}

static void read_conf(struct doctor *d)
{
	struct hd_error err;

	d->conf = in_effect(d->config);
	d->conf_good = d->conf != NULL;
	if (!d->conf_good)
		d->conf = yaml_tree_read(d->config, NULL, &err);
	if (d->conf == NULL)
		d->conf = json_object(); /* the check of it says so */
	if (!d->conf_good)
		spell_out(d->conf);
}

static void find_relay(struct doctor *d)
{
	const char *path = d->socket;

	if (path == NULL)
		path = tree_text(d->conf, "control.socket", NULL);
	if (ask_open(&d->ask, path, &d->no_relay) != HDCTL_OK)
		return;
	if (ask_words(&d->ask, "status", &d->status, &d->no_relay) != HDCTL_OK)
		ask_close(&d->ask);
	d->pid = (pid_t)json_integer_value(json_object_get(d->status, "pid"));
}

void doctor_facts(struct doctor *d)
{
	read_conf(d);
	find_relay(d);
	doctor_find_user(d);
	if (d->host != NULL)
		d->names[d->n_names++] = d->host;
}

void doctor_facts_free(struct doctor *d)
{
	for (size_t i = d->host != NULL; i < d->n_names; i++)
		free((char *)d->names[i]);
	ask_close(&d->ask);
	json_decref(d->status);
	json_decref(d->conf);
}

json_t *doctor_ask(struct doctor *d, const char *words)
{
	struct hd_error err;
	json_t *data = NULL;

	if (d->status == NULL ||
	    ask_words(&d->ask, words, &data, &err) != HDCTL_OK)
		return NULL;
	return data;
}

bool doctor_loads(const struct doctor *d, const char *module)
{
	const json_t *list = tree_get(d->conf, "load_module"), *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		const char *name = json_is_string(entry)
					   ? json_string_value(entry)
					   : tree_text(entry, "name", "");

		if (strcmp(name, module) == 0)
			return true;
	}
	return list == NULL &&
	       (strcmp(module, "derp") == 0 || strcmp(module, "stun") == 0);
}
