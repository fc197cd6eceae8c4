/* SPDX-License-Identifier: MIT */
/* tools/hdctl/qr.h - a text for a camera. */
#pragma once
#include <hyper-derp/base.h>
#include <stdio.h>

/* qr_print - draw a QR code, two rows of it in a line of characters. On a
 * terminal its colours are set, so that it can be read on any background.
 * Returns 0; -E2BIG more than a code holds; -ENOSYS built without
 * libqrencode. */
#define QR_NONE                                                                \
	"this hdctl was built without libqrencode (configure --with-qrencode)"
bool qr_there(void); /* whether it was built with it */
int qr_print(FILE *out, const char *text, struct hd_error *err);
