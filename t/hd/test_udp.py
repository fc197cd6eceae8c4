# SPDX-License-Identifier: MIT
"""HD over UDP against a relay, in TAP; t/system/hd-udp.t starts the relay and
runs this: PORT, CONTROL SOCKET, [the name of one test]."""
import os
import re
import select
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ctl  # noqa: E402
import hd  # noqa: E402
import hd_udp  # noqa: E402
import tap  # noqa: E402

HOST, PORT, CONTROL = "127.0.0.1", int(sys.argv[1]), sys.argv[2]
hdctl = ctl.at(CONTROL)


def metric(name, **labels):
    got = [m for m in hdctl("metrics")
           if m["name"] == "hyper_derp_hd_udp_" + name and
           all(f'{k}="{v}"' in (m["labels"] or "") for k, v in labels.items())]
    assert len(got) == 1, got
    return got[0]["value"]


def dropped(reason, by, n):
    """by() makes the relay drop n datagrams for that reason."""
    before = metric("dropped_total", reason=reason)
    by()
    until = time.monotonic() + hd.TIMEOUT
    while metric("dropped_total", reason=reason) < before + n:
        assert time.monotonic() < until, reason
    assert metric("dropped_total", reason=reason) == before + n


def client(**how):
    return hd.Client(HOST, PORT, flags=hd.UDP_FLAG, **how)


def pair():
    """Two that allow each other, with paths; the handle that each has."""
    a, b = client(), client()
    of_a, of_b = a.allow(b.address), b.allow(a.address)
    pa, pb = hd_udp.Path(a), hd_udp.Path(b)
    pa.validate()
    pb.validate()
    return a, b, pa, pb, of_a, of_b


def transport(c):
    got = hdctl("peers", c.address.hex())
    assert len(got) == 1
    return got[0]["transport"]


def silent(sock):
    """Nothing has come: what was sent before has been dealt with."""
    return not select.select([sock], [], [], 0)[0]


def asked(path):
    """What comes for a Ping; the relay need not answer each of them."""
    path.control(hd_udp.PING, b"ping 123")
    while not select.select([path.sock], [], [], 0.05)[0]:
        path.control(hd_udp.PING, b"ping 123")
    return path.receive()[1]


def packet_from(path):
    """The next packet of either way, and whether that was UDP; None: there is
    none. Challenges and Pongs may come first."""
    while select.select([path.sock], [], [], 1)[0]:
        kind, got = path.receive()
        if kind == hd_udp.DG_PACKET:
            return (struct.unpack(">I", got[:4])[0], got[4:]), True
    path.tcp.ping()  # all that was before it has come
    if any(kind == hd.PACKETS for kind, _ in path.tcp.waiting):
        return path.tcp.packet(), False
    return None, False


def by_udp(send, path, handle, data):
    """send() makes the relay send that by UDP: by TCP, if nothing was heard for
    a second before, or the way was lost in a stall. Then again."""
    before, path.last = path.last, (handle, data)
    while True:
        path.ping()
        send()
        got, udp = packet_from(path)
        while got == before != path.last:  # sent twice
            got, udp = packet_from(path)
        assert got in (None, path.last), got
        if udp:
            return
        path.validate()


VECTORS = {  # suite: the packet, the Ping
    "TLS_AES_128_GCM_SHA256": (
        "4659b22d54af0dee03955cd4c944d896ab202a120ad5",
        "15f6d326d159edead6b49a77594905e12f71269976b8faac3ee531076a01d3a074"),
    "TLS_AES_256_GCM_SHA384": (
        "5b1c5678f0adc831e6b984b80e62e70c0965ddfc9c1b",
        "2138eafdce842afe637a0b91da13f616e63bc22c89e90e954e420c9df835b9ca82"),
    "TLS_CHACHA20_POLY1305_SHA256": (
        "ac1b52ba0100634eebf3ab42fc3104b50c1376e2379f",
        "d6dd5fb35a69aba0c73c9530424cfa1bea001e1acbb870190c4523d6227f2f0c4a"),
}


