# SPDX-License-Identifier: MIT
"""HD, version 2, from doc/reference/protocol-hd.md and nothing else: a client.

Identities by PyNaCl, TLS by pyOpenSSL (which gives out the exporter).
A connection blocks; every read has a timeout, long enough for a busy machine.
"""
import hashlib
import hmac
import socket
import struct
import time

import nacl.bindings
import nacl.exceptions
import nacl.signing
from OpenSSL import SSL

from waiting import Waiting

VERSION = 2
PING, PONG, PACKETS, PACKET_TO, KEEP_ALIVE = 2, 3, 4, 5, 6
RELAY_HELLO, ENROLL, WELCOME, DENIED, PENDING = 8, 0x10, 0x11, 0x12, 0x13
ALLOW, FORBID, CONTACT, KNOCK, ALLOWED = 0x18, 0x19, 0x1A, 0x1B, 0x1C
PACKET_TO_GROUP, VISITOR, ALLOW_GROUP, FORBID_GROUP = 7, 0x1D, 0x1E, 0x1F
PEER_GONE, REDIRECT, RESTARTING, HEALTH = 0x21, 0x22, 0x28, 0x29
OPEN, OPEN_RESULT, INCOMING, ANSWER, ANSWER_RESULT = range(0x23, 0x28)
UDP, UDP_LOST = 0x2A, 0x2B
KNOCKS_FLAG, UDP_FLAG, VISITORS_FLAG = 1, 2, 4

RELAY_LABEL = b"HD/2 relay proof"
CLIENT_LABEL = b"HD/2 client key\0"
INVITATION_LABEL = b"HD/2 invitation\0"
CREDENTIAL_LABEL = b"HD/2 credential\0"
SUBJECT_LABEL = b"HD/2 subject key"
NO_HANDLE = 0xFFFFFFFF
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
TIMEOUT = 60


# ---- keys ----

def address_of(identity):
    """The X25519 form: u = (1 + y) / (1 - y)."""
    y = int.from_bytes(identity, "little") & (2**255 - 1)
    u = (1 + y) * pow(1 - y, P - 2, P) % P
    return u.to_bytes(32, "little")


class OtherSign:
    """The key whose point is the negative of another's: who has one has both.
    As SigningKey, of which there is one of a seed only: RFC 8032, 5.1.6."""

    def __init__(self, key):
        digest = hashlib.sha512(bytes(key)).digest()
        a = int.from_bytes(digest[:32], "little")
        a = a & (2**254 - 8) | 2**254
        self.scalar = -a % L
        self.prefix = digest[32:]
        self.verify_key = bytes(key.verify_key)
        self.verify_key = self.verify_key[:31] + bytes(
            [self.verify_key[31] ^ 0x80])
        assert self._times_base(self.scalar) == self.verify_key

    @staticmethod
    def _times_base(scalar):
        return nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(
            scalar.to_bytes(32, "little"))

    def sign(self, message):
        r = self._hash(self.prefix, message)
        big_r = self._times_base(r)
        s = (r + self._hash(big_r, self.verify_key, message) *
             self.scalar) % L
        signature = big_r + s.to_bytes(32, "little")
        nacl.signing.VerifyKey(self.verify_key).verify(message, signature)
        return nacl.signing.SignedMessage._from_parts(
            signature, message, signature + message)

    @staticmethod
    def _hash(*parts):
        return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(),
                              "little") % L


CHARS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _polymod(values):
    sums = 1
    for v in values:
        top = sums >> 25
        sums = (sums & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA,
                               0x3D4233DD, 0x2A1462B3)):
            sums ^= g if top >> i & 1 else 0
    return sums


def _expand(part):
    return [ord(c) >> 5 for c in part] + [0] + [ord(c) & 31 for c in part]


