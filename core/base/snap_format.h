/* SPDX-License-Identifier: MIT */
/* core/base/snap_format.h - the tags of a snapshot, one number space. A tag
 * keeps its meaning for ever: what changes gets a new one, and
 * HD_SNAP_FORMAT grows; t/unit/snap_format.c has the hash of this list. */
#pragma once
#include "core/base/snap.h"

#define HD_SNAP_FORMAT 8
/* The oldest version that is read here, and whose readers are to understand
 * what is written here: all that came after it is an item of a connection, or
 * has HD_SNAP_SKIP. */
#define HD_SNAP_FORMAT_OLDEST 3

/* Those two, of this binary; t/lib/bumped.c has others. */
extern const uint32_t hd_snap_format, hd_snap_format_oldest;

struct hd_snap_version { /* at the head of a snapshot; 0: not there */
	uint64_t format, oldest;
};

/* hd_snap_version_take - returns 1 it was an item of this; 0; -EBADMSG.
 * hd_snap_version_fits - each of the two binaries understands what the other
 * one writes: for who reads. hd_snap_version_reads - the same, for who writes.
 */
int hd_snap_version_take(struct hd_snap_version *v,
			 const struct hd_snap_item *item);
bool hd_snap_version_fits(const struct hd_snap_version *theirs);
bool hd_snap_version_reads(const struct hd_snap_version *theirs);

/* F(name, number, kind): G items, N number, B bytes, T text, P place.
 * Given up, and given to nothing else: 0x001e, 0x001f, 0x0023. */
