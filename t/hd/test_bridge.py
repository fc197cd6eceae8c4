# SPDX-License-Identifier: MIT
"""HD's and DERP's clients of one relay with `hd.bridge`, in TAP;
t/system/hd-bridge.t starts the relays and runs this: PORT, PORT of a relay
that meshes with it, or the same, CONTROL SOCKET, [RULED]."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ctl  # noqa: E402
import derp  # noqa: E402
import hd  # noqa: E402
import tap  # noqa: E402
from nacl.public import PrivateKey  # noqa: E402

HOST = "127.0.0.1"
PORT, OTHER, CONTROL = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
hdctl = ctl.at(CONTROL)
VISITED = hd.KNOCKS_FLAG | hd.VISITORS_FLAG


def client(port=PORT, **how):
    return hd.Client(HOST, port, **how)


def guest(port=OTHER, **how):
    return derp.Client(HOST, port, **how)


def until_it_is_there(a, send, got):
    """At two relays that mesh the first ones may come too early."""
    end = time.monotonic() + hd.TIMEOUT
    while time.monotonic() < end:
        send()
        a.ping()
        if any(k in got for k, _ in a.waiting):
            return
        time.sleep(0.05)
    raise AssertionError("nothing came")


def met(h, d, handle):
    """A packet has come from each to the other."""
    until_it_is_there(h, lambda: d.send_to(h.address, b"hello"),
                      [hd.PACKETS])
    while h.packet() != (handle, b"hello"):
        pass  # another one's, which came late
    until_it_is_there(d, lambda: h.send_packets((handle, b"and back")),
                      [derp.RECV])
    while d.packet() != (h.address, b"and back"):
        pass


def bridge_packets_both_ways():
    h, d = client(), guest()
    handle = h.allow(d.address)
    met(h, d, handle)
    h.send(hd.frame(hd.PACKET_TO, d.address + b"by address"))
    while d.packet() != (h.address, b"by address"):
        pass
    # those of Tailscale's path discovery are packets as others are
    d.send_to(h.address, derp.DISCO)
    while h.packet() != (handle, derp.DISCO):
        pass


def bridge_consent_holds():
    h, d = client(), guest()
    friend = client()
    of_friend = h.allow(friend.address)
    to_h = friend.allow(h.address)
    for packet in (b"unasked", derp.DISCO):
        d.send_to(h.address, packet)
    d.ping()
    friend.send_packets((to_h, b"asked for"))
    assert h.packet() == (of_friend, b"asked for")
    h.ping()
    assert not [k for k, _ in h.waiting if k in (hd.PACKETS, hd.KNOCK,
                                                 hd.VISITOR)]


def bridge_a_packet_is_a_knock():
    h, d, second = client(flags=VISITED), guest(), guest()
    until_it_is_there(h, lambda: d.send_to(h.address, b"let me in"),
                      [hd.VISITOR])
    assert h.visited() == d.address
    for _ in range(40):
        d.send_to(h.address, b"let me in")
    until_it_is_there(h, lambda: second.send_to(h.address, derp.DISCO),
                      [hd.VISITOR])
    assert h.visited() == second.address
    h.ping()
    assert len([k for k, _ in h.waiting if k == hd.VISITOR]) < 20
    assert not [k for k, _ in h.waiting if k in (hd.PACKETS, hd.KNOCK)]
    met(h, second, h.allow(second.address))


def bridge_who_leaves_is_told():
    h, d = client(), guest()
    handle = h.allow(d.address)
    met(h, d, handle)
    d.close()
    while h.gone() != (handle, 0):
        pass
    d = guest()
    handle = h.allow(d.address)
    met(h, d, handle)
    h.close()
    while d.gone() != (h.address, 0):
        pass


def bridge_who_is_not_there_is_told():
    d = guest(PORT)
    nobody = bytes(PrivateKey.generate().public_key)
    d.send_to(nobody, derp.DISCO)
    assert d.gone() == (nobody, 1)
    h = client()
    handle = h.allow(nobody)
    assert h.gone() == (handle, 1)


def bridge_hd_s_clients_know_each_other_as_before():
    a, b = client(), client(OTHER)
    to_b = a.allow(b.address)
    until_it_is_there(b, lambda: a.knock(b.address, b"it is me"), [hd.KNOCK])
    assert b.knocked() == (a.identity, b"it is me")
    to_a = b.allow(a.address)
    assert a.allowed() == to_b
    assert b.allowed() == to_a
    largest = os.urandom(a.packet_max)
    a.send_packets((to_b, largest))
    assert b.packet() == (to_a, largest)


def bridge_guests_see_no_signal():
    h, d = client(), guest()
    handle = h.allow(d.address)
    h.knock(d.address, b"nothing for you")
    met(h, d, handle)
    d.ping()
    assert not [p for k, p in d.waiting
                if k == derp.RECV and p[32:] != b"and back"]


def bridge_guests_forge_no_signal():
    """What looks like one and has not the relays' MAC is a packet."""
    h, d = client(flags=VISITED), guest()
    handle = h.allow(d.address)
    forged = derp.DISCO[:6] + bytes(32) + b"HD/2 signal, not for you" + \
        b"\1" + h.identity
    met(h, d, handle)
    d.send_to(h.address, forged)
    while h.packet() != (handle, forged):
        pass
    h.ping()
    assert not [k for k, _ in h.waiting if k in (hd.KNOCK, hd.ALLOWED)]


