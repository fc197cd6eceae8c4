# SPDX-License-Identifier: MIT
"""Clients that hold as many handles as they may, in TAP; t/system/hd.t starts
the relay, with one worker, and runs this: PORT, PID, CONNECTIONS, HANDLES of
each."""
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
import tap  # noqa: E402

PORT, PID = int(sys.argv[1]), sys.argv[2]
CONNECTIONS, HANDLES = int(sys.argv[3]), int(sys.argv[4])
AT_ONCE = 500
BYTES_EACH = 100  # of one more handle: 42, and what the arrays grow ahead


def rss():
    with open(f"/proc/{PID}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024


def client(**how):
    return hd.Client("127.0.0.1", PORT, **how)


class Holder(threading.Thread):
    def __init__(self):
        super().__init__()
        self.client, self.handles = client(), set()
        assert self.client.contacts_max == HANDLES

    def run(self):
        for at in range(0, HANDLES, AT_ONCE):
            n = min(AT_ONCE, HANDLES - at)
            self.client.send(b"".join(hd.frame(hd.ALLOW, os.urandom(32))
                                      for _ in range(n)))
            for _ in range(n):
                contact = self.client.wait(hd.CONTACT)[1]
                assert contact[-1] == 0
                self.handles.add(contact[:4])
            self.client.waiting.clear()  # who is not here: a part is told


def others(a, b, of_a, of_b, while_):
    """Packets both ways as long as that is true: how many, and the slowest."""
    n, slowest = 0, 0
    while while_():
        began = time.monotonic()
        a.send_packets((of_a, b"there"))
        assert b.packet() == (of_b, b"there")
        b.send_packets((of_b, b"and back"))
        assert a.packet() == (of_a, b"and back")
        slowest = max(slowest, time.monotonic() - began)
        n += 1
    return n, slowest


def test_many_handles():
    a, b = client(), client()
    of_a, of_b = a.allow(b.address), b.allow(a.address)
    holders = [Holder() for _ in range(CONNECTIONS)]
    before = rss()
    began = time.monotonic()
    for h in holders:
        h.start()
    n, slowest = others(a, b, of_a, of_b,
                        lambda: any(h.is_alive() for h in holders))
    took = time.monotonic() - began
    for h in holders:
        h.join()
        assert len(h.handles) == HANDLES
        for _ in range(3):  # and not one more
            assert h.client.allow(os.urandom(32)) is None
    each = (rss() - before) / (CONNECTIONS * HANDLES)
    print(f"# {CONNECTIONS * HANDLES} handles: {each:.1f} bytes of the relay "
          f"each; {n} exchanges of others in {took:.1f} s, the slowest "
          f"{1000 * slowest:.1f} ms")
    assert n > 10, n
    assert each < BYTES_EACH or os.environ.get("HD_SANITIZERS", "no") != "no"
    # who has one of them is found among them
    last = holders[-1].client
    last.forbid(int.from_bytes(holders[-1].handles.pop(), "big"))
    of_last, of_a = a.allow(last.address), last.allow(a.address)
    a.send_packets((of_last, b"among many"))
    assert last.packet() == (of_a, b"among many")
    for h in holders:
        h.client.close()


sys.exit(tap.run([("many handles", test_many_handles)]) != 0)