def test_vectors():
    for suite, (packet, ping) in VECTORS.items():
        sealed = hd_udp.Sealed(bytes(range(0xC0, 0xE0)), suite)
        assert sealed.keys(0)[0].hex().startswith("161c2dc4f8ab1ec1")
        assert sealed.keys(1)[0].hex().startswith("2e3b3009d853fc5e")
        got = sealed.seal(8, 0x01000002, struct.pack(">I", 0x00010002) + b"hi")
        assert got.hex() == "0801000002000000000001" + packet
        got = sealed.seal(9, 0x01000002, hd_udp.control(4, b"ping 123"),
                          1 << 24)
        assert got.hex() == "0901000002000001000000" + ping


def test_packets_go_by_udp():
    a, b, pa, pb, of_a, of_b = pair()
    assert transport(a) == transport(b) == "udp"
    assert pa.suite == os.environ.get("HD_SUITE", pa.suite)
    for data in (b"hello", b"", b"x" * 1200):
        by_udp(lambda: pa.packet(of_a, data), pb, of_b, data)
    by_udp(lambda: b.send_packets((of_b, b"from TCP to UDP")),
           pa, of_a, b"from TCP to UDP")
    a.send_packets((of_a, b"y" * 1201))
    assert b.packet() == (of_b, b"y" * 1201)  # too long
    row = hdctl("peers", a.address.hex())[0]
    assert row["bytes_in"] > 3600, row


def test_who_does_not_ask_is_offered_nothing():
    c = hd.Client(HOST, PORT, flags=0)
    c.ping()
    assert all(kind != hd.UDP for kind, _ in c.waiting)


def test_no_packets_before_an_answer():
    a, b = client(), client()
    of_a, of_b = a.allow(b.address), b.allow(a.address)
    pb = hd_udp.Path(b)
    pb.control(hd_udp.PROBE, b"probe 12", n=1204)
    _, challenge = pb.receive()
    assert len(challenge) == 1204
    a.send_packets((of_a, b"by TCP"))
    assert b.packet() == (of_b, b"by TCP") and transport(b) == "tcp"
    # an answer that is none, and one from another address
    pb.control(hd_udp.RESPONSE, b"whatever")
    here, pb.sock = pb.sock, pb.socket()
    pb.control(hd_udp.RESPONSE, challenge[9:17])
    pb.sock = here
    assert asked(pb)[0] == hd_udp.CHALLENGE  # no Pong
    assert transport(b) == "tcp"
    pb.validate()
    assert transport(b) == "udp"


def test_another_address_is_asked_first():
    a, b, pa, pb, of_a, of_b = pair()
    old, new = pb.sock, pb.socket()
    pb.sock = new
    by_udp(lambda: pb.packet(of_b, b"moved?"), pa, of_a, b"moved?")
    assert silent(new)  # a datagram shorter than a Challenge
    challenge = asked(pb)
    assert challenge[0] == hd_udp.CHALLENGE and len(challenge) == 17
    pb.sock = old
    by_udp(lambda: pa.packet(of_a, b"to the old one"),
           pb, of_b, b"to the old one")
    pb.sock = new
    pb.control(hd_udp.RESPONSE, challenge[9:17])
    by_udp(lambda: pa.packet(of_a, b"to the new one"),
           pb, of_b, b"to the new one")


def test_replays_and_copies_get_nothing():
    a, b, pa, pb, of_a, of_b = pair()
    ping = pb.to.seal(hd_udp.DG_CONTROL, pb.conn,
                      hd_udp.control(hd_udp.PING, b"ping 123"))
    thief = pb.socket()
    pb.sock.send(ping)
    pb.answer_until(lambda data: data[:9] == b"\5ping 123")

    def again():
        thief.send(ping)
        pb.sock.send(ping)
    dropped("replay", again, 2)
    assert silent(thief) and silent(pb.sock)


