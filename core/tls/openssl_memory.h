/* SPDX-License-Identifier: MIT */
/* core/tls/openssl_memory.h - where OpenSSL keeps secrets. It frees an SSL
 * object with the traffic secrets in it as it stands, and a cipher context
 * begins with its key. */
#pragma once
#include <stdbool.h>

/* hd_openssl_memory - what OpenSSL frees is wiped (but large buffers); and all
 * that it holds is left out of core dumps if there are any. Main thread, before
 * OpenSSL is used. Returns 0; -EALREADY it was used: nothing has changed. */
int hd_openssl_memory(bool core_dumps);
