#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""t/lib/client/wg_siege.py - everything at once that somebody does who knows
every public key, sees every packet and sends from any address, as long as he
is let. t/system/wg-siege-long.t runs it; what he may get: doc/internals/wireguard.md.

  tap DEV SOCKET   frames of DEV to that UNIX datagram socket, until TERM
  siege FILE       until TERM; FILE is JSON: relay, port, me, nowhere (a
                   network that is routed here), tap (SOCKET), mac (ours), keys
                   {name: base64}, links [[name, name]...], absent (name)

siege prints one JSON object: what was sent of each kind, what came back, and
`leech`: what came for the absent peer to who sends in its sessions.
"""
import base64
import collections
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time

from wg_attack import (COOKIE, DATA, INITIATION, RESPONSE, cookie_of,
                       initiation, mac, mac1_key, response)

MAC1_AT = {INITIATION: 116, RESPONSE: 60}
ABSENT_S = 6  # the relay counts on who spoke 5 s ago


def tap(dev, path):
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    frames.bind((dev, 0))
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    while True:
        frame = frames.recv(65535)
        try:
            out.sendto(frame, socket.MSG_DONTWAIT, path)
        except OSError:  # nobody listens, or not fast enough
            pass


def data(index, counter, size=96):
    head = struct.pack("<BxxxIQ", DATA, index, counter)
    return head + os.urandom(size - len(head))


def checksum(b):
    if len(b) % 2:
        b += b"\0"
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


class Forger:
    """Sends from any address."""

    def __init__(self, relay, port):
        self.six = ":" in relay
        self.family = socket.AF_INET6 if self.six else socket.AF_INET
        self.relay, self.port = relay, port
        self.raw = socket.socket(self.family, socket.SOCK_RAW,
                                 socket.IPPROTO_RAW)

    def packet(self, source, payload):
        src, dst = (socket.inet_pton(self.family, a)
                    for a in (source[0], self.relay))
        n = 8 + len(payload)
        udp = struct.pack("!HHHH", source[1], self.port, n, 0) + payload
        pseudo = src + dst + struct.pack("!II", n, socket.IPPROTO_UDP)
        udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp) or 0xffff) \
            + udp[8:]
        if self.six:
            return struct.pack("!IHBB", 6 << 28, n, 17, 64) + src + dst + udp
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + n, 0, 0, 64, 17, 0) \
            + src + dst + udp

    def send(self, source, payload):
        to = (self.relay, 0)
        try:
            self.raw.sendto(self.packet(source, payload), to)
        except OSError:
            pass


def parse(frame, port):
    """(source, destination, payload) of a UDP datagram from or to port."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 17:
        family, at, a, n = socket.AF_INET, 14 + (frame[14] & 15) * 4, 26, 4
    elif kind == b"\x86\xdd" and frame[20] == 17:
        family, at, a, n = socket.AF_INET6, 54, 22, 16
    else:
        return None
    sport, dport, length = struct.unpack_from("!HHH", frame, at)
    if port not in (sport, dport) or length < 8 + 32:
        return None
    ip = [socket.inet_ntop(family, frame[i:i + n]) for i in (a, a + n)]
    return (ip[0], sport), (ip[1], dport), frame[at + 8:at + length]


class Caller:
    """A socket of our own that asks for one key and shows the cookie."""

    def __init__(self, siege, key):
        self.siege, self.key = siege, key
        self.cookie, self.mac1, self.index = None, None, 0
        self.sock = siege.own_socket(self.take)
        self.on_init = self.on_response = self.on_data = lambda m: None

    def send(self, message):
        self.siege.send_own(self.sock, message)

    def ask(self):
        self.index = random.getrandbits(32)
        m = initiation(self.key, self.index, self.cookie)
        self.mac1 = m[116:132]
        self.send(m)
        return self.index

    def take(self, m):
        if m[0] == COOKIE and len(m) == 64 and self.mac1:
            try:
                self.cookie = cookie_of(m, self.key, self.mac1)
            except Exception:  # not for the last one
                return
            self.mac1 = None
            self.ask()
        elif m[0] == INITIATION:
            self.on_init(m)
        elif m[0] == RESPONSE:
            self.on_response(m)


