/* SPDX-License-Identifier: MIT */
/* tools/hdbench/modes.h - what hdbench can measure. Each prints its report and
 * returns 0, or a negative errno with err filled. */
#pragma once
#include "tools/hdbench/peer.h"

int mode_rate(struct net *net, struct hd_error *err);
int mode_find(struct net *net, struct hd_error *err);
int mode_idle(struct net *net, struct hd_error *err);
int mode_logins(struct net *net, struct hd_error *err);
