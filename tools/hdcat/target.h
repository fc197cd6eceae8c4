/* SPDX-License-Identifier: MIT */
/* tools/hdcat/target.h - where a connection goes, or is waited for: texts of
 * people, and of the other end, who may be anybody. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#define TARGET_HOST_BYTES 256
#define TARGET_TEXT_BYTES (TARGET_HOST_BYTES + 13) /* udp:[HOST]:PORT */

/* target - a host and a port; a path has no port. */
struct target {
	char host[TARGET_HOST_BYTES], port[6];
	bool udp; /* else TCP, or a unix socket */
};

enum target_kind {
	TARGET_DIAL, /* HOST:PORT, [IPV6]:PORT, udp: before either, /PATH */
	TARGET_ALLOW, /* ... HOST and PORT may be * */
	TARGET_LISTEN, /* ... HOST may be *, or be left out; PORT may be 0 */
	TARGET_ALLOW_LISTEN, /* all of it */
};

/* target_parse - of the first n bytes of text. Returns 0; -EINVAL.
 * target_text - @ret  at least TARGET_TEXT_BYTES. Returns ret.
 * target_is_name - who has it must be asked, which may take long.
 * target_is_path - of a unix socket. target_unix - its address.
 * target_allowed - whether the pattern has it: by its text, no name is looked
 * up. */
int target_parse(const char *text, size_t n, enum target_kind kind,
		 struct target *ret);
char *target_text(const struct target *t, char *ret);
bool target_is_name(const struct target *t);
bool target_is_path(const struct target *t);
void target_unix(const struct target *t, struct sockaddr_un *ret);
bool target_allowed(const struct target *pattern, const struct target *t);

/* forward_parse - [BIND:]PORT:HOST:PORT, as ssh's -L has it; each half may be
 * a /PATH; with udp: before it both are UDP. Returns 0; -EINVAL. */
int forward_parse(const char *text, struct target *at, struct target *to);