class Strangers:
    """Two ports that play both peers of a link to each other."""

    def __init__(self, siege, link):
        a, b = (siege.keys[n] for n in link)
        self.siege, self.a = siege, a
        self.first, self.second = Caller(siege, b), Caller(siege, a)
        self.second.on_init = self.answer
        self.first.on_response = self.confirm
        self.pipes = collections.deque(maxlen=4)

    def answer(self, m):
        index = random.getrandbits(32)
        sender = struct.unpack_from("<I", m, 4)[0]
        self.second.send(response(self.a, index, sender))

    def confirm(self, m):
        sender, receiver = struct.unpack_from("<II", m, 4)
        self.pipes.append([sender, receiver, 0])
        self.talk()
        self.siege.count["pipes"] += 1

    def talk(self):
        for p in self.pipes:
            self.first.send(data(p[0], p[2]))
            self.second.send(data(p[1], p[2]))
            p[2] += 1

    def ask(self):
        self.second.ask()
        self.first.ask()


class HalfForged:
    """A place of our own and the other end's address."""

    def __init__(self, siege, link):
        self.siege, self.link = siege, link
        self.caller = Caller(siege, siege.keys[link[1]])

    def go(self):
        a, b = self.link
        there = self.siege.place.get(b)
        if there is None:
            return
        i, r = self.caller.ask(), random.getrandbits(32)
        self.siege.forge(there, response(self.siege.keys[a], r, i))
        self.caller.send(data(r, 0))
        self.siege.forge(there, data(i, 0))
        self.siege.count["half_forged"] += 1


