/* SPDX-License-Identifier: MIT */
/* tools/hdctl/ask.h - the daemon at the other end of the control socket. */
#pragma once
#include <hyper-derp/base.h>
#include <jansson.h>

enum { /* what hdctl ends with */
       HDCTL_OK = 0,
       HDCTL_REFUSED = 1,
       HDCTL_USAGE = 2,
       HDCTL_NO_DAEMON = 3,
       HDCTL_NOT_PERMITTED = 4,
};

struct ask {
	int fd; /* -1: not connected */
	char path[256];
	char *buf;
	size_t len, size;
	uint64_t id;
};

/* ask_open - connect.
 * @path  NULL: $HDCTL_SOCKET, or where relays usually listen
 * ask_open and ask return HDCTL_OK, or another HDCTL_ with the reason in
 * err. */
int ask_open(struct ask *a, const char *path, struct hd_error *err);
void ask_close(struct ask *a);

/* ask_again - another process has taken over: connect to it. As ask_open.
 * ask - one command; waits for its answer; of the process that has taken over
 * meanwhile, if that is so.
 * @ret_data  given; NULL: JSON null */
int ask_again(struct ask *a, struct hd_error *err);
int ask(struct ask *a, const char *const *words, size_t n, json_t **ret_data,
	struct hd_error *err);
/* ask_words - the same for words in one text: "module status". */
int ask_words(struct ask *a, const char *words, json_t **ret_data,
	      struct hd_error *err);
/* ask_next - wait for the next line: an event.
 * Returns NULL: the daemon has gone. */
json_t *ask_next(struct ask *a);
