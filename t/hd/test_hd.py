# SPDX-License-Identifier: MIT
"""What an HD client sees of a relay, in TAP; t/system/hd.t starts the relay and
runs this: PORT, PLAIN PORT, CONTROL SOCKET, [the name of one test]. Those
without a name are for an open relay; in ADMISSION are those for one that is
`enroll: approved`."""
import os
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ctl  # noqa: E402
import hd  # noqa: E402
import tap  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402
from OpenSSL import SSL  # noqa: E402

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


def test_two_clients_exchange_packets():
    (a, b), (of_a, of_b) = pair()
    a.send_packets((of_a[b], b"hello"))
    assert b.packet() == (of_b[a], b"hello")
    b.send_packets((of_b[a], b"and back"))
    assert a.packet() == (of_a[b], b"and back")


def test_known_relay_saves_a_round_trip():
    a = client()
    b = client(relay=a.relay)
    h = b.allow(a.address)
    a.allow(b.address)
    a.send(hd.frame(hd.PACKET_TO, b.address + b"to a key"))
    assert b.packet() == (h, b"to a key")


def test_many_in_a_frame_and_sizes():
    (a, b), (of_a, of_b) = pair()
    sent = [bytes([i]) * n for i, n in enumerate((0, 1, 1200, 16384, 40000))]
    a.send_packets(*[(of_a[b], p) for p in sent])
    assert [b.packet() for _ in sent] == [(of_b[a], p) for p in sent]
    largest = os.urandom(a.packet_max)
    a.send_packets((of_a[b], largest))
    assert b.packet() == (of_b[a], largest)


def test_nobody_receives_what_it_has_not_allowed():
    a, b, c = client(), client(), client()
    a.allow(b.address)
    of_b = b.allow(c.address)
    for sender in (a, c):
        h = sender.allow(b.address)
        sender.send_packets((h, sender.identity))
        sender.send(hd.frame(hd.PACKET_TO, b.address + sender.identity))
        sender.ping()
    assert [b.packet() for _ in range(2)] == [(of_b, c.identity)] * 2
    a.close()  # what a stranger does is not told, nor that it leaves
    b.ping()
    assert not [k for k, _ in b.waiting if k in (hd.PEER_GONE, hd.PACKETS)]


def test_allow_again_and_again():
    (a, b), (of_a, _) = pair()
    a.send(hd.frame(hd.ALLOW, b.address) * 3000)
    a.ping()  # b hears of a part of it, and goes on
    b.send_packets((b.allow(a.address), b"still here"))
    assert a.packet() == (of_a[b], b"still here")
    a.send_packets((of_a[b], b"and here"))
    b.packet()
    told = len([k for k, _ in b.waiting if k == hd.ALLOWED])
    assert 1 <= told < 1000, told


def test_knock():
    a, b = client(), client()
    to_b = a.allow(b.address)
    a.knock(b.address, b"it is me")
    assert b.knocked() == (a.identity, b"it is me")
    assert hd.address_of(a.identity) == a.address
    to_a = b.allow(a.address)
    assert a.allowed() == to_b
    assert b.allowed() == to_a
    b.send_packets((to_a, b"come in"))
    assert a.packet() == (to_b, b"come in")
    # who has allowed the knocker is not asked again
    a.knock(b.address)
    assert a.allowed() == to_b


def test_knocks_are_few_and_only_where_wanted():
    a, b, c = client(), client(), client(flags=0)
    for other in (b, c):
        a.allow(other.address)
    a.knock(c.address)
    for _ in range(40):
        a.knock(b.address)
    a.ping()
    stranger = client()  # of whom nobody has knocked before
    stranger.knock(b.address)  # no contact of its own: dropped
    stranger.ping()
    b.knocked()
    b.ping()
    c.ping()
    knocks = [p for k, p in b.waiting if k == hd.KNOCK]
    assert 10 < len(knocks) < 40, len(knocks)
    assert all(p == a.identity for p in knocks)
    assert not [k for k, _ in c.waiting if k == hd.KNOCK]


def test_peer_gone():
    (a, b), (of_a, of_b) = pair()
    a.send_packets((of_a[b], b"x"))
    b.packet()
    b.close()
    while a.gone()[1] != 0:  # 1: b was not there yet when a allowed it
        pass
    a.knock(b.address)
    while a.gone() != (of_a[b], 1):
        pass


