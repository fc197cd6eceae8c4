# SPDX-License-Identifier: MIT
"""HD's clients at two relays that find each other in a directory, in TAP;
t/system/mesh-nats-realms.t starts the relays and runs this: PORT of one, PORT of
two. Nobody tells a relay who is at the other one: what is sent first asks."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
import tap  # noqa: E402

HOST = "127.0.0.1"
PORTS = [int(p) for p in sys.argv[1:3]]
A, B = (hd.Client(HOST, port) for port in PORTS)


def is_allowed(client):
    """What comes next of what an Allow brings, if anything has: before Pong."""
    client.ping()
    got = [kind for kind, _ in client.waiting]
    client.waiting.clear()
    return hd.ALLOWED in got


def allow_until_allowed(client, address):
    """Again and again: a login is in the directory soon, not at once, what is
    known to be nobody's is that for a second, and what the other relay answers
    may find nobody by then."""
    until = time.monotonic() + hd.TIMEOUT
    while True:
        client.allow(address)
        if is_allowed(client):
            return
        assert time.monotonic() < until


def those_who_allow_each_other_both_learn_it():
    B.allow(A.address)
    allow_until_allowed(A, B.address)
    allow_until_allowed(B, A.address)


def packets_cross():
    hd.packets_cross(A, B)


def who_comes_later_is_found():
    carol = hd.Client(HOST, PORTS[1])
    carol.allow(A.address)
    A.allow(carol.address)
    allow_until_allowed(carol, A.address)
    of_c, of_a = A.allow(carol.address), carol.allow(A.address)
    carol.send_packets((of_a, b"here I am"))
    assert A.packet() == (of_c, b"here I am")
    carol.close()


def who_leaves_is_told():
    of_b, to_b = B.allow(A.address), A.allow(B.address)
    # Who has got packets is noted once a second (away.h), and the first time
    # there was no way back yet: A's packets can come before any of B's.
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        A.send_packets((to_b, b"still here"))
        B.packet()
    B.ping()
    B.waiting.clear()
    A.close()
    until = time.monotonic() + hd.TIMEOUT
    while not any(kind == hd.PEER_GONE for kind, _ in B.waiting):
        assert time.monotonic() < until
        B.send_packets((of_b, b"still there?"))
        B.ping()
    assert B.gone()[0] == of_b


sys.exit(tap.run([(f.__name__, f) for f in (
    those_who_allow_each_other_both_learn_it, packets_cross,
    who_comes_later_is_found, who_leaves_is_told)]) != 0)
