# SPDX-License-Identifier: MIT
"""HD's clients at two relays that mesh, in TAP; t/system/mesh-realms.t starts the
relays and runs this: PORT of one, PORT of two, CONTROL SOCKETS of one, two and a
third that has no HD yet."""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
import tap  # noqa: E402

HOST = "127.0.0.1"
PORTS = [int(p) for p in sys.argv[1:3]]
CONTROLS = sys.argv[3:6]
A, B = (hd.Client(HOST, port) for port in PORTS)


def ctl(which, *words):
    """What a command answers."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(CONTROLS[which])
        s.sendall(json.dumps({"id": 1, "cmd": words}).encode() + b"\n")
        answer = json.loads(s.makefile().readline())
    assert answer["ok"], answer
    return answer["data"]


def reached(which):
    """Addresses of HD's realm that a relay reaches over its links."""
    return {bytes.fromhex(way["key"]) for way in ctl(which, "mesh", "peers")
            if way["realm"] == "hd"}


def wait_for(ok, what):
    until = time.monotonic() + hd.TIMEOUT
    while not ok():
        assert time.monotonic() < until, what()
        time.sleep(0.02)


def is_reached(which, *clients):
    wanted = {c.address for c in clients}
    wait_for(lambda: reached(which) == wanted, lambda: reached(which))


def each_relay_knows_the_other_s_clients():
    is_reached(0, B)
    is_reached(1, A)


def a_knock_crosses():
    A.allow(B.address)
    A.knock(B.address, b"it is me")
    assert B.knocked() == (A.identity, b"it is me")


def packets_cross():
    hd.packets_cross(A, B)


def the_largest_packet_crosses():
    of_a, of_b = A.allow(B.address), B.allow(A.address)
    packet = bytes(A.packet_max)
    A.send_packets((of_a, packet))
    assert B.packet() == (of_b, packet)


def what_has_no_hd_is_told_nothing():
    assert reached(2) == set()


def what_loads_it_later_is_told():
    ctl(2, "module", "load", "hd")
    is_reached(2, A)


def who_leaves_is_told():
    of_b = B.allow(A.address)
    A.close()
    is_reached(1)
    assert B.gone()[0] == of_b


sys.exit(tap.run([(f.__name__, f) for f in (
    each_relay_knows_the_other_s_clients, a_knock_crosses, packets_cross,
    the_largest_packet_crosses, what_has_no_hd_is_told_nothing,
    what_loads_it_later_is_told, who_leaves_is_told)]) != 0)
