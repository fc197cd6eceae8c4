# SPDX-License-Identifier: MIT
"""libhd and hd.py, which share nothing but doc/reference/protocol-hd.md, exchange packets:
PORT, the identity of a `say --allow`. Prints what came; t/system/libhd.t."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402

other = hd.address_of(hd.from_text(sys.argv[2]))
c = hd.Client("127.0.0.1", int(sys.argv[1]))
handle = c.allow(other)
c.knock(other, b"hd.py")
assert c.allowed() == handle
c.send_packets((handle, b"one"), (handle, b""), (handle, b"x" * 40000))
c.send(hd.frame(hd.PACKET_TO, other + b"to a key"))
print(hd.to_text(c.identity), flush=True)
for _ in range(2):
    got, packet = c.packet()
    assert got == handle
    print(packet.decode(), flush=True)
c.close()
