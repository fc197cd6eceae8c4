/* SPDX-License-Identifier: MIT */
/* core/conf/conf.c - load a configuration: file, defaults of --dev, keys of the
 * predecessor, flags, tables, lists; then the sections of modules. */
#include "core/conf/compat_flags.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <hyper-derp/module.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH HD_SYSCONF_DIR "/hyper-derp/hyper-derp.yaml"

/* ---- --dev ---- */

/* modules.d beside the program, as a build tree has it. */
static const char *dev_module_path(struct hd_arena *arena)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *path;
	char *slash;

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	path = hd_arena_printf(arena, "%s/modules.d", exe);
	return path != NULL && access(path, X_OK) == 0 ? path : NULL;
}

static const char *dev_state_dir(struct hd_arena *arena)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (state != NULL && state[0] == '/')
		return hd_arena_printf(arena, "%s/hyper-derp-dev", state);
	if (home != NULL && home[0] == '/')
		return hd_arena_printf(arena, "%s/.local/state/hyper-derp-dev",
				       home);
	return hd_arena_printf(arena, "/tmp/hyper-derp-dev.%u",
			       (unsigned)geteuid());
}

static int dev_put(struct hd_conf_private *priv, const char *key,
		   const char *text)
{
	static const struct hd_node flag = { .file = "--dev" };
	struct hd_node *node;

	if (text == NULL || hd_node_get(priv->root, key) != NULL)
		return 0;
	node = hd_node_scalar(&priv->arena, text, &flag);
	if (node == NULL)
		return -ENOMEM;
	return hd_node_put(&priv->arena, priv->root, key, node);
}

static void forget_lines(struct hd_node *node)
{
	node->line = 0;
	for (struct hd_node *i = node->first; i != NULL; i = i->next)
		forget_lines(i);
}

/* For --print-example without a file. */
static int example_modules(struct hd_conf_private *priv, struct hd_error *err)
{
	struct hd_node *top = NULL;
	int r = hd_yaml_parse(&priv->arena, hd_example_modules,
			      strlen(hd_example_modules), "--print-example",
			      &top, err);

	if (r < 0)
		return r;
	forget_lines(top);
	hd_merge_defaults(priv->root, top);
	return 0;
}

/* Fill what no file has set. */
static int dev_defaults(struct hd_conf_private *priv, struct hd_error *err)
{
	struct hd_node *top = NULL;
	int r = hd_yaml_parse(&priv->arena, hd_dev_defaults,
			      strlen(hd_dev_defaults), "--dev", &top, err);

	if (r < 0)
		return r;
	forget_lines(top);
	if (hd_node_get(priv->root, "port") != NULL)
		hd_node_remove(top, hd_node_get(top, "listen"));
	hd_merge_defaults(priv->root, top);
	r = dev_put(priv, "state_dir", dev_state_dir(&priv->arena));
	if (r == 0)
		r = dev_put(priv, "module_path", dev_module_path(&priv->arena));
	return r;
}

/* ---- flags ---- */

int hd_flag_put(struct hd_conf_private *priv, const char *flag,
		const char *path, const char *text)
{
	const struct hd_node at = { .file = flag };
	struct hd_node *node = hd_node_find(priv->root, path);

	if (node != NULL) { /* the flag wins */
		node->type = HD_NODE_SCALAR;
		node->text = text;
		node->plain = false;
		node->file = flag;
		node->line = 0;
		return 0;
	}
	node = hd_node_scalar(&priv->arena, text, &at);
	if (node == NULL)
		return -ENOMEM;
	return hd_node_put(&priv->arena, priv->root, path, node);
}

static int apply_flags(struct hd_conf_private *priv,
		       const struct hd_conf_cli *cli)
{
	const char *workers =
		cli->workers < 0
			? NULL
			: hd_arena_printf(&priv->arena, "%d", cli->workers);
	const struct {
		const char *flag, *path, *text;
	} flags[] = {
		{ "--workers", "workers", workers },
		{ "--log-level", "log.level", cli->log_level },
		{ "--module-path", "module_path", cli->module_path },
		{ "--state-dir", "state_dir", cli->state_dir },
		{ "--event-backend", "event_backend", cli->event_backend },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < HD_ARRAY_N(flags); i++)
		if (flags[i].text != NULL)
			r = hd_flag_put(priv, flags[i].flag, flags[i].path,
					flags[i].text);
	return r;
}

/* ---- load ---- */

static int fill_core(struct hd_conf *conf, struct hd_error *err)
{
	int r = 0;

	for (const struct hd_core_section *s = hd_core_sections;
	     r == 0 && s->table != NULL; s++) {
		const struct hd_node *map =
			s->name == NULL
				? conf->priv->root
				: hd_node_get(conf->priv->root, s->name);

		r = hd_table_fill(conf->priv, s->table, map, conf, err);
	}
	return r;
}

