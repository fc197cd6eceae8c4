# SPDX-License-Identifier: MIT
"""The relay that tests in TAP are run for: PORT, PLAIN PORT, CONTROL SOCKET, and
clients of it. Behind these words of the command stand the names of tests."""
import sys

import ctl
import hd
import tap

HOST = "127.0.0.1"
PORT, PLAIN, CONTROL = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
hdctl = ctl.at(CONTROL)


def client(**how):
    return hd.Client(HOST, PORT, **how)


def pair(n=2):
    """Clients that all allow each other; the handles that each has."""
    all_ = [client() for _ in range(n)]
    handles = [{o: c.allow(o.address) for o in all_ if o is not c}
               for c in all_]
    return all_, handles


def denied(reason, **how):
    try:
        client(**how)
    except hd.Denied as e:
        assert e.reason == reason, (e.reason, str(e))
        return str(e)
    raise AssertionError("it was let in")


def raw(data=b"", **how):
    """After the upgrade, before the login."""
    c = hd.Connection(HOST, PORT, **how)
    c.send(c.request + data)
    status, head = c.head()
    return c, status, head


def run(functions):
    """Those that are named, else all whose names begin with test_."""
    given = sys.argv[4:]
    tests = [(n, f) for n, f in functions.items()
             if (n in given if given else n.startswith("test_"))]
    sys.exit(tap.run(tests) != 0)
