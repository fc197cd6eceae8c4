/* SPDX-License-Identifier: MIT */
/* tools/hdctl/qr.c - see qr.h; by libqrencode. */
#include "tools/hdctl/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <unistd.h>

enum { QUIET = 4, DARK = 1 }; /* the margin that readers want; a bit */

/* Outside it is light. */
static bool is_light(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return true;
	return (code->data[y * code->width + x] & DARK) == 0;
}

/* Light is what is drawn: a terminal's background is dark. */
static void print_row(FILE *out, const QRcode *code, int y)
{
	static const char *const blocks[] = { " ", "\u2584", "\u2580",
					      "\u2588" };

	for (int x = -QUIET; x < code->width + QUIET; x++)
		fputs(blocks[2 * is_light(code, x, y) +
			     is_light(code, x, y + 1)],
		      out);
}

bool qr_there(void)
{
	return true;
}

int qr_print(FILE *out, const char *text, struct hd_error *err)
{
	bool terminal = isatty(fileno(out));
	QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

	if (code == NULL)
		return hd_error_set(err, -E2BIG,
				    "a QR code does not hold so much text: "
				    "print it without --qr");
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		fputs(terminal ? "\033[97;40m" : "", out);
		print_row(out, code, y);
		fputs(terminal ? "\033[0m\n" : "\n", out);
	}
	QRcode_free(code);
	return 0;
}
