/* SPDX-License-Identifier: MIT */
/* modules/hd/intents.h - what two clients want of the path between them.
 * Context: the client's home worker. */
#pragma once
#include <hyper-derp/hd_intents.h>
#include "modules/hd/hd.h"

/* hdp_intents_meet - of who opens, and who answers.
 * hdp_intents_signal - of a contact, to the client. */
enum hdp_agreed hdp_intents_meet(uint8_t a, uint8_t b);
void hdp_intents_signal(struct hd_stream *s, uint32_t handle,
			const struct hdp_said *said);
int hdp_take_open(struct hd_module *mod, struct hd_stream *s,
		  struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
int hdp_take_answer(struct hd_module *mod, struct hd_stream *s,
		    struct hdp_state *d, uint8_t *p, uint32_t len_bytes);
