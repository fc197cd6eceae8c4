# SPDX-License-Identifier: MIT
"""Groups that credentials name, in TAP; t/system/hd-groups.t starts the relay,
`enroll: invited`, and runs this: PORT, CONTROL SOCKET, 1 if an upgrade can be
followed else 0, `hd.bridge`. The operator of the seed 7 is one of `hd.operators`."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ctl  # noqa: E402
import hd  # noqa: E402
import tap  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

HOST, PORT, CONTROL = "127.0.0.1", int(sys.argv[1]), sys.argv[2]
UPGRADES, BRIDGED = sys.argv[3] == "1", sys.argv[4] == "yes"
hdctl = ctl.at(CONTROL)
OTHER = SigningKey(bytes([7]) * 32)


CREDENTIALS = {}


def member(*words, **how):
    """A client whose credential says this."""
    if words not in CREDENTIALS:
        CREDENTIALS[words] = hd.with_credential(
            hdctl("hd", "credential", "new", "x", *words)["credential"])
    return hd.Client(HOST, PORT, proofs=CREDENTIALS[words], **how)


def of(group, **how):
    return member("--group", group, **how)


def of_the_other_operator(group):
    key = SigningKey.generate()
    said = hd.statement(OTHER, bytes(key.verify_key), group=group)
    return hd.Client(HOST, PORT, key=key, proofs=lambda *who:
                     hd.credential_proof(said, *who))


def quiet(c, *kinds):
    c.ping()
    return not [k for k, _ in c.waiting if k in kinds]


def a_group_is_allowed():
    a, b = of("ops"), of("dev")
    assert b.allow_group(b"ops")
    to_b = a.allow(b.address)
    to_a, address = b.contact_by_group()
    assert address == a.address
    assert a.allowed() == to_b and b.allowed() == to_a
    a.send_packets((to_b, b"hello"))
    assert b.packet() == (to_a, b"hello")
    b.send_packets((to_a, b"and back"))
    assert a.packet() == (to_b, b"and back")
    a.close()
    assert b.gone() == (to_a, 0)


def a_knock_says_the_group():
    a, b = of("ops"), of("dev")
    to_b = a.allow(b.address)
    a.ping()
    assert b.allow_group(b"ops")
    a.knock(b.address)
    assert b.contact_by_group()[1] == a.address
    assert a.allowed() == to_b
    assert quiet(b, hd.KNOCK)


def others_are_not():
    b = of("dev")
    assert b.allow_group(b"ops")
    for stranger in (member(), of("ops2"), of("dev"),
                     of_the_other_operator(b"ops"),
                     of_the_other_operator(b"")):
        to_b = stranger.allow(b.address)
        stranger.send_packets((to_b, b"unasked"))
        stranger.to_group(b"dev", b"unasked")
        stranger.ping()
    assert quiet(b, hd.CONTACT, hd.PACKETS)
    # of two operators, each has its own groups of one name
    c = of_the_other_operator(b"x")
    assert c.allow_group(b"ops")
    ours, theirs = of("ops"), of_the_other_operator(b"ops")
    ours.allow(c.address)
    ours.ping()
    theirs.allow(c.address)
    assert c.contact_by_group()[1] == theirs.address


def who_has_none_goes_by_the_relay_s_operator():
    # who was let in by an invitation shows no credential
    b = hd.Client(HOST, PORT, proofs=hd.with_invitation(
        hdctl("hd", "invite")["invitation"]))
    assert b.allow_group(b"ops")
    a = of("ops")
    a.allow(b.address)
    assert b.contact_by_group()[1] == a.address
    # and sends to none
    a.allow(b.address)
    b.to_group(b"ops", b"from nobody of the operator's")
    b.ping()
    assert quiet(a, hd.PACKETS)


def a_group_is_forbidden():
    a, b, late = of("ops"), of("dev"), of("ops")
    assert b.allow_group(b"ops")
    to_b = a.allow(b.address)
    to_a, _ = b.contact_by_group()
    b.send(hd.frame(hd.FORBID_GROUP, b"ops"))
    b.ping()
    late.send_packets((late.allow(b.address), b"too late"))
    late.ping()
    a.send_packets((to_b, b"a contact stays"))
    assert b.packet() == (to_a, b"a contact stays")
    assert quiet(b, hd.CONTACT, hd.PACKETS)
    b.forbid(to_a)
    b.ping()
    a.send_packets((to_b, b"until that ends, too"))
    a.ping()
    assert quiet(b, hd.CONTACT, hd.PACKETS)


def groups_have_a_limit():
    b = of("dev")
    names = [b"g%d" % i for i in range(5)]
    assert [b.allow_group(n) for n in names] == [True] * 4 + [False]
    assert b.allow_group(names[0])
    b.send(hd.frame(hd.FORBID_GROUP, names[0]))
    assert b.allow_group(names[4])


def value(metric):
    return sum(m["value"] for m in hdctl("metrics") if m["name"] == metric)


def bytes_of(c):
    return [p["bytes_in"] for p in hdctl("peers")
            if p["key"] == c.address.hex()][0]


def a_packet_reaches_a_group():
    a = of("boss")
    crew = [of("crew") for _ in range(5)]
    for c in crew[:3]:
        assert c.allow_group(b"boss")
    by_name = crew[3].allow(a.address)
    deaf, outside = crew[4], of("boss")
    before = bytes_of(a)
    packet = os.urandom(10000)
    a.to_group(b"crew", packet)
    for c in crew[:3]:
        handle, address = c.contact_by_group()
        assert address == a.address
        assert c.packet() == (handle, packet)
    assert crew[3].packet() == (by_name, packet)
    a.ping()
    assert quiet(deaf, hd.PACKETS, hd.CONTACT, hd.KNOCK)
    assert quiet(outside, hd.PACKETS, hd.CONTACT)
    assert quiet(a, hd.PACKETS)
    # each copy is counted as what it has sent
    assert 50000 < bytes_of(a) - before < 52000, bytes_of(a) - before
    crew[0].close()
    a.to_group(b"crew", b"")
    for c in crew[1:4]:
        assert c.packet()[1] == b""
    # who is in the group sends to it, and not to itself
    crew[1].to_group(b"crew", b"we")
    crew[1].ping()
    assert quiet(crew[1], hd.PACKETS)


def in_order_with_others():
    """A packet to a group and one to a handle do not overtake each other."""
    crew = [of("order") for _ in range(6)]
    a = of("order")
    handles = [a.allow(c.address) for c in crew]
    for c in crew:
        c.allow(a.address)
    want = []
    for i in range(20):
        a.to_group(b"order", b"all %d" % i)
        a.send_packets(*((h, b"you %d" % i) for h in handles))
        want += [b"all %d" % i, b"you %d" % i]
    for c in crew:
        assert [c.packet()[1] for _ in want] == want


def dropped_between_workers():
    return sum(m["value"] for m in hdctl("metrics")
               if m["name"] == "hyper_derp_send_drops_total" and
               'reason="xfer_full"' in m["labels"])


def has_got(c):
    """How many packets."""
    c.ping()
    return len([k for k, _ in c.waiting if k == hd.PACKETS])


def one_text_does_not_clear_another(crew, late):
    """Of two things that are not well the later is told, and when it is over
    the other one once more. `late` has a place at the end, and so has who comes
    instead of it in `crew`."""
    hdctl("drain", "--for", "1h")
    assert b"about to stop" in late.wait(hd.HEALTH)[1]
    hdctl("undrain")
    assert b"group is full" in late.wait(hd.HEALTH)[1]
    assert crew[5].wait(hd.HEALTH)[1] and not crew[5].wait(hd.HEALTH)[1]
    hdctl("drain", "--for", "1h")
    assert b"about to stop" in late.wait(hd.HEALTH)[1]
    left = crew[255]
    left.close()
    until = time.monotonic() + hd.TIMEOUT
    while left.address.hex() in [p["key"] for p in hdctl("peers")]:
        assert time.monotonic() < until
    late.ping()  # what has come before does not count
    late.waiting = [w for w in late.waiting if w[0] != hd.KEEP_ALIVE]
    for _ in range(2):
        late.wait(hd.KEEP_ALIVE)
    hdctl("undrain")
    assert not late.wait(hd.HEALTH)[1]
    crew[255] = late


def a_full_group():
    """One more is told; all copies of a long packet arrive."""
    if BRIDGED:
        return  # the same once more
    told = value("hyper_derp_hd_groups_full_total")
    with ctl.watch(CONTROL, "hd.group_full") as events:
        crew = [of("full") for _ in range(256)]
        late = of("full")
        assert b"full" in late.wait(hd.HEALTH)[1]
        event = next(events)
        assert event["event"] == "hd.group_full", event
        assert event["data"] == {"key": late.address.hex(), "group": "full",
                                 "members": 256}, event
    assert value("hyper_derp_hd_groups_full_total") == told + 1
    one_text_does_not_clear_another(crew, late)
    late = of("full")
    assert b"full" in late.wait(hd.HEALTH)[1]
    for c in crew + [late]:
        assert c.allow_group(b"full")
    before = dropped_between_workers()
    crew[0].to_group(b"full", bytes(16384))
    crew[0].ping()
    until = time.monotonic() + hd.TIMEOUT
    while True:
        dropped = dropped_between_workers() - before
        got = sum(has_got(c) for c in crew)
        if got == 255:
            break
        assert time.monotonic() < until and not dropped, (got, dropped)
    assert has_got(late) == 0
    if UPGRADES:
        said = hdctl("upgrade")
        print("# taken over by", said["pid"], flush=True)
        crew[2].to_group(b"full", b"the same as before")
        for c in crew[:2] + crew[3:]:
            while c.packet()[1] != b"the same as before":
                pass
        assert has_got(late) == 0
    crew[1].close()
    while late.wait(hd.HEALTH)[1]:
        pass  # it has a place
    crew[0].to_group(b"full", b"for all of you")
    while late.packet()[1] != b"for all of you":
        pass
    for c in crew:
        c.close()


def copies_are_charged():
    """1,000 bytes a second, and at once little more than one largest packet:
    of 16 copies some do not go."""
    a = member("--group", "loud", "--rate", "1000")
    crew = [of("many") for _ in range(16)]
    for c in crew:
        assert c.allow_group(b"loud")
    before = value("hyper_derp_hd_group_copies_total")
    a.to_group(b"many", bytes(16384))
    until = time.monotonic() + hd.TIMEOUT
    while value("hyper_derp_hd_group_copies_dropped_total") == 0:
        assert time.monotonic() < until, "nothing was dropped"
        time.sleep(0.05)
    went = value("hyper_derp_hd_group_copies_total") - before
    assert 1 <= went < 16, went


def empty_copies_are_charged_too():
    """As frames of a packet, which have 10 bytes: at once no more than 6,560 of
    48,000 go, and 100 a second."""
    a = member("--group", "terse", "--rate", "1000")
    crew = [of("lots") for _ in range(16)]
    dropped = value("hyper_derp_hd_group_copies_dropped_total")
    before = value("hyper_derp_hd_group_copies_total")
    a.send(hd.frame(hd.PACKET_TO_GROUP, b"\4lots") * 3000)
    until = time.monotonic() + hd.TIMEOUT
    while value("hyper_derp_hd_group_copies_dropped_total") == dropped:
        assert time.monotonic() < until, "nothing was dropped"
        time.sleep(0.05)
    went = value("hyper_derp_hd_group_copies_total") - before
    assert 1 <= went < 16000, went
    for c in crew:
        c.close()


def outlives(*words):
    """Who is here of a group, and whom a client allows, are so after it."""
    boss, there, gone = of("above"), of("below"), of("below")
    for c in (there, gone):
        assert c.allow_group(b"above")
    said = hdctl(*words)
    if "upgrade" in words:
        print("# taken over by", said["pid"], flush=True)
    gone.close()
    later = of("below")
    assert later.allow_group(b"above")
    boss.to_group(b"below", b"all of you")
    for c in (there, later):
        handle, address = c.contact_by_group()
        assert address == boss.address
        assert c.packet() == (handle, b"all of you")
    later.allow_group(b"below")
    there.to_group(b"below", b"we two")
    handle, address = later.contact_by_group()
    assert address == there.address and later.packet()[1] == b"we two"


def groups_outlive_a_reload():
    outlives("module", "reload", "hd")


def groups_outlive_an_upgrade():
    if UPGRADES:
        outlives("upgrade")


def frames_that_cannot_be():
    for bad in (hd.frame(hd.ALLOW_GROUP), hd.frame(hd.FORBID_GROUP),
                hd.frame(hd.ALLOW_GROUP, bytes(64)),
                hd.frame(hd.PACKET_TO_GROUP, b"\0x"),
                hd.frame(hd.PACKET_TO_GROUP, b"\3ab"),
                hd.frame(hd.PACKET_TO_GROUP, b"\1a" + bytes(16385)),
                hd.frame(hd.PACKET_TO_GROUP, b"\x40" + bytes(70))):
        c = of("ops")
        c.send(bad)
        assert c.closed(), bad


sys.exit(tap.run([(f.__name__, f) for f in (
    a_group_is_allowed, a_knock_says_the_group, others_are_not,
    who_has_none_goes_by_the_relay_s_operator, a_group_is_forbidden,
    groups_have_a_limit, a_packet_reaches_a_group, in_order_with_others,
    a_full_group,
    copies_are_charged, empty_copies_are_charged_too,
    groups_outlive_a_reload, groups_outlive_an_upgrade,
    frames_that_cannot_be)]) != 0)
