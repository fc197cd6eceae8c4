# SPDX-License-Identifier: MIT
"""An HD client that sends back what comes from one address: PORT, ADDRESS. It
prints its own first, and `visited ADDRESS` before it allows who has sent; ends
when that one has gone. t/interop/derp/bridge_test.go."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402

c = hd.Client("127.0.0.1", int(sys.argv[1]),
              flags=hd.KNOCKS_FLAG | hd.VISITORS_FLAG)
other = bytes.fromhex(sys.argv[2])
print(c.address.hex(), flush=True)
assert c.visited() == other
handle = c.allow(other)
print("visited", other.hex(), flush=True)
while True:
    kind, _ = c.wait(hd.PACKETS, hd.PEER_GONE)
    if kind == hd.PEER_GONE:
        break
    c.waiting.appendleft((kind, _))
    got, packet = c.packet()
    assert got == handle
    c.send_packets((handle, packet))
print("gone", flush=True)
