/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/mesh_nats.c - a region that is too large for a full mesh:
 * the section, and how the module begins and ends. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <hyper-derp/derp.h>
#include <hyper-derp/log.h>
#include <hyper-derp/mainloop.h>
#include <hyper-derp/offer.h>
#include <sodium.h>
#include <string.h>

#define CONF(field) .offset = offsetof(struct dir_conf, field)

static const struct hd_option options[] = {
	{ .name = "", .type = HD_OPTION_PLACE, CONF(at) },
	{ .name = "server",
	  .type = HD_OPTION_STRING,
	  CONF(server),
	  .def = "nats://127.0.0.1:4222",
	  .help = "servers of NATS with JetStream, with commas between them; "
		  "tls:// for TLS" },
	{ .name = "user",
	  .type = HD_OPTION_STRING,
	  CONF(user),
	  .help = "the user there, who has a password" },
	{ .name = "password",
	  .type = HD_OPTION_SECRET_FILE,
	  CONF(password),
	  .help = "a file with that password" },
	{ .name = "token",
	  .type = HD_OPTION_SECRET_FILE,
	  CONF(token),
	  .help = "a file with a token, in place of a user" },
	{ .name = "creds",
	  .type = HD_OPTION_PATH,
	  CONF(creds),
	  .help = "a file of credentials, as nsc makes it. It is read at each "
		  "connection, as the relay's user" },
	{ .name = "nkey",
	  .type = HD_OPTION_PATH,
	  CONF(nkey),
	  .help = "a file with the seed of a user's nkey; as creds" },
	{ .name = "tlsca",
	  .type = HD_OPTION_PATH,
	  CONF(tlsca),
	  .help = "CAs that may have signed the server's certificate" },
	{ .name = "tlscert",
	  .type = HD_OPTION_PATH,
	  CONF(tlscert),
	  .help = "a certificate that the server asks for" },
	{ .name = "tlskey",
	  .type = HD_OPTION_PATH,
	  CONF(tlskey),
	  .help = "the key of tlscert" },
	{ .name = "region",
	  .type = HD_OPTION_STRING,
	  CONF(region),
	  .def = "derp",
	  .help = "the buckets are REGION_keys and REGION_leases; they are "
		  "made where they are missing" },
	{ .name = "replicas",
	  .type = HD_OPTION_UINT,
	  CONF(replicas),
	  .def = "1",
	  .min = 1,
	  .max = 5,
	  .help = "how many servers of a cluster hold a bucket, when it is "
		  "made" },
	{ .name = "name",
	  .type = HD_OPTION_STRING,
	  CONF(name),
	  .help = "this relay as the others dial it: the host that its "
		  "certificate is for, and a port if it is not 443" },
	{ .name = "dial",
	  .type = HD_OPTION_STRING,
	  CONF(dial),
	  .help = "another host or address for them to dial" },
	{ .name = "relays",
	  .type = HD_OPTION_LIST,
	  CONF(relays),
	  .help = "hosts that may be dialled because the directory says so, "
		  "`*.` in front: all below. Empty: those with the domain of "
		  "name" },
	{ .name = "ca_file",
	  .type = HD_OPTION_PATH,
	  CONF(ca_file),
	  .help = "CAs that may have signed their certificates. Unset: those "
		  "of mesh.ca_file, or of the system" },
	{ .name = "cache_time",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(cache_ms),
	  .def = "5m",
	  .min = 1000,
	  .max = 86400000,
	  .help = "where a key is, is asked again after so long, if packets "
		  "go there" },
	{ .name = "refresh_time",
	  .type = HD_OPTION_DURATION_MS,
	  CONF(refresh_ms),
	  .def = "1h",
	  .min = 1000,
	  .max = 43200000,
	  .help = "what the directory has of a key that is here, is looked at "
		  "again after so long, and made good" },
	HD_OPTION_END,
};

#define ROW(field, name, labels, help)                                         \
	HD_METRIC(struct dir_numbers, field, "hyper_derp_mesh_nats_" name,     \
		  labels, help)
#define LOOKUPS_HELP "Keys that were looked up in the directory"

