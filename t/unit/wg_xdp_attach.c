/* SPDX-License-Identifier: MIT */
/* t/unit/wg_xdp_attach.c - onto an interface, beside others, and off again
 * however the relay ends. In namespaces of its own, with a bpffs of its own. */
#include <errno.h>
#include <linux/if_link.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include "t/unit/wg_xdp_help.h"

static struct hd_error err;

static struct wg_xdp *open_(enum wg_xdp_mode mode, const char *interfaces,
			    int want)
{
	struct wg_xdp_conf conf = { .mode = mode,
				    .port = PORT,
				    .interfaces = interfaces,
				    .paths_max = 4 };
	struct wg_xdp *x = NULL;

	err.text[0] = '\0';
	int r = wg_xdp_open(&conf, &x, &err);
	if (r != want)
		print_error("%d, wanted %d: %s\n", r, want, err.text);
	assert_int_equal(r, want);
	return x;
}

static uint32_t attached_id(uint32_t ifindex)
{
	uint32_t id = 0;

	assert_int_equal(bpf_xdp_query_id((int)ifindex, 0, &id), 0);
	return id;
}

static uint8_t attached_mode(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	assert_int_equal(bpf_xdp_query((int)ifindex, 0, &q), 0);
	return q.attach_mode;
}

static bool gone_within(uint32_t ifindex, unsigned ms)
{
	uint64_t end_ns = wg_xdp_now_ns() + ms * UINT64_C(1000000);

	while (attached_id(ifindex) != 0 && wg_xdp_now_ns() < end_ns)
		sched_yield();
	return attached_id(ifindex) == 0;
}

static void says(const char *words)
{
	if (strstr(err.text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, err.text);
}

static void drv_and_skb(void **state)
{
	static const struct {
		enum wg_xdp_mode mode;
		uint8_t attached;
		const char *text;
	} cases[] = {
		{ WG_XDP_DRV, XDP_ATTACHED_DRV, "drv eth0 eth1" },
		{ WG_XDP_SKB, XDP_ATTACHED_SKB, "skb eth0 eth1" },
		{ WG_XDP_AUTO, XDP_ATTACHED_DRV, "drv eth0 eth1" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < HD_ARRAY_N(cases); i++) {
		struct wg_xdp *x = open_(cases[i].mode, "eth0 eth1", 0);

		assert_int_equal(attached_mode(eth0), cases[i].attached);
		assert_int_equal(attached_mode(eth1), cases[i].attached);
		assert_string_equal(wg_xdp_text(x, text, sizeof(text)),
				    cases[i].text);
		wg_xdp_close(&x);
		assert_null(x);
		assert_int_equal(attached_id(eth0) | attached_id(eth1), 0);
	}
}

static void off_and_nothing_named(void **state)
{
	(void)state;
	assert_null(open_(WG_XDP_OFF, "eth0", 0));
	assert_null(open_(WG_XDP_AUTO, "", 0));
	assert_null(open_(WG_XDP_AUTO, NULL, 0));
	assert_null(open_(WG_XDP_DRV, "", -EINVAL));
	says("wg.xdp_interface");
}

static void auto_takes_what_there_is(void **state)
{
	char text[64];

	(void)state; /* lo's driver has no XDP of its own */
	struct wg_xdp *x = open_(WG_XDP_AUTO, "eth0,lo", 0);
	assert_string_equal(wg_xdp_text(x, text, sizeof(text)), "skb eth0 lo");
	assert_int_equal(attached_mode(eth0), XDP_ATTACHED_SKB);
	wg_xdp_close(&x);
	assert_null(open_(WG_XDP_AUTO, "eth0 nosuch0", 0));
	assert_int_equal(attached_id(eth0), 0);
}

static void a_failure_says_why(void **state)
{
	(void)state;
	open_(WG_XDP_DRV, "eth0 lo", -EOPNOTSUPP);
	says("xdp_attach_failed iface=lo ifindex=1 mode=drv driver=");
	says("kernel=");
	says("xdp: skb");
	assert_int_equal(attached_id(eth0), 0); /* nor the half of it */
	open_(WG_XDP_SKB, "nosuch0", -ENODEV);
	says("there is no such interface");
	open_(WG_XDP_SKB, "a-name-that-is-too-long", -EINVAL);
	says("too long");
	assert_int_equal(system("ip link set far1 mtu 9000;"
				"ip link set eth1 mtu 9000"),
			 0);
	open_(WG_XDP_DRV, "eth1", -ERANGE);
	says("the MTU is too large");
	assert_int_equal(system("ip link set eth1 mtu 1280;"
				"ip link set far1 mtu 1500"),
			 0);
}

static void egress_is(struct wg_xdp *x, const char *dev, uint32_t tags)
{
	struct wg_relay_egress e = { 0 };
	uint32_t ifindex = if_nametoindex(dev);

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(x->bpf->maps.wg_egress),
				    &ifindex, &e),
		0);
	assert_int_equal(e.ifindex, eth0);
	assert_int_equal(e.tags, tags);
}

