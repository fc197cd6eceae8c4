# SPDX-License-Identifier: MIT
"""What two HD clients of a relay see of each other: packets, knocks, intents; in
TAP. t/system/hd.t starts the relay, `enroll: anybody`, and runs this."""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402
from relay import client, pair, run  # noqa: E402


def test_two_clients_exchange_packets():
    (a, b), (of_a, of_b) = pair()
    a.send_packets((of_a[b], b"hello"))
    assert b.packet() == (of_b[a], b"hello")
    b.send_packets((of_b[a], b"and back"))
    assert a.packet() == (of_a[b], b"and back")


def test_many_in_a_frame_and_sizes():
    (a, b), (of_a, of_b) = pair()
    sent = [bytes([i]) * n for i, n in enumerate((0, 1, 1200, 16384, 40000))]
    a.send_packets(*[(of_a[b], p) for p in sent])
    assert [b.packet() for _ in sent] == [(of_b[a], p) for p in sent]
    largest = os.urandom(a.packet_max)
    a.send_packets((of_a[b], largest))
    assert b.packet() == (of_b[a], largest)


def test_nobody_receives_what_it_has_not_allowed():
    a, b, c = client(), client(), client()
    a.allow(b.address)
    of_b = b.allow(c.address)
    for sender in (a, c):
        h = sender.allow(b.address)
        sender.send_packets((h, sender.identity))
        sender.send(hd.frame(hd.PACKET_TO, b.address + sender.identity))
        sender.ping()
    assert [b.packet() for _ in range(2)] == [(of_b, c.identity)] * 2
    a.close()  # what a stranger does is not told, nor that it leaves
    b.ping()
    assert not [k for k, _ in b.waiting if k in (hd.PEER_GONE, hd.PACKETS)]


def test_allow_again_and_again():
    (a, b), (of_a, _) = pair()
    a.send(hd.frame(hd.ALLOW, b.address) * 3000)
    a.ping()  # b hears of a part of it, and goes on
    b.send_packets((b.allow(a.address), b"still here"))
    assert a.packet() == (of_a[b], b"still here")
    a.send_packets((of_a[b], b"and here"))
    b.packet()
    told = len([k for k, _ in b.waiting if k == hd.ALLOWED])
    assert 1 <= told < 1000, told


def test_knock():
    a, b = client(), client()
    to_b = a.allow(b.address)
    a.knock(b.address, b"it is me")
    assert b.knocked() == (a.identity, b"it is me")
    assert hd.address_of(a.identity) == a.address
    to_a = b.allow(a.address)
    assert a.allowed() == to_b
    assert b.allowed() == to_a
    b.send_packets((to_a, b"come in"))
    assert a.packet() == (to_b, b"come in")
    # who has allowed the knocker is not asked again
    a.knock(b.address)
    assert a.allowed() == to_b


def test_knocks_are_few_and_only_where_wanted():
    a, b, c = client(), client(), client(flags=0)
    for other in (b, c):
        a.allow(other.address)
    a.knock(c.address)
    for _ in range(40):
        a.knock(b.address)
    a.ping()
    stranger = client()  # of whom nobody has knocked before
    stranger.knock(b.address)  # no contact of its own: dropped
    stranger.ping()
    b.knocked()
    b.ping()
    c.ping()
    knocks = [p for k, p in b.waiting if k == hd.KNOCK]
    assert 10 < len(knocks) < 40, len(knocks)
    assert all(p == a.identity for p in knocks)
    assert not [k for k, _ in c.waiting if k == hd.KNOCK]


def test_peer_gone():
    (a, b), (of_a, of_b) = pair()
    a.send_packets((of_a[b], b"x"))
    b.packet()
    b.close()
    while a.gone()[1] != 0:  # 1: b was not there yet when a allowed it
        pass
    a.knock(b.address)
    while a.gone() != (of_a[b], 1):
        pass


