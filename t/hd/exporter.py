# SPDX-License-Identifier: MIT
"""A client before its login and after it, for t/system/hd-exporter.t: PORT.
Prints the exporter master secret, then goes on with each line of its input."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

lines = []
c = hd.Connection("127.0.0.1", int(sys.argv[1]), keylog=lines.append)
c.send(c.request)
assert c.head()[0] == 101
relay = c.relay_identity()
print(*[line.split()[2] for line in lines
        if line.startswith("EXPORTER_SECRET ")], flush=True)
sys.stdin.readline()
c.send(hd.enroll(SigningKey.generate(), c.binding, relay))
c.wait(hd.WELCOME)
print("welcome", flush=True)
sys.stdin.readline()
