/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp_frame.c - see wg_xdp_frame.h. Sums are taken byte by byte from
 * the finished packet, as RFC 1071 describes them. */
#include <arpa/inet.h>
#include <string.h>
#include "t/unit/wg_xdp_frame.h"

static void put16(struct frame *f, size_t at, unsigned v)
{
	f->b[at] = (uint8_t)(v >> 8);
	f->b[at + 1] = (uint8_t)v;
}

static void add16(struct frame *f, unsigned v)
{
	put16(f, f->n, v);
	f->n += 2;
}

static void add(struct frame *f, const void *p, size_t n)
{
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

uint16_t frame_get16(const struct frame *f, size_t at)
{
	return (uint16_t)(f->b[at] << 8 | f->b[at + 1]);
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s > 0xffff)
		s = (s >> 16) + (s & 0xffff);
	return s;
}

static uint32_t pseudo_sum(const struct frame *f)
{
	uint32_t s = f->is_v6 ? sum(0, f->b + f->ip + 8, 32)
			      : sum(0, f->b + f->ip + 12, 8);

	return s + 17 + frame_get16(f, f->udp + 4);
}

static uint32_t udp_sum(const struct frame *f)
{
	return sum(pseudo_sum(f), f->b + f->udp, frame_get16(f, f->udp + 4));
}

static void add_ethernet(struct frame *f, const struct frame_spec *s)
{
	static const uint8_t macs[12] = { 0x02, 0, 0, 0, 0, 0x01,
					  0x02, 0, 0, 0, 0, 0xff };

	add(f, macs, sizeof(macs));
	for (int i = 0; i < 3 && s->tags[i] != 0; i++) {
		add16(f, i == 0 && s->outer_proto ? s->outer_proto : 0x8100);
		add16(f, s->tags[i]);
	}
	add16(f, f->is_v6 ? 0x86dd : 0x0800);
}

static void add_ip4(struct frame *f, const struct frame_spec *s)
{
	size_t header = s->options ? 24 : 20;
	size_t total = header + 8 + s->len_bytes + (size_t)s->ip_len_off;
	uint8_t addr[4];

	add16(f, (s->options ? 0x4600 : 0x4500) | s->tos);
	add16(f, (unsigned)total);
	add16(f, 0x1234); /* identification */
	add16(f, s->fragment);
	add16(f, (unsigned)(s->ttl ? s->ttl : 57) << 8 | 17);
	add16(f, 0);
	inet_pton(AF_INET, s->from, addr);
	add(f, addr, 4);
	inet_pton(AF_INET, s->to, addr);
	add(f, addr, 4);
	if (s->options)
		add(f, "\x01\x01\x01\x00", 4);
	put16(f, f->ip + 10, ~sum(0, f->b + f->ip, header) & 0xffff);
}

static void add_ip6(struct frame *f, const struct frame_spec *s)
{
	size_t extra = s->next_header ? 8 : 0;
	size_t len = extra + 8 + s->len_bytes + (size_t)s->ip_len_off;
	uint8_t addr[16];

	add16(f, 0x6000 | (unsigned)s->tos << 4);
	add16(f, 0xbeef); /* flow label */
	add16(f, (unsigned)len);
	add16(f, (unsigned)(s->next_header ? s->next_header : 17) << 8 |
			 (s->ttl ? s->ttl : 57));
	inet_pton(AF_INET6, s->from, addr);
	add(f, addr, 16);
	inet_pton(AF_INET6, s->to, addr);
	add(f, addr, 16);
	if (extra)
		add(f, "\x11\x00\x01\x04\x00\x00\x00\x00", 8);
}

static void add_message(struct frame *f, const struct frame_spec *s)
{
	size_t at = f->n;

	for (size_t i = 0; i < s->len_bytes; i++)
		f->b[f->n++] = (uint8_t)(i * 37 + 11);
	for (size_t i = 0; i < 16 && i < s->len_bytes; i++)
		f->b[at + i] = (uint8_t)(i < 4	 ? s->type >> 8 * i
					 : i < 8 ? s->index >> 8 * (i - 4)
						 : s->counter >> 8 * (i - 8));
}

static void put_udp_sum(struct frame *f, const struct frame_spec *s)
{
	if (s->no_checksum)
		return;
	if (s->partial_checksum) {
		put16(f, f->udp + 6, sum(pseudo_sum(f), NULL, 0));
		return;
	}
	unsigned check = ~udp_sum(f) & 0xffff;
	put16(f, f->udp + 6, check ? check : 0xffff);
}

void frame_make(struct frame *f, const struct frame_spec *s)
{
	memset(f, 0, sizeof(*f));
	f->is_v6 = strchr(s->from, ':') != NULL;
	add_ethernet(f, s);
	f->ip = f->n;
	f->is_v6 ? add_ip6(f, s) : add_ip4(f, s);
	f->udp = f->n;
	add16(f, s->from_port);
	add16(f, s->to_port);
	add16(f, (unsigned)(8 + (int)s->len_bytes + s->udp_len_off));
	add16(f, 0);
	add_message(f, s);
	if (s->udp_len_off == 0)
		put_udp_sum(f, s);
	f->n += s->trailer_bytes;
}

void frame_parse(struct frame *f)
{
	f->ip = 14;
	while (f->b[f->ip - 2] == 0x81 || f->b[f->ip - 2] == 0x88)
		f->ip += 4;
	f->is_v6 = f->b[f->ip - 2] == 0x86;
	f->udp = f->ip + (f->is_v6 ? 40 : 20);
}

bool frame_ip_sum_ok(const struct frame *f)
{
	return f->is_v6 || sum(0, f->b + f->ip, 20) == 0xffff;
}

bool frame_udp_sum_ok(const struct frame *f)
{
	return frame_get16(f, f->udp + 6) != 0 && udp_sum(f) == 0xffff;
}

bool frame_addr_is(const struct frame *f, bool source, const char *addr)
{
	size_t len = f->is_v6 ? 16 : 4;
	size_t at = f->ip + (f->is_v6 ? 8 : 12) + (source ? 0 : len);
	uint8_t want[16];

	return inet_pton(f->is_v6 ? AF_INET6 : AF_INET, addr, want) == 1 &&
	       memcmp(f->b + at, want, len) == 0;
}
