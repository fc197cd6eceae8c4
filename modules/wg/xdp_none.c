/* SPDX-License-Identifier: MIT */
/* modules/wg/xdp_none.c - in place of xdp.c where it could not be built. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <hyper-derp/log.h>
#include "modules/wg/xdp.h"

int wg_xdp_open(const struct wg_xdp_conf *conf, struct wg_xdp **ret,
		struct hd_error *err)
{
	*ret = NULL;
	if (conf->mode == WG_XDP_DRV || conf->mode == WG_XDP_SKB)
		return hd_error_set(err, -EOPNOTSUPP,
				    "wg.xdp: this hyper-derp was built without "
				    "XDP; configure --with-xdp says what it "
				    "lacks, wg.xdp: off starts without");
	if (conf->mode == WG_XDP_AUTO && conf->interfaces != NULL &&
	    *conf->interfaces != '\0')
		hd_log_notice("wg.xdp: built without XDP, everything goes "
			      "through user space");
	return 0;
}

void wg_xdp_close(struct wg_xdp **x)
{
	*x = NULL;
}

void wg_xdp_pack(const struct wg_xdp *x, struct hd_pack *to)
{
	(void)x;
	(void)to;
}

void wg_xdp_unpack(struct wg_xdp *x, const struct hd_unpack *from)
{
	(void)x;
	(void)from;
}

int wg_xdp_begin(struct wg_xdp **x, struct hd_error *err)
{
	(void)x;
	(void)err;
	return 0;
}

void wg_xdp_renew(struct wg_xdp *x)
{
	(void)x;
}

bool wg_xdp_put(struct wg_xdp *x, const struct wg_path *path)
{
	(void)x;
	(void)path;
	return false;
}

void wg_xdp_remove(struct wg_xdp *x, const struct wg_path *path)
{
	(void)x;
	(void)path;
}

bool wg_xdp_read(struct wg_xdp *x, const struct wg_path *path,
		 struct wg_path_use *ret)
{
	(void)x;
	(void)path;
	memset(ret, 0, sizeof(*ret));
	return false;
}

void wg_xdp_block(struct wg_xdp *x, const union hd_addr *ip, uint64_t for_ms)
{
	(void)x;
	(void)ip;
	(void)for_ms;
}

void wg_xdp_stats(const struct wg_xdp *x, struct wg_relay_stats *ret)
{
	(void)x;
	memset(ret, 0, sizeof(*ret));
}

void wg_xdp_news(struct wg_xdp *x, struct wg_relay_stats *ret)
{
	wg_xdp_stats(x, ret);
}

const char *wg_xdp_text(const struct wg_xdp *x, char *buf, size_t size)
{
	(void)x;
	snprintf(buf, size, "off");
	return buf;
}