def bridge_one_key_for_both():
    """The secret of the address is the client's own: RFC 8032, 5.1.5."""
    h = client(PORT)
    d = guest(PORT, key=PrivateKey(
        bytes(h.key.to_curve25519_private_key())))
    assert d.address == h.address
    shown = [p["proto"] for p in hdctl("peers")
             if p["key"] == h.address.hex()]
    assert sorted(shown) == ["derp", "hd"], shown


def bridge_packets_go_to_who_spoke_last():
    h, friend = client(PORT), client(PORT)
    to_h = friend.allow(h.address)
    of_friend = h.allow(friend.address)
    d = guest(PORT, key=PrivateKey(
        bytes(h.key.to_curve25519_private_key())))
    friend.send_packets((to_h, b"to the newest"))
    assert d.packet() == (friend.address, b"to the newest")
    h.ping()
    friend.send_packets((to_h, b"to who spoke last"))
    assert h.packet() == (of_friend, b"to who spoke last")
    d.ping()
    assert not [k for k, _ in d.waiting if k == derp.RECV]


def bridge_a_contact_is_no_visitor():
    h, d = client(flags=VISITED), guest()
    handle = h.allow(d.address)
    met(h, d, handle)
    d.send_to(h.address, bytes(65536))  # which HD has no frame for
    d.send_to(h.address, b"behind it")
    while h.packet() != (handle, b"behind it"):
        pass  # another one of before, which came late
    h.ping()
    assert not [k for k, _ in h.waiting if k == hd.VISITOR]


def bridge_who_is_denied_comes_by_neither():
    h = client(PORT)
    key = PrivateKey(bytes(h.key.to_curve25519_private_key()))
    d = guest(PORT, key=key)
    hdctl("hd", "deny", h.address.hex(), "--why", "stolen")
    assert h.closed() and d.closed()
    try:
        guest(PORT, key=key)
        raise AssertionError("it was let in")
    except derp.Closed:
        pass
    hdctl("hd", "forget", h.address.hex())
    guest(PORT, key=key).ping()


def ruled_both_by_the_address():
    h, d = client(), guest()
    handle = h.allow(d.address)
    met(h, d, handle)
    same = guest(key=PrivateKey(bytes(h.key.to_curve25519_private_key())))
    hdctl("peer", "revoke", h.address.hex(), "--why", "lost")
    assert h.closed() and same.closed()
    for key in (h.key, hd.OtherSign(h.key)):
        try:
            client(key=key)
            raise AssertionError("it was let in")
        except hd.Denied as e:
            assert "lost" in str(e), e
    try:
        guest(key=same.key)
        raise AssertionError("it was let in")
    except derp.Closed:
        pass


def apart_without_the_bridge():
    h, d = client(), guest()
    handle = h.allow(d.address)
    assert h.gone() == (handle, 1)
    d.send_to(h.address, derp.DISCO)
    assert d.gone() == (h.address, 1)


def apart_who_is_denied_is_so_by_hd():
    h = client()
    d = guest(key=PrivateKey(bytes(h.key.to_curve25519_private_key())))
    hdctl("hd", "deny", h.address.hex())
    assert h.closed()
    d.ping()


def main():
    given = sys.argv[4].lower() + "_"
    return tap.run([(n, f) for n, f in list(globals().items())
                    if n.startswith(given)]) != 0


sys.exit(main())