static void warn_plain(const struct hd_conf *conf)
{
	for (size_t i = 0; i < conf->n_listen; i++)
		if (conf->listen[i].tls)
			return;
	if (conf->n_listen > 0 && hd_log_on(HD_LOG_WARN))
		hd_log_write(HD_LOG_WARN,
			     "no listener has TLS: DERP clients want "
			     "it; set tls_cert and tls_key");
}

/* `load_module: derp` is a list of one, to which others are added. */
static int list_of_one(struct hd_conf_private *priv, const char *key)
{
	struct hd_node *node = hd_node_get(priv->root, key), *item;

	if (node == NULL || node->type != HD_NODE_SCALAR)
		return 0;
	item = hd_node_scalar(&priv->arena, node->text, node);
	if (item == NULL)
		return -ENOMEM;
	node->type = HD_NODE_LIST;
	hd_node_add(node, item);
	return 0;
}

/* Everything after the files are read into the tree. */
static int build(struct hd_conf *conf, const struct hd_conf_cli *cli,
		 struct hd_error *err)
{
	const struct hd_instead instead = { cli->instead, cli->n_instead };
	struct hd_conf_private *priv = conf->priv;
	int r = hd_compat_flags(priv, cli, err);

	conf->dev = cli->dev;
	if (r == 0)
		r = list_of_one(priv, "load_module");
	if (r == 0 && cli->example)
		r = example_modules(priv, err);
	if (r == 0)
		r = hd_compat_apply(priv, err);
	/* now that load_module is there: what is enabled comes on top */
	if (r == 0 && priv->includes_default != NULL)
		r = hd_merge_default_include(
			&priv->arena, &instead, priv->includes_default,
			priv->root, err);
	if (r == 0 && cli->dev)
		r = dev_defaults(priv, err);
	if (r == 0)
		r = hd_conf_check_sections(priv->root, err);
	if (r == 0)
		r = apply_flags(priv, cli);
	if (r == 0)
		r = fill_core(conf, err);
	if (r == 0)
		r = hd_conf_lists(conf, cli, err);
	if (r == 0)
		r = hd_conf_check_keys(conf, cli->is_module, err);
	if (r == 0)
		warn_plain(conf);
	return r == -ENOMEM ? hd_error_set(err, r, "out of memory") : r;
}

static struct hd_conf *conf_new(void)
{
	struct hd_conf *conf = calloc(1, sizeof(*conf));

	if (conf == NULL)
		return NULL;
	conf->priv = calloc(1, sizeof(*conf->priv));
	if (conf->priv != NULL)
		conf->priv->root = hd_node_new(&conf->priv->arena, HD_NODE_MAP,
					       "default", 0);
	if (conf->priv == NULL || conf->priv->root == NULL)
		hd_conf_free(&conf);
	return conf;
}

void hd_conf_free(struct hd_conf **conf_ptr)
{
	struct hd_conf *conf = hd_steal(conf_ptr);

	if (conf == NULL)
		return;
	if (conf->priv != NULL) {
		struct hd_conf_secret *s = conf->priv->secrets;

		for (; s != NULL; s = s->next)
			hd_secret_free(s->v);
		hd_arena_free(&conf->priv->arena);
		free(conf->priv);
	}
	free(conf);
}

static int read_files(struct hd_conf *conf, const struct hd_conf_cli *cli,
		      struct hd_error *err)
{
	const struct hd_instead instead = { cli->instead, cli->n_instead };
	struct hd_conf_private *priv = conf->priv;
	const char *path = cli->config_path;
	bool includes = false;

	if (path == NULL && cli->dev)
		return 0;
	if (path == NULL && access(DEFAULT_PATH, F_OK) < 0)
		return hd_error_set(err, -ENOENT,
				    "there is no configuration at " DEFAULT_PATH
				    "; write one, name one with "
				    "--config FILE, or try --dev");
	if (path == NULL)
		path = DEFAULT_PATH;
	path = hd_arena_text(&priv->arena, path, strlen(path));
	if (path == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	int r = hd_merge_file(&priv->arena, &instead, path, priv->root,
			      &includes, err);
	conf->path = path;
	priv->includes_default = includes ? NULL : path;
	return r;
}

int hd_conf_load(const struct hd_conf_cli *cli, struct hd_conf **ret_conf,
		 struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = conf_new();
	int r;

	if (conf == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = read_files(conf, cli, err);
	if (r == 0)
		r = build(conf, cli, err);
	if (r == 0)
		*ret_conf = hd_steal(&conf);
	return r;
}

int hd_conf_load_text(const char *text, size_t len,
		      const struct hd_conf_cli *cli, struct hd_conf **ret_conf,
		      struct hd_error *err)
{
	HD_AUTO(hd_conf_free) struct hd_conf *conf = conf_new();
	int r;

	if (conf == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = hd_yaml_parse(&conf->priv->arena, text, len, "text",
			  &conf->priv->root, err);
	if (r == 0 && hd_node_get(conf->priv->root, "include") != NULL)
		r = hd_error_set(err, -EINVAL, "a text cannot include files");
	if (r == 0)
		r = build(conf, cli, err);
	if (r == 0)
		*ret_conf = hd_steal(&conf);
	return r;
}