def test_handles():
    a, b, c = client(), client(), client()
    h = a.allow(b.address)
    assert a.allow(b.address) == h
    a.forbid(h)
    again = a.allow(c.address)
    assert again & 0xFFFF == h & 0xFFFF and again != h
    of_b, of_c = b.allow(a.address), c.allow(a.address)
    a.send_packets((h, b"nobody"), (again, b"c"), (0xFFFFFFFF, b"nobody"),
                   (12345, b"nobody"))
    assert c.packet() == (of_c, b"c")
    assert of_b is not None
    b.ping()
    assert not [k for k, _ in b.waiting if k == hd.PACKETS]


def test_contacts_have_a_limit():
    a = client()
    assert a.contacts_max == 100
    handles = {a.allow(os.urandom(32)) for _ in range(100)}
    assert len(handles) == 100 and None not in handles
    assert a.allow(os.urandom(32)) is None
    a.forbid(handles.pop())
    assert a.allow(os.urandom(32)) is not None


def test_the_newest_connection_of_a_key_gets_packets():
    key = SigningKey.generate()
    first, second = client(key=key), client(key=key)
    other = client()
    h = second.allow(other.address)
    first.allow(other.address)
    second.ping()
    other.send(hd.frame(hd.PACKET_TO, second.address + b"to the last"))
    assert second.packet() == (h, b"to the last")


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


def test_unknown_frames_are_skipped():
    (a, b), (of_a, of_b) = pair()
    a.send(hd.frame(0x30, os.urandom(14)) + hd.frame(0xEE, bytes(65000)) +
           hd.packets((of_a[b], b"behind it")))
    assert b.packet() == (of_b[a], b"behind it")


# What the two sides want, and what it comes to: 0 directly, 1 through relays,
# 2 not at all. From the specification's table.
MEET = {(0, 0): 0, (0, 1): 0, (0, 2): 1, (0, 3): 1, (1, 1): 0, (1, 2): 0,
        (1, 3): 2, (2, 2): 1, (2, 3): 1, (3, 3): 1}


def test_intents():
    (a, b, c), (of_a, of_b, _) = pair(3)
    number = 7
    for mine in range(4):
        (a, b), (of_a, of_b) = pair()  # knocks' limit is a connection's
        for theirs in (0, 1, 2, 3, 255):
            number += 1
            a.send(hd.frame(hd.OPEN, struct.pack(">IIB", of_a[b], number,
                                                 mine)))
            assert b.wait(hd.INCOMING)[1] == struct.pack(
                ">IIB", of_b[a], number, mine)
            b.send(hd.frame(hd.ANSWER, struct.pack(">IIBB", of_b[a], number,
                                                   mine, theirs)))
            result = 2 if theirs == 255 else MEET[tuple(sorted((mine,
                                                                theirs)))]
            assert a.wait(hd.OPEN_RESULT)[1] == struct.pack(
                ">IIB", of_a[b], number, result), (mine, theirs)
            assert b.wait(hd.ANSWER_RESULT)[1] == struct.pack(
                ">IIB", of_b[a], number, result)


def test_intents_need_consent():
    a, b = client(), client()
    handle = a.allow(b.address)
    opens = hd.frame(hd.OPEN, struct.pack(">IIB", handle, 1, 0))
    a.send(opens)
    a.ping()
    b.ping()
    assert not [k for k, _ in b.waiting if k == hd.INCOMING]
    b.allow(a.address)
    for _ in range(40):
        a.send(opens)
    a.ping()
    b.ping()
    n = len([k for k, _ in b.waiting if k == hd.INCOMING])
    assert 10 < n < 30, n
    for bad in (hd.frame(hd.OPEN, struct.pack(">IIB", handle, 1, 4)),
                hd.frame(hd.ANSWER, struct.pack(">IIBB", handle, 1, 4, 0)),
                hd.frame(hd.ANSWER, struct.pack(">IIBB", handle, 1, 0, 254)),
                hd.frame(hd.OPEN, bytes(8)), hd.frame(hd.ANSWER, bytes(9))):
        c = client()
        c.send(bad)
        assert c.closed(), bad