def test_what_others_seal_is_dropped():
    a, b, pa, pb, of_a, of_b = pair()

    def forge():
        pb.sock.send(pb.to.seal(hd_udp.DG_PACKET, pa.conn,
                                struct.pack(">I", of_a) + b"as a"))
        good = bytearray(pa.to.seal(hd_udp.DG_PACKET, pa.conn, b"1234"))
        good[-1] ^= 1
        pb.sock.send(bytes(good))
        pa.sock.send(pa.back.seal(hd_udp.DG_PACKET, pa.conn, b"1234", 9000))
        pa.sock.send(pa.to.seal(hd_udp.DG_PACKET, pa.conn, b"1234", 3 << 24))
    dropped("forged", forge, 4)
    dropped("shape", lambda: pa.sock.send(
        pa.to.seal(hd_udp.DG_PACKET, pa.conn, b"123")), 1)
    by_udp(lambda: pa.packet(of_a, b"and on"), pb, of_b, b"and on")


def test_strangers_get_nothing():
    a, b, pa, pb, of_a, of_b = pair()
    stranger = pa.socket()

    def shapes():
        for data in (b"x", b"\0\1" + bytes(18), b"\x08" + bytes(25),
                     b"\x08" + bytes(1231), b"\x01" + bytes(147)):
            stranger.send(data)
    dropped("shape", shapes, 2)  # the others are not even for HD

    def unknown():
        for conn in (0x00FFFFFF, 0x01FFFFFF, 0x02000000, 0xFFFFFFFF):
            stranger.send(struct.pack(">BI", 9, conn) + bytes(200))
    dropped("unknown", unknown, 4)
    assert silent(stranger)


def test_a_flood_leaves_others_alone():
    a, b, pa, pb, of_a, of_b = pair()
    stranger = pa.socket()
    for i in range(20000):
        stranger.send(struct.pack(">BI", 8, pa.conn ^ i % 2 << 24) +
                      os.urandom(60))
    pb.ping()  # a full queue loses ours, too: this is sent again
    pa.ping()
    by_udp(lambda: pa.packet(of_a, b"still here"), pb, of_b, b"still here")
    assert silent(stranger)


def test_a_client_says_that_it_is_lost():
    a, b, pa, pb, of_a, of_b = pair()
    b.send(hd.frame(hd.UDP_LOST))
    b.ping()
    assert transport(b) == "tcp"
    pa.packet(of_a, b"by UDP, then TCP")
    assert b.packet() == (of_b, b"by UDP, then TCP")
    pb.validate()
    by_udp(lambda: pa.packet(of_a, b"by UDP again"),
           pb, of_b, b"by UDP again")


def test_who_was_silent_has_tcp_first():
    """After a second without a datagram the relay does not know whether the way
    is still good: the first packet is not lost if it is not."""
    a, b, pa, pb, of_a, of_b = pair()
    until = time.monotonic() + 1.1
    while time.monotonic() < until:
        pa.ping()
    pa.packet(of_a, b"by TCP")
    assert b.packet() == (of_b, b"by TCP")
    assert transport(b) == "udp"  # it is not given up
    by_udp(lambda: pa.packet(of_a, b"by UDP"), pb, of_b, b"by UDP")


def test_a_pong_says_how_many_have_come():
    a, b, pa, pb, of_a, of_b = pair()
    pb.control(hd_udp.PING, b"ping 001")
    pongs = []
    pb.answer_until(lambda data: data[:9] == b"\5ping 001" and
                    pongs.append(data[9:17]) is None)
    for _ in range(3):
        pb.packet(of_b, b"one")
    pb.control(hd_udp.PING, b"ping 002")
    pb.answer_until(lambda data: data[:9] == b"\5ping 002" and
                    pongs.append(data[9:17]) is None)
    first, second = (int.from_bytes(p, "big") for p in pongs)
    assert second - first == 4, pongs