static void needs_8021q_vlans_are_known(void **state)
{
	(void)state;
	if (system("ip link add link eth0 name v100 type vlan id 100 && "
		   "ip link add link v100 name v7 type vlan id 7 && "
		   "ip link add link eth1 name other type vlan id 9") != 0) {
		print_message("this kernel has no 8021q\n");
		skip();
	}
	struct wg_xdp *x = open_(WG_XDP_SKB, "eth0", 0);
	egress_is(x, "eth0", 0);
	egress_is(x, "v100", 0x1000 | 100);
	egress_is(x, "v7", (0x1000u | 100) << 16 | 0x1000 | 7);
	uint32_t n = 0, key, *prev = NULL;
	while (bpf_map_get_next_key(bpf_map__fd(x->bpf->maps.wg_egress), prev,
				    &key) == 0) {
		n++;
		prev = &key;
	}
	assert_int_equal(n, 3); /* not those of eth1 */
	wg_xdp_close(&x);
	assert_int_equal(system("ip link del v100; ip link del other"), 0);
}

/* ---- others ---- */

static struct xdp_program *other_open(void)
{
	const char *dir = getenv("HD_BUILDDIR");
	char path_[512];

	snprintf(path_, sizeof(path_), "%s/t/unit/xdp_other.bpf.o",
		 dir ? dir : "build");
	struct xdp_program *p = xdp_program__open_file(path_, "xdp", NULL);
	if (libxdp_get_error(p) != 0)
		fail_msg("%s: %ld", path_, libxdp_get_error(p));
	return p;
}

static void a_program_of_others_stays(void **state)
{
	struct xdp_program *other = other_open();
	struct bpf_object *obj = xdp_program__bpf_obj(other);

	(void)state;
	assert_int_equal(bpf_object__load(obj), 0);
	int fd = bpf_program__fd(bpf_object__next_program(obj, NULL));
	assert_int_equal(bpf_xdp_attach((int)eth0, fd, 0, NULL), 0);
	uint32_t id = attached_id(eth0);
	open_(WG_XDP_DRV, "eth0", -EBUSY);
	says("xdp_other");
	says("xdp off");
	assert_null(open_(WG_XDP_AUTO, "eth0", 0));
	assert_int_equal(attached_id(eth0), id);
	bpf_xdp_detach((int)eth0, 0, NULL);
	xdp_program__close(other);
}

/* How many of that name run on eth0, by libxdp's dispatcher. */
static unsigned members_named(const char *name)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)eth0);
	struct xdp_program *p = NULL;
	unsigned n = 0;

	if (libxdp_get_error(mp) != 0)
		return 0;
	while ((p = xdp_multiprog__next_prog(p, mp)) != NULL)
		n += strcmp(xdp_program__name(p), name) == 0;
	xdp_multiprog__close(mp);
	return n;
}

/* Somebody else's program, in libxdp's dispatcher on eth0. A kernel that is
 * locked down refuses programs that replace functions, which it takes. */
static struct xdp_program *other_in_dispatcher(void)
{
	struct xdp_program *other = other_open();
	int r = xdp_program__attach(other, (int)eth0, XDP_MODE_NATIVE, 0);

