/* SPDX-License-Identifier: MIT */
/* t/unit/mesh_help.c - see mesh_help.h. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include "t/unit/mesh_help.h"

extern const struct hd_module_def mesh_LTX_hd_module;

struct mesh_fake mesh_fake;

static struct hd_dialled_to {
	hd_dial_fn *fn;
	void *arg;
} to;
static struct mesh_member_conf member = { .name = "other.example:8443",
					  .tls = true };
static struct mesh_conf conf = { .members = { &member, 1 },
				 .ping_ms = 1000,
				 .silence_ms = 5000,
				 .retry_max_ms = 2000 };

/* ---- dials and links ---- */

int hd_dial_check_sized(const struct hd_dial_options *options,
			size_t options_size, struct hd_error *err)
{
	hd_assert(options_size == sizeof(*options));
	return strchr(options->host, ' ') != NULL
		       ? hd_error_set(err, -EINVAL, "a space")
		       : 0;
}

int hd_dial_sized(struct hd_module *mod, struct hd_worker *w,
		  const struct hd_dial_options *options, size_t options_size,
		  hd_dial_fn *fn, void *arg, hd_drop_fn *drop, uint64_t *ret_id,
		  struct hd_error *err)
{
	(void)mod, (void)w, (void)options_size, (void)drop, (void)err;
	hd_assert(!mesh_fake.dialling);
	mesh_fake.dialling = true;
	mesh_fake.options = *options;
	to = (struct hd_dialled_to){ fn, arg };
	*ret_id = 1;
	return 0;
}

void hd_dial_cancel(struct hd_module *mod, struct hd_worker *w, uint64_t id)
{
	(void)mod, (void)w;
	hd_assert(mesh_fake.dialling && id == 1);
	mesh_fake.dialling = false;
}

int hd_link_open(struct hd_stream *s, const char *name)
{
	hd_assert(!s->closing && strcmp(name, "other.example:8443") == 0);
	mesh_fake.link_open = true;
	return 0;
}

int hd_link_add(struct hd_stream *link, uint16_t realm,
		const struct hd_key *key)
{
	hd_assert(!link->closing && mesh_fake.link_open);
	if (mesh_fake.add_result < 0)
		return mesh_fake.add_result;
	mesh_fake.added++;
	mesh_fake.keys++;
	mesh_fake.last = *key;
	mesh_fake.realm = realm;
	return 0;
}

int hd_link_del(struct hd_stream *link, uint16_t realm,
		const struct hd_key *key)
{
	hd_assert(!link->closing && mesh_fake.link_open);
	mesh_fake.taken++;
	mesh_fake.keys -= mesh_fake.keys > 0;
	mesh_fake.last = *key;
	mesh_fake.realm = realm;
	return 0;
}

int hd_link_forget(struct hd_stream *link, uint16_t realm,
		   const struct hd_key *key)
{
	(void)link, (void)realm, (void)key;
	return 0;
}

void hd_link_about(const struct hd_stream *link, struct hd_link_about *ret)
{
	(void)link;
	*ret = (struct hd_link_about){ .drops = mesh_fake.drops };
}

uint32_t hd_link_unheard_ms(const struct hd_stream *link)
{
	(void)link;
	return mesh_fake.unheard_ms;
}

bool hd_link_ways(struct hd_worker *w, uint64_t *at, unsigned n,
		  hd_link_way_fn *fn, void *arg)
{
	(void)w, (void)at, (void)n, (void)fn, (void)arg;
	return false;
}

bool hd_event_wanted(void)
{
	return false;
}

void hd_event(const char *name, const char *json)
{
	(void)name, (void)json;
}

uint32_t hd_link_keys(const struct hd_stream *link)
{
	(void)link;
	return mesh_fake.keys;
}

/* ---- for the tests ---- */

int mesh_up(void **state)
{
	struct hd_error err = { "" };

	(void)state;
	if (sodium_init() < 0)
		return -1;
	mesh_fake = (struct mesh_fake){ .now_ms = 1000000 };
	memset(mesh_fake.private_key, 0x11, 32);
	memset(mesh_fake.server_private, 0x77, 32);
	crypto_scalarmult_base(mesh_fake.public_key.b, mesh_fake.private_key);
	crypto_scalarmult_base(mesh_fake.server_public.b,
			       mesh_fake.server_private);
	return fake_load(&mesh_LTX_hd_module, &conf, &err);
}