def test_single_bytes():
    a, b = client(), client()
    h = a.allow(b.address)
    of_b = b.allow(a.address)
    for byte in hd.packets((h, b"in bites")) * 2:
        a.send(bytes([byte]))
    assert [b.packet()[1] for _ in range(2)] == [b"in bites"] * 2
    assert of_b is not None


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


# ---- who may enrol; the relay is `enroll: approved` ----

def waiting(**how):
    """A client that has been told to wait."""
    c = client(wait=False, **how)
    assert c.wait(hd.PENDING, hd.WELCOME, hd.DENIED)[0] == hd.PENDING
    return c


def said(c):
    return next((p for p in hdctl("hd", "pending")
                 if p["identity"] == hd.to_text(c.identity)), None)


def admission_approved_while_it_waits():
    c = waiting()
    assert said(c)["connected"] and said(c)["address"] == c.address.hex()
    got = hdctl("hd", "approve", hd.to_text(c.identity), "--name", "box 1",
                "--tenant", "acme")
    assert got == {"address": c.address.hex(), "waited": 1}
    c.welcome()
    assert said(c) is None
    c.close()
    again = client(key=c.key)  # it is remembered
    shown = [p for p in hdctl("peers") if p["key"] == c.address.hex()]
    assert [(p["name"], p["tenant"]) for p in shown][-1:] == \
        [("box 1", "acme")], shown
    hdctl("hd", "forget", c.address.hex())
    again.ping()
    waiting(key=c.key)


def admission_hears_of_the_relay_while_it_waits():
    c = waiting()
    assert c.wait(hd.KEEP_ALIVE)[1] == b""
    assert said(c)["connected"]
    c.close()


def admission_denied_while_it_waits():
    c = waiting()
    hdctl("hd", "deny", c.address.hex(), "--why", "who is this?")
    try:
        c.welcome()
        raise AssertionError("it was let in")
    except hd.Denied as e:
        assert e.reason == 4 and "operator" in str(e), e
    assert c.closed()
    assert "who is this?" in denied(4, key=c.key)
    # the other sign of the same point is the same holder
    other = hd.OtherSign(c.key)
    assert bytes(other.verify_key) != c.identity
    assert "who is this?" in denied(4, key=other)
    assert hdctl("hd", "approve", c.address.hex())["waited"] == 0
    client(key=c.key)
    assert client(key=other).address == c.address


def admission_denied_while_it_is_there():
    c = waiting()
    hdctl("hd", "approve", c.address.hex())
    c.welcome()
    hdctl("hd", "deny", c.address.hex())
    assert c.closed()
    denied(4, key=c.key)


def admission_gone_before_it_is_approved():
    c = waiting()
    c.close()
    while said(c)["connected"]:
        time.sleep(0.05)
    assert hdctl("hd", "approve", c.address.hex())["waited"] == 1
    client(key=c.key)


def admission_few_wait_from_one_address():
    them = []
    while True:  # those of other tests are there, too
        c = client(wait=False)
        kind, payload = c.wait(hd.PENDING, hd.DENIED)
        if kind == hd.DENIED:
            break
        them.append(c)
    assert payload[0] == 7 and 0 < len(them) <= 8, (payload, len(them))
    for c in them:
        c.close()


def ruled():
    """Rules of module policy hold for HD; the relay is open."""
    c = client()
    address = c.address.hex()
    assert hdctl("policy", "explain", address)["verdict"] == "allow"
    hdctl("peer", "revoke", address, "--why", "lost")
    assert b"lost" in c.wait(hd.HEALTH)[1]
    assert c.closed()
    for _ in range(2):  # each time: Denied is a frame of its own
        assert "lost" in denied(4, key=c.key)
    other = hd.OtherSign(c.key)
    assert "lost" in denied(4, key=other)
    hdctl("peer", "unrevoke", address)
    client(key=c.key)
    # whichever it comes by: both are put out
    c = client(key=other)
    hdctl("peer", "revoke", address, "--why", "lost again")
    assert c.closed()
    assert "lost again" in denied(4, key=c.key)
    hdctl("peer", "unrevoke", address)


