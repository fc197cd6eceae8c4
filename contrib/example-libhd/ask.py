#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ask.py - a line to a peer, and the first that comes back: an example of libhd
from Python, by ctypes and in the loop of asyncio, which the tests use, too.

    ask.py RELAY RELAY-KEY KEY-FILE PEER TEXT

PEER has to let us in, as echo does, or say --allow. What is not an answer within
a minute is none: then it ends with 1. The relay can read both lines; a program
that means it encrypts them."""
import asyncio
import ctypes as c
import os
import sys

HERE = 0  # of enum libhd_peer_state
ANSWER_S = 60


class Key(c.Structure):
    _fields_ = [("v", c.c_ubyte * 32)]


class Conf(c.Structure):
    """struct libhd_conf"""

    _fields_ = [
        ("size", c.c_size_t),
        ("identity", c.c_void_p),
        ("relay", c.c_char_p),
        ("relay_key", c.POINTER(Key)),
        ("ca_file", c.c_char_p),
        ("invitation", c.c_char_p),
        ("credential", c.c_char_p),
        ("agent", c.c_char_p),
        ("insecure", c.c_bool),
        ("wants_knocks", c.c_bool),
        ("streams", c.c_bool),
        ("once", c.c_bool),
        ("no_udp", c.c_bool),
    ]


on_packet = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_void_p, c.c_size_t, c.c_void_p)
on_peer = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)


class Events(c.Structure):
    """struct libhd_events up to what we need, as Conf is: size says so."""

    _fields_ = [
        ("size", c.c_size_t),
        ("state", c.c_void_p),
        ("packet", on_packet),
        ("knock", c.c_void_p),
        ("peer", on_peer),
    ]


# Without its types ctypes would take a pointer for an int.
lib = c.CDLL("libhd.so.0")
for name, result, *args in [
    ("key_parse", c.c_int, c.c_char_p, c.POINTER(Key)),
    ("identity_open", c.c_int, c.c_char_p, c.POINTER(c.c_void_p)),
    ("identity_free", None, c.POINTER(c.c_void_p)),
    ("new", c.c_int, c.POINTER(Conf), c.POINTER(Events), c.c_void_p, c.POINTER(c.c_void_p)),
    ("free", None, c.POINTER(c.c_void_p)),
    ("fd", c.c_int, c.c_void_p),
    ("timeout_ms", c.c_int, c.c_void_p),
    ("process", c.c_int, c.c_void_p),
    ("error", c.c_char_p, c.c_void_p),
    ("allow", c.c_int, c.c_void_p, c.POINTER(Key), c.POINTER(c.c_void_p)),
    ("knock", c.c_int, c.c_void_p, c.c_char_p, c.c_size_t),
    ("send", c.c_int, c.c_void_p, c.c_char_p, c.c_size_t),
]:
    function = getattr(lib, "libhd_" + name)
    function.restype, function.argtypes = result, args


def check(result, what):
    if result < 0:
        raise OSError(-result, os.strerror(-result), what)


def parsed(text):
    key = Key()
    check(lib.libhd_key_parse(text.encode(), key), text)
    return key


class Endpoint:
    """In the running loop; what comes is in the queue `events`."""

    def __init__(self, relay, relay_key, key_file):
        self.loop = asyncio.get_running_loop()
        self.events = asyncio.Queue()
        self.timer = None
        self.h = c.c_void_p()
        # kept: C calls what is in it
        self.callbacks = Events(c.sizeof(Events), None, on_packet(self.on_packet), None, on_peer(self.on_peer))
        identity = c.c_void_p()
        check(lib.libhd_identity_open(key_file.encode(), identity), key_file)
        conf = Conf(c.sizeof(Conf), identity, relay.encode(), c.pointer(parsed(relay_key)))
        r = lib.libhd_new(conf, self.callbacks, None, self.h)
        lib.libhd_identity_free(identity)  # it has been copied
        check(r, relay)
        self.loop.add_reader(lib.libhd_fd(self.h), self.process)
        self.call_later()

    def process(self):
        if lib.libhd_process(self.h) < 0:
            self.events.put_nowait(("failed", lib.libhd_error(self.h).decode()))
        self.call_later()

    def call_later(self):
        """After each call of any function of the endpoint."""
        if self.timer is not None:
            self.timer.cancel()
        ms = lib.libhd_timeout_ms(self.h)
        self.timer = self.loop.call_later(ms / 1000, self.process) if ms >= 0 else None

    def knock_at(self, key):
        peer = c.c_void_p()
        check(lib.libhd_allow(self.h, key, peer), "allow")
        check(lib.libhd_knock(peer, b"ask.py", 6), "knock")
        self.call_later()
        return peer

    def send(self, peer, data):
        check(lib.libhd_send(peer, data, len(data)), "send")
        self.call_later()

    def close(self):
        self.loop.remove_reader(lib.libhd_fd(self.h))
        if self.timer is not None:
            self.timer.cancel()
        lib.libhd_free(self.h)

    # Callbacks: from libhd_process() only. An exception would end in C.

    def on_packet(self, _h, _peer, data, n, _user):
        self.events.put_nowait(("packet", c.string_at(data, n) if n else b""))

    def on_peer(self, _h, _peer, state, _user):
        self.events.put_nowait(("here" if state == HERE else "away", None))


async def ask(relay, relay_key, key_file, peer_key, text):
    endpoint = Endpoint(relay, relay_key, key_file)
    try:
        peer = endpoint.knock_at(parsed(peer_key))
        while True:
            what, value = await endpoint.events.get()
            if what == "here":
                endpoint.send(peer, text.encode())
            elif what == "packet":
                return value.decode(errors="replace")
            elif what == "failed":
                raise OSError(value)
    finally:
        endpoint.close()


def main(args):
    if len(args) != 5:
        sys.exit("usage: ask.py RELAY RELAY-KEY KEY-FILE PEER TEXT")
    try:
        print(asyncio.run(asyncio.wait_for(ask(*args), ANSWER_S)))
    except asyncio.TimeoutError:
        sys.exit("ask.py: no answer")
    except OSError as error:
        sys.exit(f"ask.py: {error}")


main(sys.argv[1:])