int mesh_down(void **state)
{
	struct hd_timer *t =
		mesh_here(&fake.module, &fake.worker)->timer; /* the core's */

	(void)state;
	fake_unload();
	free(t);
	return 0;
}

struct mesh_link *mesh_the_link(void)
{
	return mesh_here(&fake.module, &fake.worker)->links;
}

void mesh_dial(void)
{
	struct hd_timer *t = mesh_the_link()->timer;

	hd_assert(mesh_fake.timer_ms > 0);
	mesh_fake.timer_ms = 0;
	t->fn(&fake.module, &fake.worker, t->arg);
}

struct hd_stream *mesh_connect(void)
{
	struct hd_stream *s = fake_stream_new(&mesh_proto);
	struct hd_dialled got = { .stream = s, .text = "", .addr = &s->addr };

	if (!mesh_fake.dialling)
		mesh_dial();
	mesh_fake.dialling = mesh_fake.link_open = false;
	mesh_fake.keys = 0;
	mesh_fake.drops = 0;
	to.fn(&fake.module, &fake.worker, to.arg, &got);
	return s;
}

void mesh_refuse(int error, const char *text)
{
	struct hd_dialled got = { .error = error, .text = text };

	mesh_dial();
	mesh_fake.dialling = false;
	to.fn(&fake.module, &fake.worker, to.arg, &got);
}

void mesh_feed(struct hd_stream *s, uint8_t type, const void *p, size_t n)
{
	uint8_t head[DERP_HEADER_BYTES] = { type, 0, (uint8_t)(n >> 16),
					    (uint8_t)(n >> 8), (uint8_t)n };

	fake_feed(s, head, sizeof(head));
	if (n > 0)
		fake_feed(s, p, n);
}

void mesh_answer(struct hd_stream *s)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: DERP\r\n\r\n";
	uint8_t key[40] = "DERP\xf0\x9f\x94\x91";

	memcpy(key + 8, mesh_fake.server_public.b, 32);
	fake_out_clear(s);
	fake_feed(s, head, sizeof(head) - 1);
	mesh_feed(s, 1, key, sizeof(key));
}

size_t mesh_info(const char *json, uint8_t *ret_frame)
{
	size_t n = strlen(json), len = 24 + 16 + n;

	ret_frame[0] = 3;
	for (unsigned i = 0; i < 4; i++)
		ret_frame[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	memset(ret_frame + 5, 0x24, 24);
	hd_assert(crypto_box_easy(ret_frame + 29, (const uint8_t *)json, n,
				  ret_frame + 5, mesh_fake.public_key.b,
				  mesh_fake.server_private) == 0);
	return 5 + len;
}

struct hd_stream *mesh_login(void)
{
	struct hd_stream *s = mesh_connect();
	uint8_t frame[128];

	mesh_answer(s);
	fake_out_clear(s);
	fake_feed(s, frame, mesh_info("{\"version\":2}", frame));
	return s;
}

void mesh_end(struct hd_stream **s, enum hd_close why)
{
	fake_close(*s, (*s)->closing ? (*s)->why : why);
	fake_stream_free(s);
}

const struct hd_key mesh_key = { { 0xaa, 1, 2, 3 } };

/* Key, 16 IP, 2 port, 1 flags. */
void mesh_present(struct hd_stream *s, uint8_t flags)
{
	uint8_t p[51] = { 0 };

	memcpy(p, mesh_key.b, 32);
	p[50] = flags;
	mesh_feed(s, 9, p, sizeof(p));
}

bool mesh_is_waiting(const char *error)
{
	const struct mesh_link *l = mesh_the_link();

	if (strstr(l->error, error) == NULL)
		print_message("%s\n", l->error);
	return l->state == MESH_WAITING && l->stream == NULL &&
	       mesh_fake.timer_ms > 0 && strstr(l->error, error) != NULL;
}