def to_text(data, part="hd"):
    """Bech32m, BIP 350."""
    bits = "".join(f"{b:08b}" for b in data)
    bits += "0" * (-len(bits) % 5)
    fives = [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    check = _polymod(_expand(part) + fives + [0] * 6) ^ 0x2BC830A3
    fives += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return part + "1" + "".join(CHARS[v] for v in fives)


def from_text(text, part="hd"):
    if text != text.lower() and text != text.upper():
        raise ValueError("upper and lower case")
    text = text.lower()
    if not text.startswith(part + "1"):
        raise ValueError("not a text of this kind")
    fives = [CHARS.index(c) for c in text[len(part) + 1:]]
    if _polymod(_expand(part) + fives) != 0x2BC830A3:
        raise ValueError("checksum")
    bits = "".join(f"{v:05b}" for v in fives[:-6])
    n = len(bits) // 8
    if "1" in bits[8 * n:] or len(bits) - 8 * n >= 5:
        raise ValueError("bits behind the end")
    return bytes(int(bits[8 * i:8 * i + 8], 2) for i in range(n))


# ---- frames ----

def frame(kind, payload=b""):
    return bytes([kind]) + len(payload).to_bytes(3, "big") + payload


def enroll(key, binding, relay, flags=0, agent=b"hd.py", proofs=b"",
           version=VERSION, label=CLIENT_LABEL):
    """The frame. relay: its identity."""
    signature = key.sign(label + binding + relay).signature
    return frame(ENROLL, bytes([version, flags]) + bytes(key.verify_key) +
                 signature + bytes([len(agent)]) + agent + proofs)


def packets(*handle_and_packet):
    return frame(PACKETS, b"".join(struct.pack(">IH", h, len(p)) + p
                                   for h, p in handle_and_packet))


def proof(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def invitation_proof(invitation, key, binding, relay):
    mac = hmac.new(invitation[8:], INVITATION_LABEL + binding + relay +
                   bytes(key.verify_key), hashlib.sha256).digest()
    return proof(1, invitation[:8] + mac)


def statement(operator, subject, name=b"", tenant=b"", group=b"", issued=0,
              expires=0, rate=0, connections=0, version=1):
    """A credential's, signed. subject: an identity."""
    said = bytes([version]) + subject + struct.pack(
        ">QQQI", issued, expires, rate, connections) + b"".join(
        bytes([len(word)]) + word for word in (name, tenant, group))
    return said + operator.sign(CREDENTIAL_LABEL + said).signature


def credential_proof(said, key, binding, relay, subject=None):
    """subject: the key that came with it; none: it is for the client's."""
    signature = b"" if subject is None else subject.sign(
        SUBJECT_LABEL + binding + relay + bytes(key.verify_key)).signature
    return proof(2, struct.pack(">H", len(said)) + said + signature)


def with_invitation(text):
    """For Client(proofs=)."""
    invitation = from_text(text, "hdinvite")
    return lambda *who: invitation_proof(invitation, *who)


def with_credential(text):
    got = from_text(text, "hdcred")
    if got[0] == 0:
        return lambda *who: credential_proof(got[1:], *who)
    subject = nacl.signing.SigningKey(got[1:33])
    return lambda *who: credential_proof(got[33:], *who, subject)


class Closed(Exception):
    """The relay has closed the connection."""


class Denied(Exception):
    def __init__(self, payload):
        super().__init__(payload[1:].decode())
        self.reason = payload[0]


class Connection(Waiting):
    """TLS, the upgrade, and frames in and out; the login is enrol()'s."""

    def __init__(self, host, port, version=SSL.TLS1_3_VERSION, headers=(),
                 keylog=None, first=b""):
        """first: what a proxy says before TLS."""
        super().__init__()
        self.host = host
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        if keylog:  # called with each line, NSS Key Log Format
            context.set_keylog_callback(lambda _, line: keylog(line.decode()))
        self.sock = socket.create_connection((host, port), TIMEOUT)
        self.sock.settimeout(None)
        self.sock.sendall(first)
        self.tls = SSL.Connection(context, self.sock)
        # a blocking socket with a limit: OpenSSL does not see Python's
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                             struct.pack("ll", TIMEOUT, 0))
        self.tls.set_connect_state()
        self.tls.set_tlsext_host_name(b"localhost")
        self._patiently(self.tls.do_handshake)
        self.request = ("GET /hd HTTP/1.1\r\nHost: localhost\r\n"
                        "Upgrade: HD\r\nConnection: Upgrade\r\n" +
                        "".join(h + "\r\n" for h in headers) +
                        "\r\n").encode()
        self.got = b""

    @property
    def binding(self):
        return self.tls.export_keying_material(
            b"EXPORTER-Channel-Binding", 32, b"")

    def send(self, data):
        self.tls.sendall(data)

    @staticmethod
    def _patiently(do, *args):
        """SO_RCVTIMEO ends a read as well when the process was stopped and
        goes on: signal(7)."""
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                return do(*args)
            except SSL.WantReadError:
                if time.monotonic() >= until:
                    raise

    def _more(self):
        try:
            data = self._patiently(self.tls.recv, 65536)
        except (SSL.ZeroReturnError, SSL.SysCallError):
            raise Closed from None
        if not data:
            raise Closed
        self.got += data

    def head(self):
        """Status and headers of the relay's answer, and what is its body
        so far."""
        while b"\r\n\r\n" not in self.got:
            self._more()
        head, self.got = self.got.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), head.decode()

    def frame(self):
        while len(self.got) < 4:
            self._more()
        n = int.from_bytes(self.got[1:4], "big")
        while len(self.got) < 4 + n:
            self._more()
        kind, payload = self.got[0], self.got[4:4 + n]
        self.got = self.got[4 + n:]
        return kind, payload

    def close(self):
        self.sock.close()

    def closed(self):
        """Whether the relay closes it; frames on the way are kept."""
        try:
            while True:
                self.waiting.append(self.frame())
        except Closed:
            return True

    # ---- the login ----

    def relay_identity(self):
        """RelayHello, checked: who is at the other end."""
        kind, payload = self.frame()
        assert kind == RELAY_HELLO and payload[:2] == bytes([VERSION, 0])
        identity, signature = payload[2:34], payload[34:98]
        nacl.signing.VerifyKey(identity).verify(
            RELAY_LABEL + self.binding + identity, signature)
        return identity


