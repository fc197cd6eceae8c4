/* SPDX-License-Identifier: MIT */
/* t/unit/mesh_help.h - the module mesh on the fake core: one member, whose
 * server the test plays. */
#pragma once
#include "t/unit/fake_core.h"
#include "t/unit/unit.h"
#include "modules/mesh/mesh.h"

#define MESH_KEY_TEXT                                                          \
	"00000000000000000000000000000000000000000000000000000000000000ab"

struct hd_timer {
	hd_timer_fn *fn;
	void *arg;
};

struct mesh_fake { /* what the module has asked of the core */
	bool dialling;
	struct hd_dial_options options;
	uint32_t timer_ms; /* of the link, to dial */
	bool link_open;
	unsigned added, taken, keys; /* hd_link_add(), hd_link_del() */
	struct hd_key last; /* of these */
	uint16_t realm; /* the same */
	int add_result;
	uint32_t unheard_ms; /* hd_link_unheard_ms() */
	uint64_t now_ms, drops;
	struct mesh_numbers numbers;
	struct hd_key public_key, server_public;
	uint8_t private_key[32], server_private[32];
};
extern struct mesh_fake mesh_fake;

/* mesh_up, mesh_down - setup, teardown: the module, with one member. */
int mesh_up(void **state);
int mesh_down(void **state);
/* mesh_dial - its time has come. mesh_connect - the dial succeeds. */
void mesh_dial(void);
struct hd_stream *mesh_connect(void);
/* mesh_refuse - it fails. */
void mesh_refuse(int error, const char *text);
/* mesh_login - up to the watch: the link is open, nobody is known yet.
 * mesh_answer - what the server says first. mesh_info - its ServerInfo around
 * any text; returns the length of the frame. */
struct hd_stream *mesh_login(void);
void mesh_answer(struct hd_stream *s);
size_t mesh_info(const char *json, uint8_t *ret_frame);
/* mesh_feed - a frame arrives. mesh_frame - one is made: header and payload,
 * bytes of a pattern. */
void mesh_feed(struct hd_stream *s, uint8_t type, const void *p, size_t n);
/* mesh_present - PeerPresent of mesh_key, with these flags. mesh_is_waiting -
 * there is no connection, but a next try, and the last error has this text. */
extern const struct hd_key mesh_key;
void mesh_present(struct hd_stream *s, uint8_t flags);
bool mesh_is_waiting(const char *error);
/* mesh_the_link - the one there is. mesh_end - the stream's end. */
struct mesh_link *mesh_the_link(void);
void mesh_end(struct hd_stream **s, enum hd_close why);