	if (r == 0 && members_named("xdp_other") == 1)
		return other;
	print_message("no dispatcher of libxdp can be made here (%d): the "
		      "kernel refuses freplace programs, or bpffs is "
		      "missing\n",
		      r);
	bpf_xdp_detach((int)eth0, 0, NULL);
	xdp_program__close(other);
	return NULL;
}

static void other_out(struct xdp_program *other)
{
	assert_int_equal(members_named("xdp_other"), 1);
	assert_int_equal(members_named("wg_relay"), 0);
	assert_int_equal(
		xdp_program__detach(other, (int)eth0, XDP_MODE_NATIVE, 0), 0);
	xdp_program__close(other);
	assert_int_equal(attached_id(eth0), 0);
}

static void needs_freplace_a_dispatcher_is_joined(void **state)
{
	struct xdp_program *other = other_in_dispatcher();

	(void)state;
	if (other == NULL)
		skip();
	struct wg_xdp *x = open_(WG_XDP_DRV, "eth0 eth1", 0);
	assert_int_equal(members_named("xdp_other"), 1);
	assert_int_equal(members_named("wg_relay"), 1);
	wg_xdp_close(&x);
	other_out(other);
}

/* ---- ends ---- */

/* A relay in a process of its own, attached when this returns. */
static pid_t relay_start(const char *interfaces)
{
	int up[2];
	char c;

	assert_int_equal(pipe(up), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct wg_xdp_conf conf = { .mode = WG_XDP_DRV,
					    .port = PORT,
					    .interfaces = interfaces,
					    .paths_max = 4 };
		if (wg_xdp_open(&conf, &xdp, &err) == 0 &&
		    write(up[1], "+", 1) == 1)
			pause();
		_exit(1);
	}
	close(up[1]);
	assert_int_equal(read(up[0], &c, 1), 1);
	close(up[0]);
	return pid;
}

static void relay_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void killed(void **state)
{
	(void)state;
	pid_t pid = relay_start("eth0 eth1");
	assert_int_not_equal(attached_id(eth0), 0);
	relay_kill(pid);
	assert_true(gone_within(eth0, 60000));
	assert_true(gone_within(eth1, 60000));
}

static void killed_and_started_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		relay_kill(relay_start("eth0"));
		struct wg_xdp *x = open_(WG_XDP_DRV, "eth0", 0);
		wg_xdp_close(&x);
	}
}

static void one_relay_for_an_interface(void **state)
{
	(void)state;
	pid_t pid = relay_start("eth0");
	uint32_t id = attached_id(eth0);
	open_(WG_XDP_DRV, "eth1 eth0", -EADDRINUSE);
	says("another running hyper-derp");
	assert_int_equal(attached_id(eth0), id);
	assert_int_equal(attached_id(eth1), 0);
	relay_kill(pid);
}

static void needs_freplace_killed_in_a_dispatcher(void **state)
{
	struct xdp_program *other = other_in_dispatcher();

	(void)state;
	if (other == NULL)
		skip();
	relay_kill(relay_start("eth0"));
	assert_int_equal(members_named("wg_relay"), 1); /* pinned */
	relay_kill(relay_start("eth0"));
	struct wg_xdp *x = open_(WG_XDP_DRV, "eth0", 0);
	assert_int_equal(members_named("wg_relay"), 1);
	assert_int_equal(members_named("xdp_other"), 1);
	wg_xdp_close(&x);
	other_out(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drv_and_skb),
		cmocka_unit_test(off_and_nothing_named),
		cmocka_unit_test(auto_takes_what_there_is),
		cmocka_unit_test(a_failure_says_why),
		cmocka_unit_test(needs_8021q_vlans_are_known),
		cmocka_unit_test(a_program_of_others_stays),
		cmocka_unit_test(needs_freplace_a_dispatcher_is_joined),
		cmocka_unit_test(killed),
		cmocka_unit_test(killed_and_started_at_once),
		cmocka_unit_test(one_relay_for_an_interface),
		cmocka_unit_test(needs_freplace_killed_in_a_dispatcher),
	};
	return xdp_main("wg_xdp_attach", tests, HD_ARRAY_N(tests), NULL, NULL);
}