def denied_in_between():
    """hd has passed a login, and policy waits for its service: who is denied
    then is out at once, and is not let in afterwards."""
    c = client(wait=False)
    until = time.monotonic() + hd.TIMEOUT
    while "POST" not in open(os.environ["SERVICE_SAID"]).read():
        assert time.monotonic() < until, "nobody asks the service"
        time.sleep(0.05)
    hdctl("hd", "deny", c.address.hex(), "--why", "lost")
    try:
        c.welcome()
        raise AssertionError("it was let in")
    except hd.Denied as e:
        assert "the operator has refused" in str(e), str(e)
    assert c.closed()


def not_kept():
    """That an invitation was used cannot be written: nobody comes in by it,
    also not the second time, and it is there still."""
    made = hdctl("hd", "invite", "--name", "full")
    proofs = hd.with_invitation(made["invitation"])
    blocks = os.path.join(os.environ["STATE"], ".hd.people.new")
    os.mkdir(blocks)
    key = SigningKey.generate()
    for _ in range(2):
        assert "cannot write" in denied(4, key=key, proofs=proofs)
    os.rmdir(blocks)
    assert made["id"] in str(hdctl("hd", "invitations"))
    client(key=key, proofs=proofs)
    assert made["id"] not in str(hdctl("hd", "invitations"))


def reloaded():
    """The new code of the module asks again, and forgets nobody."""
    them = [waiting() for _ in range(3)]
    proofs = hd.with_credential(
        hdctl("hd", "credential", "new", "x")["credential"])
    a, b = (client(proofs=proofs) for _ in range(2))
    handle = b.allow(a.address)
    to_b = a.allow(b.address)
    hdctl("module", "reload", "hd")
    a.send_packets((to_b, b"still here"))
    assert b.packet() == (handle, b"still here")
    while any(said(c) is None for c in them):
        time.sleep(0.05)
    for c in them:
        hdctl("hd", "approve", c.address.hex())
        c.welcome()


def nobody_approves():
    c = waiting()
    try:
        c.welcome()
        raise AssertionError("it was let in")
    except hd.Denied as e:
        assert e.reason == 6 and "in time" in str(e), (e.reason, str(e))
    assert c.closed()


def redirected():
    """Who is told where to go before the relay goes: each key to one place."""
    them = [client() for _ in range(8)]
    hdctl("drain", "--for", "10s")
    for c in them:
        kind, payload = c.wait(hd.REDIRECT, hd.RESTARTING)
        assert kind == hd.REDIRECT, kind
        assert payload == b"\1https://" + (
            b"one.example", b"[2001:db8::2]:8443")[c.address[0] % 2], payload
        assert c.wait(hd.RESTARTING)


def admission_invitation():
    made = hdctl("hd", "invite", "--name", "printer", "--expires", "1h")
    assert made["relay"] == hdctl("hd", "info")["identity"]
    listed = hdctl("hd", "invitations")
    assert [i["name"] for i in listed if i["id"] == made["id"]] == ["printer"]
    proofs = hd.with_invitation(made["invitation"])
    c = client(proofs=proofs)
    assert made["id"] not in str(hdctl("hd", "invitations"))
    c.close()
    client(key=c.key, proofs=proofs)  # it is this key's
    client(key=c.key)
    denied(5, proofs=proofs)  # and nobody else's


def admission_invitation_seen_by_a_stranger():
    made = hdctl("hd", "invite")
    invitation = hd.from_text(made["invitation"], "hdinvite")
    key, thief = SigningKey.generate(), SigningKey.generate()
    seen = {}

    def keep(*who):
        seen["proof"] = hd.invitation_proof(invitation, *who)
        return seen["proof"]
    other, _, _ = raw()
    relay = other.relay_identity()
    keep(key, other.binding, relay)
    denied(5, key=thief, proofs=lambda *who: seen["proof"])
    denied(5, key=key, proofs=lambda *who: seen["proof"])  # other connection
    wrong = invitation[:8] + bytes(16)
    denied(5, proofs=lambda *who: hd.invitation_proof(wrong, *who))
    client(proofs=hd.with_invitation(made["invitation"]))


def admission_invitation_taken_back():
    made = hdctl("hd", "invite")
    hdctl("hd", "uninvite", made["id"])
    denied(5, proofs=hd.with_invitation(made["invitation"]))


