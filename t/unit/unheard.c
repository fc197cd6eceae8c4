/* SPDX-License-Identifier: MIT */
/* t/unit/unheard.c - whether anybody hears what is sent over a link. */
#include <netinet/tcp.h>
#include "t/unit/unit.h"
#include "core/relay/way.h"

/* Near: an RTO of 0.2 s. Far: of 0.7 s. A stopped relay's kernel answers. */
static void a_cut_cable_is_told_from_a_slow_link(void **state)
{
	static const struct {
		uint32_t unacked, rto_ms, ack_ms, data_ms, unheard_ms;
		uint8_t times;
	} cases[] = {
		{ 9, 1600, 1500, 1600, 1500, 3 },
		{ 9, 3200, 2900, 1700, 1700, 4 },
		{ 9, 1600, 1499, 9000, 0, 3 }, /* the fourth is under way */
		{ 9, 1600, 9000, 100, 0, 3 }, /* it says something */
		{ 9, 1600, 100, 9000, 0, 3 }, /* no more than that it hears */
		{ 9, 800, 9000, 9000, 0, 2 },
		{ 9, 200, 9000, 9000, 0, 0 },
		{ 0, 200, 9000, 9000, 0, 3 }, /* nothing to wait for */
		{ 9, 5600, 5249, 9000, 0, 3 },
		{ 9, 5600, 5250, 9000, 5250, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < HD_ARRAY_N(cases); i++) {
		const struct tcp_info about = {
			.tcpi_unacked = cases[i].unacked,
			.tcpi_rto = cases[i].rto_ms * 1000,
			.tcpi_backoff = cases[i].times,
			.tcpi_retransmits = cases[i].times,
			.tcpi_last_ack_recv = cases[i].ack_ms,
			.tcpi_last_data_recv = cases[i].data_ms,
		};

		assert_int_equal(hd_link_unheard_in(&about),
				 cases[i].unheard_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_cable_is_told_from_a_slow_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
