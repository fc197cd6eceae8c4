/* SPDX-License-Identifier: MIT */
/* core/loop/ring.c - which backend. */
#include <errno.h>
#include <hyper-derp/log.h>
#include "core/conf/conf.h"
#include "core/loop/ring.h"

#ifdef HAVE_LIBURING
#define URING (&hd_ring_uring)
#else
#define URING NULL
#endif

static int try_backend(const struct hd_ring_ops *ops,
		       const struct hd_conf *conf, struct hd_error *err)
{
	struct hd_ring *ring = NULL;
	int r;

	if (ops == NULL)
		return hd_error_set(err, -ENOSYS,
				    "this build has no io_uring (install "
				    "liburing-dev and configure again)");
	r = ops->open(conf, &ring, err);
	ops->close(&ring);
	return r;
}

const struct hd_ring_ops *hd_ring_choose(const struct hd_conf *conf,
					 struct hd_error *err)
{
	struct hd_error why;

	if (conf->event_backend == HD_BACKEND_EPOLL)
		return &hd_ring_epoll;
	if (try_backend(URING, conf, &why) == 0)
		return URING;
	if (conf->event_backend == HD_BACKEND_IO_URING) {
		hd_error_set(err, -1, "%s", why.text);
		return NULL;
	}
	hd_log_warn("%s; using epoll", why.text);
	return &hd_ring_epoll;
}
