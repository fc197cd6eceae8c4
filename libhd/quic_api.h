/* SPDX-License-Identifier: MIT */
/* libhd/quic_api.h - ngtcp2, as its versions 0.12 (Debian 12) and 1.x have it
 * in common. Whatever differs between them is here, and nowhere else; the rest
 * of libhd uses functions that both have, and these. */
#pragma once
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdbool.h>

/* RFC 9001, 4.8: a close for an alert of TLS is 0x100 and the alert. */
#define HDL_NG_ALERT 0x100
#define HDL_NG_ALERT_LAST 0x1ff

/* hdl_ng_why - why a connection is closed: hdl_ng_why_liberr() by an error of
 * ngtcp2, hdl_ng_why_ours() with a number of ours. hdl_ng_closed - what the
 * other end has said. hdl_ng_is_ours - whether that number, as one of ours.
 * hdl_ng_is_alert - whether an alert of TLS.
 * hdl_ng_stream_stop - both ways, with a number of ours.
 * hdl_ng_first_dcid - of a server: what the client has sent its first to.
 * hdl_ng_in_flight - bytes that have not been acknowledged.
 * HDL_NG_BBR - the congestion control. In 0.12.1 version 1 of BBR: its version
 * 2 has an assertion that a lost packet can break (ngtcp2's commit cdc2a4c1 has
 * the fix), and gets less through. In 1.x there is one only. */

/* When the next packets may leave, and how much later than that was looked at:
 * a turn comes up to a millisecond late, and more where others want the
 * processor. What was due meanwhile leaves then: else the rate would be less
 * than it is to be, and BBR, which measures what it sends, would believe that
 * the path has no more. ns */
struct hdl_ng_pace {
	uint64_t at, late;
};

#define HDL_NG_BURST_MAX 150000
#define HDL_NG_LATE_MAX (10 * NGTCP2_MILLISECONDS)

/* hdl_ng_pace_look - before something is sent. */
static inline void hdl_ng_pace_look(struct hdl_ng_pace *p, uint64_t now)
{
	if (p->at == 0 || now < p->at)
		return;
	p->late += now - p->at;
	if (p->late > HDL_NG_LATE_MAX)
		p->late = HDL_NG_LATE_MAX;
	p->at = 0;
}

/* hdl_ng_pace_burst - what may leave at once, bytes.
 * hdl_ng_pace_sent - that has been sent: when is the next due? */
#if NGTCP2_VERSION_NUM >= 0x010000

#define HDL_NG_BURST_MIN 60000

/* Its burst is that of a millisecond, which needs turns as exact as that, and
 * at the beginning two packets. */
static inline size_t hdl_ng_pace_burst(ngtcp2_conn *conn,
				       const struct hdl_ng_pace *p)
{
	size_t n = ngtcp2_conn_get_send_quantum(conn) *
		   (size_t)(1 + p->late / NGTCP2_MILLISECONDS);

	return n > HDL_NG_BURST_MIN ? n : HDL_NG_BURST_MIN;
}

static inline void hdl_ng_pace_sent(ngtcp2_conn *conn, struct hdl_ng_pace *p,
				    size_t bytes, uint64_t now)
{
	ngtcp2_conn_update_pkt_tx_time(conn, now);
	if (bytes == 0)
		return;
	p->late = 0;
	p->at = ngtcp2_conn_get_expiry(conn); /* or earlier, by another timer */
}

struct hdl_ng_why {
	ngtcp2_ccerr v;
};
#define HDL_NG_BBR NGTCP2_CC_ALGO_BBR

static inline uint64_t hdl_ng_in_flight(ngtcp2_conn *conn)
{
	ngtcp2_conn_info v;

	ngtcp2_conn_get_conn_info(conn, &v);
	return v.bytes_in_flight;
}

static inline void hdl_ng_why_liberr(struct hdl_ng_why *why, ngtcp2_conn *conn,
				     int liberr)
{
	ngtcp2_ccerr_default(&why->v);
	if (liberr == NGTCP2_ERR_CRYPTO)
		ngtcp2_ccerr_set_tls_alert(
			&why->v, ngtcp2_conn_get_tls_alert(conn), NULL, 0);
	else
		ngtcp2_ccerr_set_liberr(&why->v, liberr, NULL, 0);
}

static inline void hdl_ng_why_ours(struct hdl_ng_why *why, uint64_t number)
{
	ngtcp2_ccerr_default(&why->v);
	ngtcp2_ccerr_set_application_error(&why->v, number, NULL, 0);
}

