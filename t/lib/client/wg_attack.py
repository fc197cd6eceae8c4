#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""t/lib/client/wg_attack.py - what somebody sends who knows every public
key and no private one. t/system/wg-attack.t runs it in a namespace of its own.

  capture DEV PORT FILE        payloads of UDP to or from PORT, until TERM;
                               a line "source destination hex" each, IPv4
  spoof RELAY PORT PREFIX N KEY...   an initiation for each key from N addresses
  prove RELAY PORT N KEY       take the cookie, then N initiations with mac2
  replay RELAY PORT FILE TYPE [N]    what was captured, of that message type
  forge RELAY PORT FILE KEY    a response to each initiation captured, with the
                               mac1 that KEY's owner would check
  junk RELAY PORT N SEED       wrong types and sizes, random bytes

Prints one JSON object: packets and bytes sent, and what came back.
Keys are base64. PREFIX is "10.200": N addresses of 10.200.0.0/16, local here.
"""
import base64
import hashlib
import json
import os
import random
import select
import signal
import socket
import struct
import sys

IP_TRANSPARENT = 19
INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
INITIATION_BYTES, RESPONSE_BYTES, COOKIE_BYTES = 148, 92, 64


def mac1_key(public):
    return hashlib.blake2s(b"mac1----" + public).digest()


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def initiation(public, index, cookie=None):
    """Noise fields are noise: the relay cannot tell, the receiver can."""
    head = struct.pack("<BxxxI", INITIATION, index) + os.urandom(108)
    head += mac(mac1_key(public), head)
    return head + (mac(cookie, head) if cookie else bytes(16))


def response(public, index, receiver):
    head = struct.pack("<BxxxII", RESPONSE, index, receiver) + os.urandom(48)
    return head + mac(mac1_key(public), head) + bytes(16)


def cookie_of(reply, public, mac1):
    """The 16 bytes for mac2, from a cookie reply to a message with mac1."""
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
    key = hashlib.blake2s(b"cookie--" + public).digest()
    return crypto_aead_xchacha20poly1305_ietf_decrypt(reply[32:64], mac1, reply[8:32], key)


class Tally:
    def __init__(self):
        self.sent = self.sent_bytes = self.got = self.got_bytes = 0
        self.got_types = {}

    def send(self, sock, data, to):
        try:
            sock.sendto(data, to)
        except OSError:  # what the kernel refuses has not been sent
            return
        self.sent += 1
        self.sent_bytes += len(data)

    def take(self, socks, seconds):
        """Reads what comes within so many seconds of silence."""
        last = b""
        while True:
            ready, _, _ = select.select(socks, [], [], seconds)
            if not ready:
                return last
            for s in ready:
                try:
                    last = s.recv(65535)
                except OSError:
                    continue
                self.got += 1
                self.got_bytes += len(last)
                kind = str(last[0]) if last else "empty"
                self.got_types[kind] = self.got_types.get(kind, 0) + 1


def udp(address=None):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if address:
        s.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        s.bind((address, 0))
    return s


def spoof(t, to, prefix, n, *keys):
    keys = [base64.b64decode(k) for k in keys]
    socks = []
    for i in range(int(n)):
        s = udp(f"{prefix}.{i >> 8}.{i & 255}")
        for k in keys:
            t.send(s, initiation(k, random.getrandbits(32)), to)
        socks.append(s)
        if len(socks) == 500:
            t.take(socks, 0.02)
            for s in socks:
                s.close()
            socks = []
    t.take(socks or [udp()], 0.5)


def prove(t, to, n, key):
    key = base64.b64decode(key)
    s = udp()
    first = initiation(key, 1)
    t.send(s, first, to)
    reply = t.take([s], 1) or t.take([s], 20)
    cookie = None
    if len(reply) == COOKIE_BYTES and reply[0] == COOKIE:
        cookie = cookie_of(reply, key, first[116:132])
    for i in range(int(n)):
        t.send(s, initiation(key, i + 2, cookie), to)
        if i % 100 == 99:
            t.take([s], 0.01)
    t.take([s], 0.5)
    return {"cookie": cookie is not None}


def captured(path, kind):
    with open(path) as f:
        rows = [line.split() for line in f if line.endswith("\n")]
    packets = [bytes.fromhex(r[2]) for r in rows if len(r) == 3]
    return [p for p in packets if p and p[0] == int(kind)]


def replay(t, to, path, kind, n=0):
    s = udp()
    for p in captured(path, kind)[-int(n):]:
        t.send(s, p, to)
    t.take([s], 0.5)


def forge(t, to, path, key):
    s = udp()
    for p in captured(path, INITIATION):
        sender = struct.unpack_from("<I", p, 4)[0]
        t.send(s, response(base64.b64decode(key), random.getrandbits(32), sender), to)
    t.take([s], 0.5)


def junk(t, to, n, seed):
    dice = random.Random(int(seed))
    sizes = [0, 1, 3, 4, 31, 32, 33, 63, 64, 65, 91, 92, 93, 147, 148, 149, 1500, 9000, 65507]
    s = udp()
    for i in range(int(n)):
        size = dice.choice(sizes)
        data = bytearray(dice.randbytes(size))
        if size and dice.random() < 0.8:
            data[0] = dice.randrange(6)
        t.send(s, bytes(data), to)
        if i % 100 == 99:
            t.take([s], 0.01)
    t.take([s], 0.5)


def capture(dev, port, path):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((dev, 0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(port)
    with open(path, "w", buffering=1) as out:
        while True:
            p = s.recv(65535)
            if p[12:14] != b"\x08\x00" or p[23] != 17:
                continue
            at = 14 + (p[14] & 15) * 4
            src, dst, length = struct.unpack_from("!HHH", p, at)
            if port in (src, dst):
                ip = [socket.inet_ntoa(p[a:a + 4]) for a in (26, 30)]
                out.write(f"{ip[0]}:{src} {ip[1]}:{dst} {p[at + 8:at + length].hex()}\n")


def main(what, *args):
    if what == "capture":
        return capture(*args)
    if what not in ("spoof", "prove", "replay", "forge", "junk") or len(args) < 2:
        sys.exit(__doc__)
    t = Tally()
    more = globals()[what](t, (args[0], int(args[1])), *args[2:])
    print(json.dumps({**vars(t), **(more or {})}))


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