class Client(Connection):
    """An enrolled one. relay: its identity, which is then not waited for.
    proofs: a function of key, binding and relay."""

    def __init__(self, host, port, key=None, relay=None, flags=1, proofs=None,
                 wait=True, agent=b"hd.py", **how):
        super().__init__(host, port, **how)
        self.key = key or nacl.signing.SigningKey.generate()
        self.identity = bytes(self.key.verify_key)
        self.address = address_of(self.identity)

        def mine(relay):
            more = proofs(self.key, self.binding, relay) if proofs else b""
            return enroll(self.key, self.binding, relay, flags, agent, more)
        first = self.request
        if relay is not None:
            first += mine(relay)
        self.send(first)
        status, head = self.head()
        assert status == 101, head
        self.relay = self.relay_identity()
        if relay is None:
            self.send(mine(self.relay))
        else:
            assert relay == self.relay, "another relay"
        if wait:
            self.welcome()

    def welcome(self):
        """Denied is raised."""
        kind, payload = self.wait(WELCOME, DENIED)
        if kind == DENIED:
            raise Denied(payload)
        assert payload[:32] == self.address
        self.keepalive_ms, self.contacts_max, self.packet_max = \
            struct.unpack(">III", payload[32:44])

    def allow(self, address):
        """The handle, or None: refused."""
        self.send(frame(ALLOW, address))
        _, payload = self.wait(CONTACT)
        handle, got, flags = struct.unpack(">I32sB", payload)
        assert got == address
        return None if flags & 1 else handle

    def forbid(self, handle):
        self.send(frame(FORBID, struct.pack(">I", handle)))

    def allow_group(self, name):
        """Whether it is allowed from then on."""
        self.send(frame(ALLOW_GROUP, name))
        _, payload = self.wait(ALLOW_GROUP)
        assert payload[1:] == name
        return not payload[0] & 1

    def contact_by_group(self):
        """One that the client has not named: its handle and address."""
        handle, address, flags = struct.unpack(
            ">I32sB", self.wait(CONTACT)[1])
        assert flags == 2, flags
        return handle, address

    def to_group(self, name, packet):
        self.send(frame(PACKET_TO_GROUP, bytes([len(name)]) + name + packet))

    def knock(self, address, note=b""):
        self.send(frame(KNOCK, address + note))

    def knocked(self):
        _, payload = self.wait(KNOCK)
        return payload[:32], payload[32:]

    def allowed(self):
        return struct.unpack(">I", self.wait(ALLOWED)[1])[0]

    def visited(self):
        return self.wait(VISITOR)[1]

    def gone(self):
        return struct.unpack(">IB", self.wait(PEER_GONE)[1])

    def send_packets(self, *handle_and_packet):
        self.send(packets(*handle_and_packet))

    def packet(self):
        """The next one: its sender's handle and its bytes."""
        _, payload = self.wait(PACKETS)
        handle, n = struct.unpack(">IH", payload[:6])
        assert len(payload) >= 6 + n
        if len(payload) > 6 + n:
            self.waiting.appendleft((PACKETS, payload[6 + n:]))
        return handle, payload[6:6 + n]

    def ping(self):
        """All that was sent before it has been looked at when it returns."""
        self.send(frame(PING, b"12345678"))
        assert self.wait(PONG)[1] == b"12345678"


def packets_cross(a, b):
    """Both allow each other, and each has what the other sends."""
    of_a, of_b = a.allow(b.address), b.allow(a.address)
    for i in range(5):  # the last ones by what is remembered
        a.send_packets((of_a, b"hello %d" % i))
        assert b.packet() == (of_b, b"hello %d" % i)
        b.send_packets((of_b, b"and back %d" % i))
        assert a.packet() == (of_a, b"and back %d" % i)