static const struct hd_metric metrics[] = {
	ROW(connected, "connected", NULL,
	    "1: connected to NATS, and the buckets are there"),
	ROW(away, "away", NULL, "1: it should be connected, and is not"),
	ROW(keys, "keys", NULL, "Keys that are here"),
	ROW(published, "keys_published", NULL,
	    "Of those, the ones that the directory has"),
	ROW(elsewhere, "keys_elsewhere", NULL,
	    "Of those, the ones that have logged in at another relay since"),
	ROW(relays, "relays", NULL,
	    "Other relays that the directory has led to"),
	ROW(asked, "lookups_total", NULL, LOOKUPS_HELP),
	ROW(found, "answers_total", "result=\"found\"",
	    "What the directory said about keys"),
	ROW(nobody, "answers_total", "result=\"nobody\"",
	    "What the directory said about keys"),
	ROW(refused, "lookups_refused_total", NULL,
	    "Packets to keys that were not looked up: too many at once"),
	ROW(puts, "writes_total", "op=\"put\"", "Keys written or deleted"),
	ROW(deletes, "writes_total", "op=\"delete\"",
	    "Keys written or deleted"),
	ROW(failures, "failures_total", NULL,
	    "Requests that were refused, or not answered in time"),
	HD_METRIC_END,
};

/* ---- life ---- */

static int wrong(const struct dir_conf *c, struct hd_error *err,
		 const char *text)
{
	return hd_error_at(&c->at, err, -EINVAL, "%s", text);
}

static int check_access(const struct dir_conf *c, struct hd_error *err)
{
	unsigned n = (c->creds != NULL) + (c->nkey != NULL) +
		     (c->token.v != NULL) + (c->user != NULL);

	if (strchr(c->server, '@') != NULL)
		return wrong(c, err,
			     "server is logged and shown, so no user, password "
			     "or token may stand in it: set user and password, "
			     "or token");
	if (n > 1)
		return wrong(c, err,
			     "only one of creds, nkey, token and user may be "
			     "set");
	if ((c->user != NULL) != (c->password.v != NULL))
		return wrong(c, err, "user and password go together");
	if ((c->tlscert != NULL) != (c->tlskey != NULL))
		return wrong(c, err, "tlscert and tlskey go together");
	return 0;
}

/* Who tries the file has no module derp. */
static int check_key(const struct dir_conf *c, struct hd_error *err)
{
	struct derp_identity id = { 0 };
	int r = hd_offered(DERP_IDENTITY, &id, sizeof(id));
	bool has = id.has_mesh_key;

	sodium_memzero(&id, sizeof(id));
	return r == 0 && !has
		       ? wrong(c, err,
			       "there is no mesh key; set derp.mesh_key to a "
			       "file with the one of the region")
		       : 0;
}

static int dir_check(struct hd_module *mod, const void *conf,
		     struct hd_error *err)
{
	const struct dir_conf *c = conf;
	int r;

	(void)mod;
	if (c->name == NULL)
		return 0; /* installed, no more: it does nothing */
	r = dir_names_check(c, err);
	if (r == 0)
		r = check_access(c, err);
	return r == 0 ? check_key(c, err) : r;
}

/* Not in load(): who only tries the file connects to nobody. */
static void begin(struct hd_module *mod, void *unused)
{
	struct hd_error err = { "" };

	(void)unused;
	if (dir_thread_start(mod, &err) < 0)
		hd_log_error("mesh_nats: it does not start: %s; restart the "
			     "relay",
			     err.text);
}

static int dir_load(struct hd_module *mod, struct hd_error *err)
{
	const struct dir_conf *conf = hd_module_conf(mod);
	struct hd_main_timer *timer;
	int r;

	if (sodium_init() < 0)
		return hd_error_set(err, -ENOTSUP, "libsodium does not start");
	if (conf->name == NULL && conf->at.file != NULL)
		hd_log_warn("mesh_nats does nothing: set mesh_nats.name to the "
			    "name that this relay's certificate is for, as "
			    "derp1.example.com");
	r = dir_commands_add(mod, err);
	if (r < 0 || conf->name == NULL)
		return r;
	timer = hd_main_timer_new(mod, begin, NULL);
	if (timer == NULL)
		return hd_error_set(err, -ENOMEM, "out of memory");
	hd_main_timer_set(timer, 1);
	return dir_lookup_load(mod, err);
}

static void dir_unload(struct hd_module *mod)
{
	(void)mod;
	dir_thread_stop();
}

static const char *const needs[] = { "derp", "mesh", NULL };

HD_MODULE(mesh_nats, .version = "1.0", .licence = "MIT",
	  .summary = "a directory of keys in NATS, for regions of many relays",
	  .flags = HD_MODULE_RESIDENT | HD_MODULE_UPGRADES,
	  .upgrade = &dir_upgrade, .requires_ = needs, .options = options,
	  .conf_size = sizeof(struct dir_conf),
	  .worker_size = sizeof(struct dir_worker), .metrics = metrics,
	  .metrics_size = sizeof(struct dir_numbers), .check = dir_check,
	  .load = dir_load, .start = dir_lookup_start, .stop = dir_lookup_stop,
	  .unload = dir_unload);