def admission_credential_for_an_identity():
    key = SigningKey.generate()
    text = hd.to_text(bytes(key.verify_key))
    made = hdctl("hd", "credential", "new", "laptop", "--identity", text,
                 "--tenant", "acme", "--rate", "1000000", "--expires", "1h")
    proofs = hd.with_credential(made["credential"])
    c = client(key=key, proofs=proofs)
    shown = [p for p in hdctl("peers") if p["key"] == c.address.hex()]
    assert [(p["name"], p["tenant"]) for p in shown] == [("laptop", "acme")]
    assert "another key" in denied(4, proofs=proofs)


def admission_limits_of_a_credential():
    """One connection: a second one puts the first out."""
    key = SigningKey.generate()
    made = hdctl("hd", "credential", "new", "one", "--identity",
                 hd.to_text(bytes(key.verify_key)), "--connections", "1")
    proofs = hd.with_credential(made["credential"])
    first = client(key=key, proofs=proofs)
    first.ping()
    second = client(key=key, proofs=proofs)
    assert first.closed()
    second.ping()


def admission_invitation_that_has_expired():
    made = hdctl("hd", "invite", "--expires", "1s")
    end = time.time() + 2  # of whole seconds
    while time.time() < end:
        hdctl("hd", "invitations")
    denied(5, proofs=hd.with_invitation(made["invitation"]))


def admission_credential_with_a_key():
    made = hdctl("hd", "credential", "new", "fleet")
    proofs = hd.with_credential(made["credential"])
    a, b = client(proofs=proofs), client(proofs=proofs)
    b.allow(a.address)
    a.allow(b.address)
    b.allowed()
    got = hd.from_text(made["credential"], "hdcred")
    subject = SigningKey(got[1:33])
    assert hd.from_text(made["operator"]) == hd.from_text(
        hdctl("hd", "info")["operator"])
    # without the subject's key it is of no use
    assert "another key" in denied(
        4, proofs=lambda *who: hd.credential_proof(got[33:], *who))
    assert "another key" in denied(
        4, proofs=lambda *who: hd.credential_proof(got[33:], *who,
                                                   SigningKey.generate()))
    # nor what another client has signed
    seen = hd.credential_proof(got[33:], a.key, a.binding, a.relay, subject)
    denied(4, key=a.key, proofs=lambda *who: seen)
    # to refuse its key refuses all that it would let in
    hdctl("hd", "deny", hd.to_text(bytes(subject.verify_key)))
    denied(4, proofs=proofs)


def admission_credentials_that_do_not_count():
    key, mine = SigningKey.generate(), SigningKey.generate()
    me = bytes(key.verify_key)
    assert "not signed" in denied(
        4, key=key, proofs=lambda *who: hd.credential_proof(
            hd.statement(mine, me), *who))
    # one that an operator of `hd.operators` has signed: seed 7
    other = SigningKey(bytes([7]) * 32)
    client(key=key, proofs=lambda *who: hd.credential_proof(
        hd.statement(other, me, name=b"from elsewhere"), *who)).close()
    for what, wrong in (("expired", dict(expires=1)),
                        ("no such thing", dict(version=2))):
        assert what in denied(4, key=key, proofs=lambda *who, w=wrong:
                              hd.credential_proof(
                                  hd.statement(other, me, **w), *who))
    good = hd.statement(other, me, name=b"x", tenant=b"acme")
    changed = good.replace(b"acme", b"acmf")
    assert "not signed" in denied(
        4, key=key, proofs=lambda *who: hd.credential_proof(changed, *who))
    for cut in (b"\2\0", hd.proof(2, b""), hd.proof(2, b"\xff\xff" + good),
                hd.proof(1, bytes(39)), hd.proof(9, b"") * 9,
                hd.proof(1, bytes(40)) * 2):
        denied(4, key=key, proofs=lambda *who, c=cut: c)


def main():
    given = sys.argv[4:]
    kind = "admission_" if given == ["ADMISSION"] else "test_"
    tests = [(n, f) for n, f in list(globals().items())
             if n in given or n.startswith(kind) and
             (not given or given == ["ADMISSION"])]
    return tap.run(tests) != 0


sys.exit(main())
