/* SPDX-License-Identifier: MIT */
/* core/fetch/fetch_none.c - in place of the others, for a relay that was
 * configured --without-curl. */
#include <errno.h>
#include "core/fetch/fetch.h"
#include "core/loop/inbox.h"

int hd_fetch_sized(struct hd_module *mod, struct hd_worker *w,
		   const struct hd_fetch_request *request, size_t request_size,
		   hd_fetch_fn *fn, void *arg, hd_drop_fn *drop,
		   uint64_t *ret_id, struct hd_error *err)
{
	(void)mod;
	(void)w;
	(void)request;
	(void)request_size;
	(void)fn;
	hd_drop(drop, arg);
	if (ret_id != NULL)
		*ret_id = 0;
	return hd_error_set(err, -ENOSYS,
			    "this relay was built without libcurl, it cannot "
			    "ask other servers: install libcurl's headers "
			    "(Debian: libcurl4-openssl-dev), configure and "
			    "build again");
}

void hd_fetch_cancel(struct hd_module *mod, uint64_t id)
{
	(void)mod;
	(void)id;
}

const struct hd_kind hd_fetch_kind = {
	.name = "requests",
};

void hd_fetches_stop(void)
{
}

void hd_fetches_free(void)
{
}

const char *hd_fetch_library(void)
{
	return "not built in";
}
