# SPDX-License-Identifier: MIT
"""mesh_liar.py - a member of a region that lies.

It has the relay's link to it (as a DERP server, without TLS) and, after `join`,
one of its own to the relay (as a client with the mesh key). Orders come on
stdin, a line each; what happens goes to stdout:

  port N            it listens there
  link KEY          a relay has logged in and watches
  lost              that link has closed
  packet SRC DST N  a relay has forwarded N bytes to us
  gone KEY          the relay says that a key is not there
  done              the last order has been followed
"""
import os
import select
import socket
import struct
import sys

import nacl.public
import nacl.utils

MAGIC = "DERP🔑".encode()
SERVER_KEY, CLIENT_INFO, SERVER_INFO, SEND = 1, 2, 3, 4
PEER_GONE, PRESENT, FORWARD, WATCH, PING, PONG = 8, 9, 10, 0x10, 0x12, 0x13
TIMEOUT = 120


def frame(kind, payload=b""):
    return struct.pack(">BI", kind, len(payload)) + payload


def present(key):
    return frame(PRESENT, key + bytes(10) + b"\xff\xff\x7f\0\0\x01" + b"\x12\x34\x01")


class Link:
    """One connection: bytes in, frames out."""

    def __init__(self, sock):
        self.sock = sock
        self.buf = b""
        sock.settimeout(TIMEOUT)

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("it has closed")
        self.buf += data

    def head(self):
        while b"\r\n\r\n" not in self.buf:
            self.more()
        text, self.buf = self.buf.split(b"\r\n\r\n", 1)
        return text

    def ready(self):
        """A frame that has come, or None."""
        if len(self.buf) < 5:
            return None
        kind, n = struct.unpack(">BI", self.buf[:5])
        if len(self.buf) < 5 + n:
            return None
        payload, self.buf = self.buf[5:5 + n], self.buf[5 + n:]
        return kind, payload

    def next(self):
        while (got := self.ready()) is None:
            self.more()
        return got

    def say(self, data):
        self.sock.sendall(data)


def serve(link, secret):
    """What a server says first, up to the watch."""
    link.head()
    link.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n")
    link.say(frame(SERVER_KEY, MAGIC + bytes(secret.public_key)))
    kind, info = link.next()
    assert kind == CLIENT_INFO
    box = nacl.public.Box(secret, nacl.public.PublicKey(info[:32]))
    link.say(frame(SERVER_INFO, bytes(box.encrypt(b'{"version":2}'))))
    while link.next()[0] != WATCH:
        pass
    return info[:32]


def join(port, mesh_key, secret):
    link = Link(socket.create_connection(("127.0.0.1", port), TIMEOUT))
    link.say(b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n")
    assert link.head().startswith(b"HTTP/1.1 101")
    kind, key = link.next()
    assert kind == SERVER_KEY
    box = nacl.public.Box(secret, nacl.public.PublicKey(key[8:40]))
    info = b'{"version":2,"meshKey":"' + mesh_key + b'"}'
    link.say(frame(CLIENT_INFO, bytes(secret.public_key) + bytes(box.encrypt(info))))
    while link.next()[0] != SERVER_INFO:
        pass
    return link


class Liar:
    def __init__(self):
        self.secret = nacl.public.PrivateKey.generate()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.link = self.joined = None
        self.orders = b""

    def tell(self, *words):
        print(*words, flush=True)

    def accept(self):
        link = Link(self.listener.accept()[0])
        try:
            key = serve(link, self.secret)
        except (ConnectionError, OSError):
            return
        self.link = link
        self.tell("link", key.hex())

    def take(self, link):
        """What has come on a link; False: it has closed."""
        try:
            link.more()
        except OSError:
            return False
        while (got := link.ready()) is not None:
            kind, p = got
            if kind == PING:
                link.say(frame(PONG, p[:8]))
            elif kind == FORWARD:
                self.tell("packet", p[:32].hex(), p[32:64].hex(), len(p) - 64)
            elif kind == PEER_GONE:
                self.tell("gone", p[:32].hex())
        return True

    def follow(self, word, *args):
        if word == "join":
            self.joined = join(int(args[0]), args[1].encode(), nacl.public.PrivateKey.generate())
        elif word == "bring":
            self.joined.say(frame(FORWARD, b"".join(map(bytes.fromhex, args))))
        elif word == "raw":
            self.link.say(frame(int(args[0], 16), bytes.fromhex(args[1] if args[1:] else "")))
        elif word == "present":
            self.link.say(b"".join(present(bytes.fromhex(a)) for a in args))
        elif word == "many":
            for _ in range(int(args[0]) // 1000):
                self.link.say(b"".join(present(os.urandom(32)) for _ in range(1000)))
        elif word == "gone":
            self.link.say(frame(PEER_GONE, bytes.fromhex(args[0]) + b"\0"))
        self.tell("done")

    def turn(self):
        both = {x.sock: x for x in (self.link, self.joined) if x}
        ready = select.select([sys.stdin.fileno(), self.listener, *both], [], [])[0]
        for s in ready:
            if s == self.listener:
                self.accept()
            elif s in both:
                if not self.take(both[s]):
                    if both[s] is self.link:
                        self.link = None
                        self.tell("lost")
                    else:
                        self.joined = None
            else:
                data = os.read(s, 65536)
                if not data:
                    sys.exit(0)
                self.orders += data
        while b"\n" in self.orders:
            line, self.orders = self.orders.split(b"\n", 1)
            self.follow(*line.decode().split())


liar = Liar()
liar.tell("port", liar.listener.getsockname()[1])
while True:
    liar.turn()