class Siege:
    def __init__(self, o):
        self.relay, self.port = o["relay"], o["port"]
        self.me, self.nowhere = o["me"], o["nowhere"]
        self.mac = bytes.fromhex(o["mac"].replace(":", ""))
        self.keys = {n: base64.b64decode(k) for n, k in o["keys"].items()}
        self.mac1_keys = {n: mac1_key(k) for n, k in self.keys.items()}
        self.absent = o["absent"]
        self.forger = Forger(self.relay, self.port)
        self.socks, self.count = {}, collections.Counter()
        self.place, self.heard, self.index = {}, {}, {}
        self.old = collections.deque(maxlen=400)  # what was seen, to replay
        self.leech = self.own_socket(lambda m: self.note("leech"))
        self.liar = self.own_socket(lambda m: self.note("copies"))
        self.echo = self.own_socket(lambda m: self.note("replayed_back"))
        live = [k for k in o["links"] if self.absent not in k]
        self.live = live
        self.strangers = [Strangers(self, k) for k in o["links"]]
        self.half = [HalfForged(self, k) for k in live] + \
            [HalfForged(self, k[::-1]) for k in live]
        self.tap = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.tap.bind(o["tap"])

    # ---- sending and receiving ----

    def note(self, what):
        self.count[what] += 1

    def own_socket(self, take):
        s = socket.socket(self.forger.family, socket.SOCK_DGRAM)
        s.bind((self.me, 0))
        s.setblocking(False)
        self.socks[s] = take
        return s

    def send_own(self, sock, message):
        try:
            sock.sendto(message, (self.relay, self.port))
        except OSError:
            return
        self.count["sent"] += 1

    def forge(self, source, message):
        self.forger.send(source, message)
        self.count["sent"] += 1

    # ---- what is seen ----

    def is_real(self, addr):
        return addr[0] != self.me and not addr[0].startswith(self.nowhere)

    def receiver_of(self, m):
        at = MAC1_AT[m[0]]
        for name, key in self.mac1_keys.items():
            if mac(key, m[:at]) == m[at:at + 16]:
                return name
        return None

    def see(self, frame):
        if frame[6:12] == self.mac:
            return
        seen = parse(frame, self.port)
        if seen is None:
            return
        source, to, m = seen
        if source[0] == self.relay and self.is_real(to):
            self.see_out(to, m)
        elif to[0] == self.relay and self.is_real(source):
            self.see_in(source, m)

    def see_out(self, to, m):
        if m[0] in MAC1_AT:
            name = self.receiver_of(m)
            if name is not None:
                self.place[name] = to
        if m[0] == INITIATION and name is not None:
            self.answer_first(to, m)

    def see_in(self, source, m):
        self.old.append((source, m))
        if m[0] == DATA:
            self.heard[source] = time.monotonic()
            self.index[source] = struct.unpack_from("<IQ", m, 4)

    # Fewer than would push the real one out: eight in a round trip.
    def answer_first(self, responder, m):
        sender = struct.unpack_from("<I", m, 4)[0]
        for name in random.sample(sorted(self.keys), 2):
            r = response(self.keys[name], random.getrandbits(32), sender)
            self.send_own(self.echo, r)
            self.forge(responder, r)
        self.count["forged_responses"] += 4

    # ---- what is done ----

    def both_forged(self):
        for a, b in self.live:
            if random.random() < 0.5:
                a, b = b, a
            x, y = self.place.get(a), self.place.get(b)
            if x is None or y is None:
                continue
            i, r = random.getrandbits(32), random.getrandbits(32)
            self.forge(x, initiation(self.keys[b], i))
            self.forge(y, response(self.keys[a], r, i))
            self.forge(x, data(r, 0))
            self.forge(y, data(i, 0))
            self.count["both_forged"] += 1

    def replay(self):
        if not self.old:
            return
        for source, m in random.choices(self.old, k=5):
            self.send_own(self.echo, m)
            self.forge(source, m)
            self.count["replays"] += 2

    def lie(self, sock, source, times):
        index, counter = self.index[source]
        for i in range(times):
            self.send_own(sock, data(index, counter + 100000 + i))
        self.index[source] = (index, counter + times)

    def lie_of_the_absent(self):
        there = self.place.get(self.absent)
        if there not in self.index or \
                time.monotonic() - self.heard[there] < ABSENT_S:
            return
        self.lie(self.leech, there, 3)
        self.count["lies_of_the_absent"] += 3

    def lie_of_the_present(self):
        for name, there in self.place.items():
            if name != self.absent and there in self.index:
                self.lie(self.liar, there, 3)
                self.count["lies"] += 3

    def flood(self):
        for _ in range(10):
            n = random.getrandbits(16)
            ip = f"{self.nowhere}{n:x}" if ":" in self.nowhere else \
                f"{self.nowhere}{n >> 8}.{n & 255}"
            key = random.choice(list(self.keys.values()))
            self.forge((ip, 1024 + n % 60000),
                       initiation(key, random.getrandbits(32)))
            self.count["flood"] += 1

    def jobs(self):
        yield 0.1, self.flood
        yield 0.1, self.replay
        yield 1.0, self.both_forged
        yield 0.2, self.lie_of_the_absent
        yield 5.0, self.lie_of_the_present
        for s in self.strangers:
            yield 1.4, s.ask
            yield 0.5, s.talk
        for h in self.half:
            yield 1.5, h.go

    def run(self):
        now = time.monotonic()
        todo = [[now + random.random(), every, what]
                for every, what in self.jobs()]
        while True:
            for job in todo:
                if job[0] <= now:
                    job[2]()
                    job[0] = now + job[1]
            wait = max(0, min(j[0] for j in todo) - time.monotonic())
            self.take(wait)
            now = time.monotonic()

    def take(self, seconds):
        ready, _, _ = select.select([self.tap, *self.socks], [], [], seconds)
        for s in ready:
            try:
                m = s.recv(65535)
            except OSError:
                continue
            if s is self.tap:
                self.see(m)
            elif m:
                self.count["got"] += 1
                self.socks[s](m)


def siege(path):
    with open(path) as f:
        s = Siege(json.load(f))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        s.run()
    finally:
        print(json.dumps({**s.count, "places": s.place}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("tap", "siege"):
        sys.exit(__doc__)
    globals()[sys.argv[1]](*sys.argv[2:])
