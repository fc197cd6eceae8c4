/* SPDX-License-Identifier: MIT */
/* core/tls/ktls.h - TLS records by the kernel, from the same keys as ours: what
 * the kernel can do, and the socket calls. The state machine stays in
 * tls.c and records.c. Source: Documentation/networking/tls.rst. */
#pragma once
#include "core/tls/records.h"

enum hd_ktls { HD_KTLS_AUTO, HD_KTLS_ON, HD_KTLS_OFF };

enum { /* directions */
	HD_KTLS_TX = 1,
	HD_KTLS_RX = 2,
};

/* hd_ktls_directions - those that this kernel is to have: HD_KTLS_ON where the
 * kernel has it; HD_KTLS_AUTO only where it also takes a new key on a live
 * connection (6.14), since a socket cannot leave kTLS. Probed once, on a
 * connection to ourselves. Main thread. Logs `kTLS enabled` or `kTLS not
 * available`. */
unsigned hd_ktls_directions(enum hd_ktls want);
/* hd_ktls_rekeys - whether the kernel takes a new key. Any thread; probes where
 * nobody has, for connections that another process has put there. */
bool hd_ktls_rekeys(unsigned direction);
/* hd_ktls_is_on - whether the socket has the kernel's TLS: also where it took
 * none of the keys that it was given then.
 * hd_ktls_seals - whether it has the key for what is sent. */
bool hd_ktls_is_on(int fd);
bool hd_ktls_seals(int fd);

/* hd_ktls_set - the kernel takes over a direction, or takes a new key.
 * Returns 0; -EBUSY an old kernel, a second time; -errno. */
int hd_ktls_set(int fd, unsigned direction, const struct hd_tls_suite *suite,
		const struct hd_tls_keys *keys);
/* hd_ktls_recv - data, or one record of another type.
 * Returns bytes; 0 the end; -errno: -EAGAIN; -EBADMSG it does not open;
 * -EMSGSIZE too long; -EKEYEXPIRED the new key is missing. */
int hd_ktls_recv(int fd, uint8_t *buf, size_t size,
		 enum hd_record_type *ret_type);
/* hd_ktls_send - a record that is not data. Returns 0; -EAGAIN; -errno. */
int hd_ktls_send(int fd, enum hd_record_type type, const uint8_t *p, size_t n);
/* hd_ktls_has_room - whether TCP takes what the kernel has sealed; if not, an
 * edge comes. A send that was taken says nothing about it. */
bool hd_ktls_has_room(int fd);
