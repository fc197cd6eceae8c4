# SPDX-License-Identifier: MIT
"""HD over UDP, from doc/reference/protocol-hd.md and nothing else: the part of
a client. The AEADs are those of the package cryptography."""
import hashlib
import hmac
import select
import socket
import struct

from cryptography.hazmat.primitives.ciphers import aead

import hd

DG_PACKET, DG_CONTROL = 8, 9
PROBE, CHALLENGE, RESPONSE, PING, PONG = 1, 2, 3, 4, 5
CIPHERS = {  # of a TLS suite, and the bytes of its keys
    "TLS_AES_128_GCM_SHA256": (aead.AESGCM, 16),
    "TLS_AES_256_GCM_SHA384": (aead.AESGCM, 32),
    "TLS_CHACHA20_POLY1305_SHA256": (aead.ChaCha20Poly1305, 32),
}


def expand(secret, info):
    """HKDF-Expand with SHA-256, 32 bytes: one block."""
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()


class Sealed:
    """One direction of a connection's UDP: datagrams by their counters."""

    def __init__(self, secret, suite):
        self.cipher, self.key_bytes = CIPHERS[suite]
        self.secrets = [secret]  # of each epoch
        self.counter = 0
        self.seen = set()

    def keys(self, epoch):
        while len(self.secrets) <= epoch:
            self.secrets.append(expand(self.secrets[-1], b"HD/2 udp next"))
        secret = self.secrets[epoch]
        return expand(secret, b"HD/2 udp key")[:self.key_bytes], \
            expand(secret, b"HD/2 udp iv")[:12]

    def _nonce(self, counter):
        key, iv = self.keys(counter >> 24)
        return bytes(a ^ b for a, b in
                     zip(iv, counter.to_bytes(12, "big"))), key

    def seal(self, kind, conn, data, counter=None):
        if counter is None:
            self.counter += 1
            counter = self.counter
        head = struct.pack(">BI", kind, conn) + counter.to_bytes(6, "big")
        nonce, key = self._nonce(counter)
        return head + self.cipher(key).encrypt(nonce, data, head)

    def open(self, datagram):
        """Its type, connection and data."""
        kind, conn = struct.unpack(">BI", datagram[:5])
        counter = int.from_bytes(datagram[5:11], "big")
        nonce, key = self._nonce(counter)
        data = self.cipher(key).decrypt(nonce, datagram[11:], datagram[:11])
        assert counter not in self.seen
        self.seen.add(counter)
        return kind, conn, data


def control(op, first=bytes(8), second=bytes(8), n=17):
    return (bytes([op]) + first + second).ljust(n, b"\0")


class Path:
    """The UDP socket of a client with UDP_FLAG, and what is sealed on it."""

    def __init__(self, connection):
        self.tcp = connection
        self.last = None  # packet, for the tests
        offer = connection.wait(hd.UDP)[1]
        self.conn, port = struct.unpack(">IH", offer)
        self.suite = connection.tls.get_cipher_name()
        self.to, self.back = [Sealed(connection.tls.export_keying_material(
            b"EXPERIMENTAL HD/2 UDP " + who, 32, b""), self.suite)
            for who in (b"client", b"relay")]
        self.place = connection.host, port
        self.sock = self.socket()

    def socket(self):
        """Another address."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(hd.TIMEOUT)
        sock.connect(self.place)
        return sock

    def control(self, *what, **how):
        self.sock.send(self.to.seal(DG_CONTROL, self.conn,
                                    control(*what, **how)))

    def packet(self, handle, data):
        self.sock.send(self.to.seal(DG_PACKET, self.conn,
                                    struct.pack(">I", handle) + data))

    def receive(self):
        got = self.sock.recv(65536)
        kind, conn, data = self.back.open(got)
        assert conn == self.conn
        return kind, data

    def validate(self):
        """Probe, Challenge, Response; a Ping shows that it has counted.
        Challenges that were not asked for are answered, too."""
        self.control(PROBE, b"probe 12", n=1204)
        self.answer_until(lambda data: data[0] == CHALLENGE and
                          data[1:9] == b"probe 12" and len(data) == 1204)
        self.ping()

    def ping(self):
        """Until there is a Pong: one that comes before a Response that counts
        has none."""
        self.control(PING, b"ping 123")
        self.answer_until(lambda data: data[:9] == b"\5ping 123",
                          lambda: self.control(PING, b"ping 123"))

    def answer_until(self, good, again=None):
        """again() is called where nothing comes."""
        while True:
            while again and not select.select([self.sock], [], [], 0.5)[0]:
                again()
            kind, data = self.receive()
            assert kind == DG_CONTROL
            if data[0] == CHALLENGE:
                self.control(RESPONSE, data[9:17])
            if good(data):
                return
