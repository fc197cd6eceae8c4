/* SPDX-License-Identifier: MIT */
/* hyper-derp/listen.h - a TCP listener of a module's own, beside those of the
 * `listen:` list. What comes in is served like everywhere: by the routes that
 * have the listener's name (http.h), or by the protocol that it names
 * (service.h). */
#pragma once
#include <hyper-derp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hd_listen { /* copied */
	const char *name; /* "metrics": routes with `listener` of this name */
	union hd_addr addr; /* port 0: any free one */
	const char *protocol; /* a service of this module, or of one that it
				 requires: spoken from the first byte. NULL:
				 HTTP */
};

/* hd_listen_open - bind and listen, in load(). Connections are accepted in
 * every worker once the module has started there, and no more when it is
 * unloaded. A reload that asks for the same name and address gets the same
 * sockets: nobody who connects meanwhile is refused.
 * Returns 0; -EADDRINUSE and other -errno, with the address and the remedy in
 * err; -EEXIST the module has this name already; -EINVAL it has no name or no
 * address; -ENOMEM. A protocol that
 * nobody offers is refused when load() returns, and one of TLS only without
 * hd_listen_tls(). */
HD_API int hd_listen_open(struct hd_module *mod, const struct hd_listen *listen,
			  struct hd_error *err);

/* hd_listen_tls - the listener of this name speaks TLS with a certificate of
 * its own; in load(), after hd_listen_open(). PEM files, which are read again
 * whenever the configuration is.
 * Returns 0; -ENOENT the module has no listener of this name; else negative
 * with the file and the reason in err. */
HD_API int hd_listen_tls(struct hd_module *mod, const char *name,
			 const char *cert, const char *key,
			 struct hd_error *err);

#ifdef __cplusplus
}
#endif
