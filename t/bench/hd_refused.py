# SPDX-License-Identifier: MIT
"""What t/bench/hd-refused runs: PORT, CONTROL SOCKET, PID, RUNS, EACH."""
import glob
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "hd"))
import hd  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

PORT, CONTROL, PID = int(sys.argv[1]), sys.argv[2], sys.argv[3]
RUNS, EACH = int(sys.argv[4]), int(sys.argv[5])


def cpu_us():
    """Of all threads, exact: proc(5), schedstat."""
    return sum(int(open(name, encoding="ascii").read().split()[0])
               for name in glob.glob(f"/proc/{PID}/task/*/schedstat")) / 1000


def invitation():
    made = subprocess.run([os.environ["HDCTL"], "--socket", CONTROL, "--json",
                           "hd", "invite"], capture_output=True, check=True)
    return json.loads(made.stdout)["invitation"]


def opened():
    c = hd.Connection("127.0.0.1", PORT)
    c.send(c.request)
    c.head()
    return c, c.relay_identity()


def only_tls():
    c, _ = opened()
    c.close()


def refused(made, reason):
    c, relay = opened()
    c.send(made(c, relay))
    kind, payload = c.wait(hd.DENIED)
    assert kind == hd.DENIED and payload[0] == reason, payload
    c.close()


KEY = SigningKey.generate()


def wrong_signature():
    refused(lambda c, relay: hd.enroll(KEY, os.urandom(32), relay), 1)


def not_welcome():
    refused(lambda c, relay: hd.enroll(KEY, c.binding, relay), 4)


def spent_invitation():
    refused(lambda c, relay: hd.enroll(
        KEY, c.binding, relay, proofs=hd.with_invitation(SPENT)(
            KEY, c.binding, relay)), 5)


def come(text):
    hd.Client("127.0.0.1", PORT, proofs=hd.with_invitation(text)).close()


def accepted():
    come(FRESH.pop())


SPENT = invitation()
come(SPENT)
FRESH = []
KINDS = {"TLS and the relay's proof": only_tls,
         "a wrong signature": wrong_signature,
         "nothing that makes it welcome": not_welcome,
         "an invitation that was used": spent_invitation,
         "accepted, by an invitation": accepted}
took = {name: [] for name in KINDS}
for _ in range(RUNS):
    FRESH = [invitation() for _ in range(EACH)]
    time.sleep(0.3)  # what those began comes to rest
    for name, do in KINDS.items():
        before = cpu_us()
        for _ in range(EACH):
            do()
        took[name].append((cpu_us() - before) / EACH)
for name, all_ in took.items():
    print(f"{name:32} {statistics.median(all_):6.0f} us"
          f"  {min(all_):6.0f} .. {max(all_):.0f}")