static inline struct hdl_ng_why hdl_ng_closed(ngtcp2_conn *conn)
{
	return (struct hdl_ng_why){ *ngtcp2_conn_get_ccerr(conn) };
}

#define HDL_NG_OURS NGTCP2_CCERR_TYPE_APPLICATION
#define HDL_NG_TRANSPORT NGTCP2_CCERR_TYPE_TRANSPORT

static inline void hdl_ng_stream_stop(ngtcp2_conn *conn, int64_t id,
				      uint64_t number)
{
	(void)ngtcp2_conn_shutdown_stream(conn, 0, id, number);
}

static inline void hdl_ng_first_dcid(ngtcp2_transport_params *p,
				     const ngtcp2_cid *dcid)
{
	p->original_dcid = *dcid;
	p->original_dcid_present = 1;
}

#else

/* ... of two milliseconds at least, for turns are no closer. */
static inline size_t hdl_ng_pace_burst(ngtcp2_conn *conn,
				       const struct hdl_ng_pace *p)
{
	size_t n = ngtcp2_conn_get_send_quantum(conn);
	ngtcp2_conn_stat v;
	double due;

	(void)p;
	ngtcp2_conn_get_conn_stat(conn, &v);
	due = v.pacing_rate * 2 * NGTCP2_MILLISECONDS;
	if (due > HDL_NG_BURST_MAX)
		due = HDL_NG_BURST_MAX;
	return due > (double)n ? (size_t)due : n;
}

static inline void hdl_ng_pace_sent(ngtcp2_conn *conn, struct hdl_ng_pace *p,
				    size_t bytes, uint64_t now)
{
	uint64_t wait, sooner;
	ngtcp2_conn_stat v;

	if (bytes == 0)
		return;
	ngtcp2_conn_get_conn_stat(conn, &v);
	wait = v.pacing_rate > 0 ? (uint64_t)((double)bytes / v.pacing_rate)
				 : 0;
	sooner = wait < p->late ? wait : p->late;
	p->late -= sooner;
	p->at = now - sooner + wait;
	ngtcp2_conn_update_pkt_tx_time(conn, now - sooner);
}

struct hdl_ng_why {
	ngtcp2_connection_close_error v;
};
#define HDL_NG_BBR NGTCP2_CC_ALGO_BBR

static inline uint64_t hdl_ng_in_flight(ngtcp2_conn *conn)
{
	ngtcp2_conn_stat v;

	ngtcp2_conn_get_conn_stat(conn, &v);
	return v.bytes_in_flight;
}

static inline void hdl_ng_why_liberr(struct hdl_ng_why *why, ngtcp2_conn *conn,
				     int liberr)
{
	ngtcp2_connection_close_error_default(&why->v);
	if (liberr == NGTCP2_ERR_CRYPTO)
		ngtcp2_connection_close_error_set_transport_error_tls_alert(
			&why->v, ngtcp2_conn_get_tls_alert(conn), NULL, 0);
	else
		ngtcp2_connection_close_error_set_transport_error_liberr(
			&why->v, liberr, NULL, 0);
}

static inline void hdl_ng_why_ours(struct hdl_ng_why *why, uint64_t number)
{
	ngtcp2_connection_close_error_default(&why->v);
	ngtcp2_connection_close_error_set_application_error(&why->v, number,
							    NULL, 0);
}

static inline struct hdl_ng_why hdl_ng_closed(ngtcp2_conn *conn)
{
	struct hdl_ng_why why;

	ngtcp2_conn_get_connection_close_error(conn, &why.v);
	return why;
}

#define HDL_NG_OURS NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION
#define HDL_NG_TRANSPORT NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_TRANSPORT

static inline void hdl_ng_stream_stop(ngtcp2_conn *conn, int64_t id,
				      uint64_t number)
{
	(void)ngtcp2_conn_shutdown_stream(conn, id, number);
}

static inline void hdl_ng_first_dcid(ngtcp2_transport_params *p,
				     const ngtcp2_cid *dcid)
{
	p->original_dcid = *dcid;
}

#endif

static inline bool hdl_ng_is_ours(const struct hdl_ng_why *why, uint64_t number)
{
	return why->v.type == HDL_NG_OURS && why->v.error_code == number;
}

static inline bool hdl_ng_is_alert(const struct hdl_ng_why *why)
{
	return why->v.type == HDL_NG_TRANSPORT &&
	       why->v.error_code >= HDL_NG_ALERT &&
	       why->v.error_code <= HDL_NG_ALERT_LAST;
}
