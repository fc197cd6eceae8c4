/* SPDX-License-Identifier: MIT */
/* core/loop/workers_check.c - what workers need of this machine and of this
 * build: an event backend, and somebody who encrypts. Main thread. */
#include <errno.h>
#include "core/loop/ring.h"
#include "core/loop/worker.h"
#include "core/tls/aead.h"

static int choose_crypto(const struct hd_conf *conf, struct hd_error *err)
{
	struct hd_error why;

	if (hd_aead_start(conf->crypto, &why) == 0)
		return 0;
	return hd_error_set(err, -ENOTSUP,
			    "tls: {crypto: ipsec-mb}: %s; auto takes OpenSSL "
			    "then",
			    why.text);
}

int hd_workers_check(const struct hd_conf *conf,
		     const struct hd_ring_ops **ret_ops, struct hd_error *err)
{
	*ret_ops = hd_ring_choose(conf, err);
	return *ret_ops != NULL ? choose_crypto(conf, err) : -EPERM;
}
