/* SPDX-License-Identifier: MIT */
/* tools/lib/derpmap.c - one tree, printed as JSON or as YAML.
 * Field names: tailscale tailcfg.DERPMap; Headscale's YAML has the same in
 * lower case. */
#include "tools/lib/derpmap.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <yaml.h>

static void set_text(json_t *o, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_object_set_new(o, name, json_string(text));
}

static json_t *node_tree(const struct derpmap_node *n)
{
	char name[32];
	json_t *o = json_object();

	(void)snprintf(name, sizeof(name), "%da", n->region_id);
	set_text(o, "Name", name);
	json_object_set_new(o, "RegionID", json_integer(n->region_id));
	set_text(o, "HostName", n->host);
	set_text(o, "IPv4", n->ipv4);
	set_text(o, "IPv6", n->ipv6);
	json_object_set_new(o, "DERPPort", json_integer(n->derp_port));
	json_object_set_new(o, "STUNPort", json_integer(n->stun_port));
	if (n->can_port_80)
		json_object_set_new(o, "CanPort80", json_true());
	set_text(o, "CertName", n->cert_name);
	return o;
}

static json_t *map_tree(const struct derpmap_node *n)
{
	char id[16];

	(void)snprintf(id, sizeof(id), "%d", n->region_id);
	return json_pack("{s:{s:{s:i, s:s, s:s, s:[o]}}}", "Regions", id,
			 "RegionID", n->region_id, "RegionCode", n->region_code,
			 "RegionName", n->region_name, "Nodes", node_tree(n));
}

static int print_json(FILE *out, const json_t *tree)
{
	if (json_dumpf(tree, out, JSON_INDENT(2)) < 0)
		return -EIO;
	fputc('\n', out);
	return 0;
}

static int print_map(FILE *out, const struct derpmap_node *n)
{
	json_t *map = map_tree(n);
	int rc = map == NULL ? -ENOMEM : print_json(out, map);

	json_decref(map);
	return rc;
}

static int print_policy(FILE *out, const struct derpmap_node *n)
{
	json_t *policy = json_pack("{s:o}", "derpMap", map_tree(n));
	int rc = policy == NULL ? -ENOMEM : print_json(out, policy);

	json_decref(policy);
	return rc;
}

static int emit_text(yaml_emitter_t *e, const char *text, bool quoted)
{
	yaml_event_t ev;

	return yaml_scalar_event_initialize(
		       &ev, NULL, NULL, (const yaml_char_t *)text,
		       (int)strlen(text), 1, 1,
		       quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
			      : YAML_PLAIN_SCALAR_STYLE) &&
	       yaml_emitter_emit(e, &ev);
}

static int emit_key(yaml_emitter_t *e, const char *name)
{
	char low[64];
	size_t i;

	for (i = 0; name[i] != '\0' && i < sizeof(low) - 1; i++)
		low[i] = (char)tolower((unsigned char)name[i]);
	low[i] = '\0';
	return emit_text(e, low, false);
}

static int emit_number(yaml_emitter_t *e, json_int_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, v);
	return emit_text(e, text, false);
}

static int emit(yaml_emitter_t *e, const json_t *v);

static int emit_list(yaml_emitter_t *e, const json_t *v)
{
	yaml_event_t ev;
	const json_t *item;
	size_t i;
	int ok = yaml_sequence_start_event_initialize(
			 &ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE) &&
		 yaml_emitter_emit(e, &ev);

	json_array_foreach(v, i, item) ok = ok && emit(e, item);
	return ok && yaml_sequence_end_event_initialize(&ev) &&
	       yaml_emitter_emit(e, &ev);
}

static int emit_map(yaml_emitter_t *e, const json_t *v)
{
	yaml_event_t ev;
	const char *name;
	json_t *item;
	int ok = yaml_mapping_start_event_initialize(
			 &ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) &&
		 yaml_emitter_emit(e, &ev);

	json_object_foreach ((json_t *)v, name, item)
		ok = ok && emit_key(e, name) && emit(e, item);
	return ok && yaml_mapping_end_event_initialize(&ev) &&
	       yaml_emitter_emit(e, &ev);
}

static int emit(yaml_emitter_t *e, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return emit_map(e, v);
	case JSON_ARRAY:
		return emit_list(e, v);
	case JSON_INTEGER:
		return emit_number(e, json_integer_value(v));
	case JSON_TRUE:
		return emit_text(e, "true", false);
	default:
		return emit_text(e, json_string_value(v), true);
	}
}

static int emit_document(yaml_emitter_t *e, const json_t *tree)
{
	yaml_event_t ev;

	return yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING) &&
	       yaml_emitter_emit(e, &ev) &&
	       yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1) &&
	       yaml_emitter_emit(e, &ev) && emit(e, tree) &&
	       yaml_document_end_event_initialize(&ev, 1) &&
	       yaml_emitter_emit(e, &ev) &&
	       yaml_stream_end_event_initialize(&ev) &&
	       yaml_emitter_emit(e, &ev);
}

static int print_yaml(FILE *out, const struct derpmap_node *n)
{
	json_t *map = map_tree(n);
	yaml_emitter_t e;
	int ok;

	if (map == NULL || !yaml_emitter_initialize(&e)) {
		json_decref(map);
		return -ENOMEM;
	}
	yaml_emitter_set_output_file(&e, out);
	yaml_emitter_set_width(&e, -1);
	ok = emit_document(&e, map);
	yaml_emitter_delete(&e);
	json_decref(map);
	return ok ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	int (*print)(FILE *out, const struct derpmap_node *node);
} formats[] = {
	{ "json", print_policy },
	{ "yaml", print_yaml },
	{ "tailcat", print_map },
};

int derpmap_print(FILE *out, const char *format,
		  const struct derpmap_node *node, struct hd_error *err)
{
	for (size_t i = 0; i < HD_ARRAY_N(formats); i++) {
		int rc;

		if (strcmp(formats[i].name, format) != 0)
			continue;
		rc = formats[i].print(out, node);
		return rc == 0 ? 0 : hd_error_set(err, rc, "%s", strerror(-rc));
	}
	return hd_error_set(err, -EINVAL,
			    "format '%s': json, yaml and tailcat are known",
			    format);
}