def test_handles():
    a, b, c = client(), client(), client()
    h = a.allow(b.address)
    assert a.allow(b.address) == h
    a.forbid(h)
    again = a.allow(c.address)
    assert again & 0xFFFF == h & 0xFFFF and again != h
    of_b, of_c = b.allow(a.address), c.allow(a.address)
    a.send_packets((h, b"nobody"), (again, b"c"), (0xFFFFFFFF, b"nobody"),
                   (12345, b"nobody"))
    assert c.packet() == (of_c, b"c")
    assert of_b is not None
    b.ping()
    assert not [k for k, _ in b.waiting if k == hd.PACKETS]


def test_contacts_have_a_limit():
    a = client()
    assert a.contacts_max == 100
    handles = {a.allow(os.urandom(32)) for _ in range(100)}
    assert len(handles) == 100 and None not in handles
    assert a.allow(os.urandom(32)) is None
    a.forbid(handles.pop())
    assert a.allow(os.urandom(32)) is not None


def test_the_newest_connection_of_a_key_gets_packets():
    key = SigningKey.generate()
    first, second = client(key=key), client(key=key)
    other = client()
    h = second.allow(other.address)
    first.allow(other.address)
    second.ping()
    other.send(hd.frame(hd.PACKET_TO, second.address + b"to the last"))
    assert second.packet() == (h, b"to the last")


def test_unknown_frames_are_skipped():
    (a, b), (of_a, of_b) = pair()
    a.send(hd.frame(0x30, os.urandom(14)) + hd.frame(0xEE, bytes(65000)) +
           hd.packets((of_a[b], b"behind it")))
    assert b.packet() == (of_b[a], b"behind it")


# What the two sides want, and what it comes to: 0 directly, 1 through relays,
# 2 not at all. From the specification's table.
MEET = {(0, 0): 0, (0, 1): 0, (0, 2): 1, (0, 3): 1, (1, 1): 0, (1, 2): 0,
        (1, 3): 2, (2, 2): 1, (2, 3): 1, (3, 3): 1}


def test_intents():
    (a, b, c), (of_a, of_b, _) = pair(3)
    number = 7
    for mine in range(4):
        (a, b), (of_a, of_b) = pair()  # knocks' limit is a connection's
        for theirs in (0, 1, 2, 3, 255):
            number += 1
            a.send(hd.frame(hd.OPEN, struct.pack(">IIB", of_a[b], number,
                                                 mine)))
            assert b.wait(hd.INCOMING)[1] == struct.pack(
                ">IIB", of_b[a], number, mine)
            b.send(hd.frame(hd.ANSWER, struct.pack(">IIBB", of_b[a], number,
                                                   mine, theirs)))
            result = 2 if theirs == 255 else MEET[tuple(sorted((mine,
                                                                theirs)))]
            assert a.wait(hd.OPEN_RESULT)[1] == struct.pack(
                ">IIB", of_a[b], number, result), (mine, theirs)
            assert b.wait(hd.ANSWER_RESULT)[1] == struct.pack(
                ">IIB", of_b[a], number, result)


def test_intents_need_consent():
    a, b = client(), client()
    handle = a.allow(b.address)
    opens = hd.frame(hd.OPEN, struct.pack(">IIB", handle, 1, 0))
    a.send(opens)
    a.ping()
    b.ping()
    assert not [k for k, _ in b.waiting if k == hd.INCOMING]
    b.allow(a.address)
    for _ in range(40):
        a.send(opens)
    a.ping()
    b.ping()
    n = len([k for k, _ in b.waiting if k == hd.INCOMING])
    assert 10 < n < 30, n
    for bad in (hd.frame(hd.OPEN, struct.pack(">IIB", handle, 1, 4)),
                hd.frame(hd.ANSWER, struct.pack(">IIBB", handle, 1, 4, 0)),
                hd.frame(hd.ANSWER, struct.pack(">IIBB", handle, 1, 0, 254)),
                hd.frame(hd.OPEN, bytes(8)), hd.frame(hd.ANSWER, bytes(9))):
        c = client()
        c.send(bad)
        assert c.closed(), bad


def test_single_bytes():
    a, b = client(), client()
    h = a.allow(b.address)
    of_b = b.allow(a.address)
    for byte in hd.packets((h, b"in bites")) * 2:
        a.send(bytes([byte]))
    assert [b.packet()[1] for _ in range(2)] == [b"in bites"] * 2
    assert of_b is not None


run(dict(globals()))
