# SPDX-License-Identifier: MIT
"""How an HD client comes to a relay, and what it may not say; in TAP. t/system/hd.t
starts the relay, `enroll: anybody`, and runs this."""
import os
import socket
import ssl
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402
from OpenSSL import SSL  # noqa: E402
from relay import HOST, PLAIN, PORT, client, raw, run  # noqa: E402


def test_known_relay_saves_a_round_trip():
    a = client()
    b = client(relay=a.relay)
    h = b.allow(a.address)
    a.allow(b.address)
    a.send(hd.frame(hd.PACKET_TO, b.address + b"to a key"))
    assert b.packet() == (h, b"to a key")


def test_an_enrolment_of_another_connection():
    key = SigningKey.generate()
    victim = client(key=key)
    replayed = hd.enroll(key, victim.binding, victim.relay)
    c, status, _ = raw(replayed)
    assert status == 101
    c.relay_identity()
    kind, payload = c.wait(hd.DENIED)
    assert kind == hd.DENIED and payload[0] == 1
    assert c.closed()


def test_wrong_proofs():
    key = SigningKey.generate()
    good = client()

    def answer(*how, **more):
        c, _, _ = raw()
        relay = c.relay_identity()
        made = hd.enroll(key, c.binding, *(how or (relay,)), **more)
        return c, relay, made

    c, _, made = answer(os.urandom(32))  # for another relay
    c.send(made)
    assert c.wait(hd.DENIED)[1][0] == 1
    c, _, made = answer(label=hd.RELAY_LABEL)
    c.send(made)
    assert c.wait(hd.DENIED)[1][0] == 1
    c, _, made = answer(version=3)
    c.send(made)
    assert c.wait(hd.DENIED)[1][0] == 3
    c, _, made = answer()  # somebody else's identity
    c.send(made[:6] + good.identity + made[38:])
    assert c.wait(hd.DENIED)[1][0] == 1
    for point in (bytes(32), b"\1" + bytes(31), b"\xff" * 32):
        c, _, made = answer()
        c.send(made[:6] + point + made[38:])
        assert c.wait(hd.DENIED)[1][0] == 2, point
        assert c.closed()


def test_the_relay_s_own_proof_is_no_client_s():
    c, _, _ = raw()
    relay = c.relay_identity()
    # what the relay has signed, sent back to it
    d, _, _ = raw()
    kind, hello = d.frame()
    d.send(hd.frame(hd.ENROLL, hello + b"\0"))
    assert d.wait(hd.DENIED)[1][0] == 1
    assert relay == hello[2:34]


def test_frames_that_cannot_be():
    key = SigningKey.generate()
    for bad in (hd.frame(hd.ENROLL, bytes(98)), hd.frame(hd.ALLOW, bytes(32)),
                hd.frame(0x77), b"\x10\xff\xff\xff",
                hd.enroll(key, bytes(32), bytes(32), agent=b"")[:-1] + b"\x40"):
        c, _, _ = raw()
        c.send(bad)
        assert c.closed(), bad
    for bad in (hd.frame(hd.ALLOW, bytes(31)), hd.frame(hd.FORBID, bytes(5)),
                hd.frame(hd.PACKETS, bytes(5)),
                hd.frame(hd.PACKETS, struct.pack(">IH", 0, 2) + b"x"),
                hd.frame(hd.PACKETS, struct.pack(">IH", 0, 1) + b"xy"),
                hd.frame(hd.KNOCK, bytes(97)), hd.frame(hd.PING, bytes(7)),
                b"\x04\xff\xff\xff", b"\x99\xff\xff\xff",
                hd.frame(hd.ENROLL, bytes(99))):
        c = client()
        c.send(bad)
        assert c.closed(), bad


def answer_to(port, request, tls=True):
    """Its status, and the head with what has come behind it."""
    sock = socket.create_connection((HOST, port), hd.TIMEOUT)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    sock.sendall(request)
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(65536)
    return int(got.split()[1]), got


def test_what_is_no_upgrade():
    head = b"GET /hd HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    assert answer_to(PORT, head + b"\r\n")[0] == 426
    assert answer_to(PORT, head + b"Upgrade: DERP\r\n\r\n")[0] == 426
    status, said = answer_to(PLAIN, head + b"Upgrade: HD\r\n\r\n", tls=False)
    assert status == 403 and b"TLS" in said, said


def test_what_cannot_prove_anybody():
    _, status, _ = raw(version=SSL.TLS1_2_VERSION)
    assert status == 403
    for header in ("X-Forwarded-For: 192.0.2.1", "Via: 1.1 proxy",
                   "Forwarded: for=192.0.2.1"):
        c, status, _ = raw(headers=[header])
        assert status == 403, header
        while b"\n" not in c.got:
            c._more()
        assert b"proxy" in c.got


def test_text_form():
    seed = bytes(range(32))
    identity = bytes(SigningKey(seed).verify_key)
    text = hd.to_text(identity)
    assert len(text) == 61 and hd.from_text(text) == identity
    assert hd.from_text(text.upper()) == identity
    for i in range(3, len(text)):
        wrong = text[:i] + ("q" if text[i] != "q" else "p") + text[i + 1:]
        try:
            hd.from_text(wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_both_signs_have_one_address():
    identity = bytes(SigningKey.generate().verify_key)
    other = identity[:31] + bytes([identity[31] ^ 0x80])
    assert hd.address_of(identity) == hd.address_of(other)
    assert hd.address_of(identity) == bytes(
        __import__("nacl.signing").signing.VerifyKey(identity)
        .to_curve25519_public_key())


run(dict(globals()))
