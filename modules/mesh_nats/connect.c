/* SPDX-License-Identifier: MIT */
/* modules/mesh_nats/connect.c - the connection to NATS, and the two buckets.
 * libnats connects again by itself, except where it gives up: after two
 * refusals by the same server. Context: the thread. */
#include "modules/mesh_nats/mesh_nats.h"
#include <errno.h>
#include <hyper-derp/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECT_MS = 2000,
	RECONNECT_MS = 500,
	PING_MS = 5000,
	PINGS_MAX = 2,
	SECRET_BYTES = 8192, /* a token may be a JWT */
};
#define DAY_NS (24 * 3600 * INT64_C(1000000000))
#define MS_NS INT64_C(1000000)

/* ---- libnats' threads ---- */

static void on_msg(natsConnection *nc, natsSubscription *sub, natsMsg *msg,
		   void *unused)
{
	(void)nc, (void)sub, (void)unused;
	dir_op_put(DIR_MSG, NULL, msg);
}

static void on_change(natsConnection *nc, void *unused)
{
	(void)nc, (void)unused;
	dir_op_put(DIR_AGAIN, NULL, NULL);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s,
		     void *unused)
{
	(void)nc, (void)sub, (void)s, (void)unused; /* an answer says it */
}

/* ---- options ---- */

static const char *text_of(const struct hd_secret *s, char *ret, size_t n)
{
	snprintf(ret, n, "%.*s", (int)s->len_bytes, (const char *)s->v);
	ret[strcspn(ret, "\r\n")] = '\0';
	return ret;
}

static natsStatus set_user(natsOptions *o, const struct dir_conf *c,
			   struct hd_error *err)
{
	char nkey[DIR_NKEY_BYTES], secret[SECRET_BYTES];
	natsStatus s = NATS_OK;

	if (c->creds != NULL)
		s = natsOptions_SetUserCredentialsFromFiles(o, c->creds, NULL);
	else if (c->nkey != NULL)
		s = dir_nkey_public(c->nkey, nkey, err) < 0
			    ? NATS_INVALID_ARG
			    : natsOptions_SetNKeyFromSeed(o, nkey, c->nkey);
	else if (c->token.v != NULL)
		s = natsOptions_SetToken(
			o, text_of(&c->token, secret, sizeof(secret)));
	else if (c->user != NULL)
		s = natsOptions_SetUserInfo(
			o, c->user,
			text_of(&c->password, secret, sizeof(secret)));
	explicit_bzero(secret, sizeof(secret));
	return s;
}

static natsStatus set_tls(natsOptions *o, const struct dir_conf *c)
{
	natsStatus s = NATS_OK;

	if (strncmp(c->server, "tls://", 6) == 0 || c->tlsca != NULL ||
	    c->tlscert != NULL)
		s = natsOptions_SetSecure(o, true);
	if (s == NATS_OK && c->tlsca != NULL)
		s = natsOptions_LoadCATrustedCertificates(o, c->tlsca);
	if (s == NATS_OK && c->tlscert != NULL)
		s = natsOptions_LoadCertificatesChain(o, c->tlscert,
						      c->tlskey);
	return s;
}

static natsStatus set_servers(natsOptions *o, const struct dir_conf *c)
{
	char *list = strdup(c->server), *rest = NULL;
	const char *v[64];
	int n = 0;
	natsStatus s;

	for (char *at = strtok_r(list, ", ", &rest); at != NULL && n < 64;
	     at = strtok_r(NULL, ", ", &rest))
		v[n++] = at;
	s = natsOptions_SetServers(o, v, n);
	free(list);
	return s;
}

static natsStatus set_rest(natsOptions *o, const struct dir_conf *c)
{
	char name[DIR_NAME_BYTES + 16];
	natsStatus s;

	snprintf(name, sizeof(name), "hyper-derp %s", c->name);
	s = natsOptions_SetName(o, name);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetMaxReconnect(o, -1);
	if (s == NATS_OK)
		s = natsOptions_SetReconnectWait(o, RECONNECT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, PING_MS);
	if (s == NATS_OK)
		s = natsOptions_SetMaxPingsOut(o, PINGS_MAX);
	if (s == NATS_OK) /* else who sends waits, with its lock, for minutes */
		s = natsOptions_SetWriteDeadline(o, CONNECT_MS);
	if (s == NATS_OK) /* else a thread for each subscription */
		s = natsOptions_UseGlobalMessageDelivery(o, true);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(o, on_error, NULL);
	if (s == NATS_OK)
		s = natsOptions_SetDisconnectedCB(o, on_change, NULL);
	return s == NATS_OK ? natsOptions_SetReconnectedCB(o, on_change, NULL)
			    : s;
}

static int failed(struct hd_error *err, const char *what, natsStatus s)
{
	const char *more = nats_GetLastError(NULL);

	return hd_error_set(err, -EIO, "%s: %s%s%s", what,
			    natsStatus_GetText(s), more != NULL ? ": " : "",
			    more != NULL ? more : "");
}

static int open_connection(struct hd_error *err)
{
	struct hd_error why = { "" };
	natsOptions *o = NULL;
	natsStatus s = natsOptions_Create(&o);

	if (s == NATS_OK)
		s = set_servers(o, dir.conf);
	if (s == NATS_OK)
		s = set_user(o, dir.conf, &why);
	if (s == NATS_OK)
		s = set_tls(o, dir.conf);
	if (s == NATS_OK)
		s = set_rest(o, dir.conf);
	if (s == NATS_OK)
		s = natsConnection_Connect(&dir.nc, o);
	natsOptions_Destroy(o);
	if (why.text[0] != '\0')
		return hd_error_set(err, -EIO, "%s", why.text);
	return s == NATS_OK ? 0 : failed(err, dir.conf->server, s);
}

