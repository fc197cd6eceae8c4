# SPDX-License-Identifier: MIT
"""HD's clients that allow each other while their relays do not know each other
yet, in TAP; t/system/mesh-realms.t starts the relays, runs this and makes the
link when this says so: PORT of one, PORT of two, whether they bridge."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import derp  # noqa: E402
import hd  # noqa: E402
import tap  # noqa: E402
from nacl.public import PrivateKey  # noqa: E402

HOST = "127.0.0.1"
ONE, TWO, BRIDGE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "yes"
A, B = hd.Client(HOST, ONE), hd.Client(HOST, TWO)
HANDLE = {}
GUEST = []


def who_allowed_becomes_a_client_of_derp():
    left = hd.Client(HOST, ONE)
    handle = left.allow(B.address)
    assert left.gone() == (handle, 1)
    GUEST.append(derp.Client(HOST, ONE, key=PrivateKey(
        bytes(left.key.to_curve25519_private_key()))))
    left.close()


def both_allow_and_nobody_is_there():
    for client, other in ((A, B), (B, A)):
        HANDLE[client] = client.allow(other.address)
        assert client.gone() == (HANDLE[client], 1)


def the_link_is_made():
    print("link now", flush=True)


def both_are_told_when_the_link_is_up():
    for client in A, B:
        assert client.allowed() == HANDLE[client]


def packets_cross():
    for client, other in ((A, B), (B, A)):
        client.send_packets((HANDLE[client], b"hello"))
        assert other.packet() == (HANDLE[other], b"hello")


def that_one_is_told_nothing():
    GUEST[0].ping()
    assert not [k for k, _ in GUEST[0].waiting if k == derp.RECV]


BOTH = [both_allow_and_nobody_is_there, the_link_is_made,
        both_are_told_when_the_link_is_up, packets_cross]
if BRIDGE:
    BOTH = [who_allowed_becomes_a_client_of_derp, *BOTH,
            that_one_is_told_nothing]
sys.exit(tap.run([(f.__name__, f) for f in BOTH]) != 0)