#define HD_SNAP_TAGS(F)                                                        \
	F(VERSION, 0x0001, N)                                                  \
	F(RELAY_VERSION, 0x8002, T)                                            \
	F(MODULE, 0x0003, G)                                                   \
	F(MODULE_NAME, 0x0004, T)                                              \
	F(MODULE_STATE, 0x0005, N)                                             \
	F(MODULE_PACK, 0x0006, N)                                              \
	F(MODULE_PACK_OLDEST, 0x0007, N)                                       \
	F(PACK, 0x0008, G)                                                     \
	F(PACK_WORKER, 0x0009, N)                                              \
	F(PACK_BYTES, 0x000a, B)                                               \
	F(PACK_FD, 0x000b, B)                                                  \
	F(PACK_GROUP, 0x000c, G)                                               \
	F(OLDEST, 0x800d, N)                                                   \
	F(PACK_KEY, 0x800e, B)                                                 \
	F(STREAM, 0x0010, G)                                                   \
	F(STREAM_INDEX, 0x0011, N)                                             \
	F(STREAM_MODULE, 0x0012, T)                                            \
	F(STREAM_PROTO, 0x0013, T)                                             \
	F(STREAM_LISTENER, 0x0014, B)                                          \
	F(STREAM_FLAGS, 0x0015, N)                                             \
	F(STREAM_STATE, 0x0016, B)                                             \
	F(STREAM_WANT, 0x0017, N)                                              \
	F(STREAM_KEPT, 0x0018, B)                                              \
	F(STREAM_ADDR, 0x0019, B)                                              \
	F(STREAM_SINCE_MS, 0x001a, N)                                          \
	F(STREAM_SINCE_NS, 0x001b, N)                                          \
	F(STREAM_BYTES_IN, 0x001c, N)                                          \
	F(STREAM_BYTES_OUT, 0x001d, N)                                         \
	F(STREAM_UNACKED, 0x0020, N)                                           \
	F(STREAM_KERNEL_TRIES, 0x0021, N)                                      \
	F(STREAM_QUEUE, 0x0022, G)                                             \
	F(CHUNK, 0x0024, G)                                                    \
	F(CHUNK_FRAMES, 0x0025, N)                                             \
	F(CHUNK_RAW, 0x0026, N)                                                \
	F(CHUNK_BYTES, 0x0027, B)                                              \
	F(STREAM_DROP, 0x8028, P)                                             \
	F(STREAM_DEADLINE, 0x8029, P)                                         \
	F(QUEUE_NAME, 0x002a, T)                                              \
	F(STREAM_PROXY, 0x002b, B)                                             \
	F(STREAM_NAMED, 0x002c, B)                                             \
	F(TLS, 0x0030, G)                                                      \
	F(TLS_SERVER_NAME, 0x0031, T)                                          \
	F(TLS_PARTIAL, 0x0032, B)                                              \
	F(TLS_KERNEL, 0x0033, N)                                               \
	F(RECORDS, 0x0040, G)                                                  \
	F(RECORDS_SUITE, 0x0041, N)                                            \
	F(RECORDS_RX_SEQ, 0x0042, N)                                           \
	F(RECORDS_RX_IV, 0x0043, B)                                            \
	F(RECORDS_RX_KEY, 0x0044, B)                                           \
	F(RECORDS_RX_SECRET, 0x0045, B)                                        \
	F(RECORDS_TX_SEQ, 0x0046, N)                                           \
	F(RECORDS_TX_IV, 0x0047, B)                                            \
	F(RECORDS_TX_KEY, 0x0048, B)                                           \
	F(RECORDS_TX_SECRET, 0x0049, B)                                        \
	F(RECORDS_MESSAGE, 0x004a, B)                                          \
	F(RECORDS_MESSAGE_BYTES, 0x004b, N)                                    \
	F(RECORDS_EMPTY, 0x004c, N)                                            \
	F(RECORDS_OWES_UPDATE, 0x004d, N)                                      \
	F(RECORDS_ENDED, 0x004e, N)                                            \
	F(RECORDS_STREAM, 0x004f, N)                                           \
	F(WS, 0x0050, G)                                                       \
	F(WS_LIMIT, 0x0051, N)                                                 \
	F(WS_OPCODE, 0x0052, N)                                                \
	F(WS_HEAD_BYTES, 0x0053, N)                                            \
	F(WS_CONTROL_BYTES, 0x0054, N)                                         \
	F(WS_IN_PAYLOAD, 0x0055, N)                                            \
	F(WS_LEFT, 0x0056, N)                                                  \
	F(WS_MESSAGE_BYTES, 0x0057, N)                                         \
	F(WS_HEAD, 0x0058, B)                                                  \
	F(WS_MASK, 0x0059, B)                                                  \
	F(WS_CONTROL, 0x005a, B)                                               \
	F(WS_HEARD, 0x005b, N)                                                 \
	F(WS_TIMEOUT, 0x005c, N)                                               \
	F(WS_PING, 0x005d, N)                                                  \
	F(WS_SUBPROTOCOL, 0x005e, T)                                           \
	F(WS_REASON, 0x005f, T)                                                \
	F(PEER, 0x0060, G)                                                     \
	F(PEER_KEY, 0x0061, B)                                                 \
	F(PEER_REALM, 0x0062, T)                                               \
	F(PEER_TENANT, 0x0063, T)                                              \
	F(PEER_LABEL, 0x0064, T)                                               \
	F(PEER_AGENT, 0x0065, B)                                               \
	F(PEER_FLAGS, 0x0066, N)                                               \
	F(PEER_BITS, 0x0067, N)                                                \
	F(PEER_PACKETS_IN, 0x0068, N)                                          \
	F(PEER_PACKETS_OUT, 0x0069, N)                                         \
	F(PEER_NOT_HERE_TOKENS, 0x006a, N)                                     \
	F(PEER_NOT_HERE_MS, 0x006b, N)                                         \
	F(PEER_PROVEN_US, 0x006c, N)                                           \
	F(PEER_LIMIT, 0x006d, N)                                               \
	F(PEER_LIMITS, 0x006e, G)                                              \
	F(PEER_PACK, 0x006f, G)                                                \
	F(GONE, 0x0070, G)                                                     \
	F(GONE_KEY, 0x0071, B)                                                 \
	F(GONE_REALM, 0x0072, T)                                               \
	F(GONE_TENANT, 0x0073, T)                                              \
	F(GONE_OWED, 0x0074, B)                                                \
	F(AWAY, 0x8075, G)                                                     \
	F(AWAY_HAD_WAY, 0x8076, N)                                             \
	F(AHEAD, 0x0078, B)                                                    \
	F(TAKES_AHEAD, 0x8079, N)                                              \
	F(LIMITS_OF, 0x0080, N)                                                \
	F(LIMITS_RATE, 0x0081, N)                                              \
	F(LIMITS_BURST, 0x0082, N)                                             \
	F(LIMITS_PACKET, 0x0083, N)                                            \
	F(LIMITS_CONNECTIONS, 0x0084, N)                                       \
	F(DEBT, 0x0088, G)                                                     \
	F(DEBT_KEY, 0x0089, B)                                                 \
	F(DEBT_REALM, 0x008a, T)                                               \
	F(DEBT_TENANT, 0x008b, T)                                              \
	F(DEBT_PAID_NS, 0x008c, N)                                             \
	F(DEBT_RATE, 0x008d, N)                                                \
	F(DEBT_BURST, 0x008e, N)                                               \
	F(METRIC, 0x8090, G)                                                   \
	F(METRIC_MODULE, 0x0091, T)                                            \
	F(METRIC_NAME, 0x0092, T)                                              \
	F(METRIC_LABELS, 0x0093, T)                                            \
	F(METRIC_VALUE, 0x0094, N)                                             \
	F(METRIC_SUM, 0x0095, N)                                               \
	F(METRIC_CELLS, 0x0096, B)                                             \
	F(METRIC_FAMILY, 0x8097, T)                                            \
	F(METRIC_SERIES, 0x8098, T)                                            \
	F(WS_MESSAGES, 0x00a0, N)                                              \
	F(WS_PART, 0x00a1, B)                                                  \
	F(TRACE, 0x80a8, G)                                                    \
	F(TRACE_WHAT, 0x00a9, T)                                               \
	F(TRACE_TIME, 0x00aa, N)                                               \
	F(TRACE_KEY, 0x00ab, B)                                                \
	F(TRACE_PROTO, 0x00ac, T)                                              \
	F(TRACE_WHY, 0x00ad, T)                                                \
	F(TRACE_ADDR, 0x00ae, B)                                               \
	F(TRACE_SECONDS, 0x00af, N)                                            \
	F(TRACE_BYTES_IN, 0x00b0, N)                                           \
	F(TRACE_BYTES_OUT, 0x00b1, N)                                          \
	F(TRACE_DROPS, 0x00b2, N)                                              \
	F(FUND, 0x80b8, G)                                                     \
	F(FUND_TENANT, 0x00b9, T)                                              \
	F(FUND_PAID_NS, 0x00ba, N)

enum hd_snap_tag {
#define HD_SNAP_TAG(name, number, kind) HD_SNAP_##name = number,
	HD_SNAP_TAGS(HD_SNAP_TAG)
#undef HD_SNAP_TAG
};