static int open_inbox(struct hd_error *err)
{
	char subject[DIR_SUBJECT_BYTES];
	natsStatus s = natsInbox_Create(&dir.inbox);

	if (s == NATS_OK) {
		snprintf(subject, sizeof(subject), "%s.*", dir.inbox);
		s = natsConnection_Subscribe(&dir.inbox_sub, dir.nc, subject,
					     on_msg, NULL);
	}
	return s == NATS_OK ? 0 : failed(err, "no inbox", s);
}

/* ---- buckets ---- */

/* As `nats kv add` makes them. */
static int bucket(jsCtx *js, const char *name, int64_t age_ns,
		  int64_t *ret_created, struct hd_error *err)
{
	char stream[160], subject[160], what[200];
	const char *subjects[] = { subject };
	jsStreamConfig c;
	jsStreamInfo *si = NULL;
	jsErrCode code = 0;
	natsStatus s;

	snprintf(stream, sizeof(stream), "KV_%s", name);
	snprintf(subject, sizeof(subject), "$KV.%s.>", name);
	s = js_GetStreamInfo(&si, js, stream, NULL, &code);
	if (s == NATS_NOT_FOUND || code == JSStreamNotFoundErr) {
		jsStreamConfig_Init(&c);
		c.Name = stream;
		c.Subjects = subjects;
		c.SubjectsLen = 1;
		c.MaxMsgsPerSubject = 1;
		c.MaxAge = age_ns;
		c.Replicas = (int64_t)dir.conf->replicas;
		c.Discard = js_DiscardNew;
		c.AllowRollup = c.DenyDelete = c.AllowDirect = true;
		s = js_AddStream(&si, js, &c, NULL, &code);
		if (s != NATS_OK) /* another relay was first */
			s = js_GetStreamInfo(&si, js, stream, NULL, &code);
	}
	snprintf(what, sizeof(what), "the bucket %s", name);
	if (s != NATS_OK)
		return failed(err, what, s);
	*ret_created = si->Created;
	if (!si->Config->AllowDirect)
		s = NATS_INVALID_ARG;
	jsStreamInfo_Destroy(si);
	return s == NATS_OK
		       ? 0
		       : hd_error_set(err, -EIO,
				      "%s has no allow_direct: make it anew, "
				      "or `nats stream edit %s --allow-direct`",
				      what, stream);
}

static int buckets(int64_t *ret_created, struct hd_error *err)
{
	jsOptions o;
	jsCtx *js = NULL;
	int64_t leases;
	int r;

	jsOptions_Init(&o);
	o.Wait = CONNECT_MS;
	if (natsConnection_JetStream(&js, dir.nc, &o) != NATS_OK)
		return hd_error_set(err, -ENOMEM, "out of memory");
	r = bucket(js, dir.keys, DAY_NS, ret_created, err);
	if (r == 0)
		r = bucket(js, dir.leases, DIR_TTL_MS * MS_NS, &leases, err);
	jsCtx_Destroy(js);
	return r;
}

/* ---- all of it ---- */

static void is_back(void)
{
	dir.ready = true;
	dir.up_ms = dir_now_ms();
	dir.error[0] = '\0';
	__atomic_add_fetch(&dir.connects, 1, __ATOMIC_RELAXED);
	dir_relays_back(dir.up_ms);
	dir_lease_put();
}

/* While a bucket has no leader, it comes here again and again. */
static void is_ready(int64_t created)
{
	char url[256] = "";
	bool back;

	pthread_mutex_lock(&dir.lock);
	if (dir.created != created)
		dir_here_forget();
	dir.created = created;
	dir.prepare = false;
	back = !dir.ready || dir.changed;
	dir.changed = false;
	if (back)
		is_back();
	pthread_mutex_unlock(&dir.lock);
	if (!back)
		return;
	natsConnection_GetConnectedUrl(dir.nc, url, sizeof(url));
	hd_log_notice("mesh_nats: connected: server=%s region=%s name=%s", url,
		      dir.conf->region, dir.conf->name);
}

int dir_connect(struct hd_error *err)
{
	int64_t created = 0;
	int r = 0;

	if (dir.nc != NULL && natsConnection_IsClosed(dir.nc))
		dir_disconnect();
	if (dir.nc == NULL)
		r = open_connection(err);
	if (r == 0 &&
	    natsConnection_Status(dir.nc) != NATS_CONN_STATUS_CONNECTED)
		r = hd_error_set(err, -ENOTCONN,
				 "the connection to the server is lost");
	if (r == 0 && dir.inbox_sub == NULL)
		r = open_inbox(err);
	if (r == 0)
		r = buckets(&created, err);
	if (r == 0)
		is_ready(created);
	return r;
}

void dir_disconnect(void)
{
	pthread_mutex_lock(&dir.lock);
	dir.ready = false;
	dir_relays_free();
	pthread_mutex_unlock(&dir.lock);
	natsSubscription_Destroy(dir.inbox_sub);
	dir.inbox_sub = NULL;
	natsConnection_Destroy(dir.nc);
	dir.nc = NULL;
	natsInbox_Destroy(dir.inbox);
	dir.inbox = NULL;
}

bool dir_is_up(void)
{
	return dir.ready;
}
