# SPDX-License-Identifier: MIT
"""DERP, version 2, from doc/reference/protocol-derp.md: a client in Tailscale's
manner, of what tests of the bridge need. Boxes by PyNaCl."""
import json
import os
import socket
import ssl
import struct

from nacl.public import Box, PrivateKey, PublicKey

from waiting import Waiting

SERVER_KEY, CLIENT_INFO, SERVER_INFO, SEND, RECV = 1, 2, 3, 4, 5
KEEP_ALIVE, PEER_GONE, PING, PONG, HEALTH = 6, 8, 0x12, 0x13, 0x14
DISCO = b"TS\xf0\x9f\x92\xac" + bytes(56)
TIMEOUT = 60


class Closed(Exception):
    """The relay has closed the connection."""


class Client(Waiting):
    """A logged-in one. key: a PrivateKey, whose public one is its name."""

    def __init__(self, host, port, key=None):
        super().__init__()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(
            socket.create_connection((host, port), TIMEOUT),
            server_hostname="localhost")
        self.got = self.sock.makefile("rb")
        self.key = key or PrivateKey.generate()
        self.address = bytes(self.key.public_key)
        self.sock.sendall(b"GET /derp HTTP/1.1\r\nHost: localhost\r\n"
                          b"Upgrade: DERP\r\nConnection: Upgrade\r\n\r\n")
        assert b" 101 " in self.got.readline()
        while self.got.readline().strip():
            pass
        kind, payload = self.frame()
        assert kind == SERVER_KEY and len(payload) == 40, (kind, payload)
        box = Box(self.key, PublicKey(payload[8:]))
        nonce = os.urandom(24)
        info = json.dumps({"version": 2}).encode()
        self.send(CLIENT_INFO, self.address + nonce +
                  box.encrypt(info, nonce).ciphertext)
        self.wait(SERVER_INFO)  # or why not, and the end

    def send(self, kind, payload):
        self.sock.sendall(struct.pack(">BI", kind, len(payload)) + payload)

    def frame(self):
        try:
            head = self.got.read(5)
        except ConnectionError:
            head = b""
        if len(head) < 5:
            raise Closed
        kind, n = struct.unpack(">BI", head)
        return kind, self.got.read(n)

    def send_to(self, address, packet):
        self.send(SEND, address + packet)

    def packet(self):
        """The next one: its sender and its bytes."""
        payload = self.wait(RECV)[1]
        return payload[:32], payload[32:]

    def gone(self):
        """Who has gone, and why."""
        payload = self.wait(PEER_GONE)[1]
        return payload[:32], payload[32]

    def ping(self):
        """All that was sent before it has been looked at when it returns."""
        self.send(PING, b"12345678")
        assert self.wait(PONG)[1] == b"12345678"

    def closed(self):
        """Whether the relay closes it; frames on the way are kept."""
        try:
            while True:
                self.waiting.append(self.frame())
        except Closed:
            return True

    def close(self):
        self.got.close()  # which holds the socket
        self.sock.close()