def test_silence_is_noticed():
    a, b, pa, pb, of_a, of_b = pair()
    n, got = 0, None
    while got is None:
        n += 1
        pa.packet(of_a, b"%d" % n)
        pa.ping()
        if b.tls.pending() or select.select([b.sock], [], [], 0.05)[0]:
            got = b.frame()
            got = got if got[0] == hd.UDP_LOST else None
    assert transport(b) == "tcp"
    _, last = b.packet()
    assert 1 < int(last) <= n


def test_packet_to_nobody_is_counted():
    a, b, pa, pb, of_a, of_b = pair()
    before = [m["value"] for m in hdctl("metrics") if m["labels"] and
              "packets_dropped" in m["name"] and "handle" in m["labels"]]
    pa.packet(0x00FF00FF, b"who?")
    pa.ping()
    after = [m["value"] for m in hdctl("metrics") if m["labels"] and
             "packets_dropped" in m["name"] and "handle" in m["labels"]]
    assert after[0] == before[0] + 1, (before, after)


def test_who_is_put_out_is_out():
    a, b, pa, pb, of_a, of_b = pair()
    hdctl("peer", "close", b.address.hex())
    assert b.closed()

    def speak():
        pb.control(hd_udp.PING, b"ping 123")
    dropped("unknown", speak, 1)
    c = client()  # may have its place, and is another
    pc = hd_udp.Path(c)
    pc.validate()
    if pc.conn == pb.conn:
        dropped("forged", speak, 1)


def dumped():
    """What a core dump of the relay would hold of its data."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(CONTROL)
        pid = struct.unpack("iII", s.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    maps = open(f"/proc/{pid}/smaps").read()
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for m in re.finditer(r"^(\w+)-(\w+) rw-p \S+ 00:00(?:.*\n(?!VmFlags))*"
                             r".*\nVmFlags:(.*)", maps, re.M):
            begin, end = int(m[1], 16), int(m[2], 16)
            if " dd" not in m[3]:
                mem.seek(begin)
                yield mem.read(end - begin)


def test_keys_are_left_out_of_core_dumps():
    if os.geteuid() != 0 or os.environ.get("HD_SANITIZERS", "no") != "no":
        return
    c = client()
    p = hd_udp.Path(c)
    p.validate()
    try:
        parts = list(dumped())
    except PermissionError:  # a container's root
        return
    for part in parts:
        for sealed in (p.to, p.back):
            sealed.keys(1)
            for secret in sealed.secrets[:2] + [sealed.keys(0)[0]]:
                assert secret not in part
    assert sum(map(len, parts)) > 100000


def limited():
    """peer_rate_limit is 20 kB a second, and 64 kB at once."""
    a, b, pa, pb, of_a, of_b = pair()
    before = metric("dropped_total", reason="limit")
    sent = 0
    while sent < 200 or metric("dropped_total", reason="limit") == before:
        pa.packet(of_a, b"x" * 1000)
        sent += 1
    # another's are not held back, and behind it all that was let through
    pb.control(hd_udp.PING, b"ping 123")
    n, data = 0, b""
    while data[:9] != b"\5ping 123":
        kind, data = pb.receive()
        n += kind == hd_udp.DG_PACKET
        if kind == hd_udp.DG_CONTROL and data[0] == hd_udp.CHALLENGE:
            # so late that the path was given up
            pb.control(hd_udp.RESPONSE, data[9:17])
            pb.control(hd_udp.PING, b"ping 123")
    assert 0 < n < sent, (n, sent)
    assert transport(a) == "udp"


def main():
    given = sys.argv[3:]
    tests = [(n, f) for n, f in list(globals().items())
             if (n in given if given else n.startswith("test_"))]
    return tap.run(tests) != 0


sys.exit(main())
