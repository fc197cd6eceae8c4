# SPDX-License-Identifier: MIT
"""Who may enrol, in TAP. t/system/hd.t starts the relay and runs this: `enroll:
approved` for all tests, and another one for each whose name it gives."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402
from relay import client, denied, hdctl, raw, run  # noqa: E402


def waiting(**how):
    """A client that has been told to wait."""
    c = client(wait=False, **how)
    assert c.wait(hd.PENDING, hd.WELCOME, hd.DENIED)[0] == hd.PENDING
    return c


def said(c):
    return next((p for p in hdctl("hd", "pending")
                 if p["identity"] == hd.to_text(c.identity)), None)


def test_approved_while_it_waits():
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


def test_hears_of_the_relay_while_it_waits():
    c = waiting()
    assert c.wait(hd.KEEP_ALIVE)[1] == b""
    assert said(c)["connected"]
    c.close()


def test_denied_while_it_waits():
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


def test_denied_while_it_is_there():
    c = waiting()
    hdctl("hd", "approve", c.address.hex())
    c.welcome()
    hdctl("hd", "deny", c.address.hex())
    assert c.closed()
    denied(4, key=c.key)


def test_gone_before_it_is_approved():
    c = waiting()
    c.close()
    while said(c)["connected"]:
        time.sleep(0.05)
    assert hdctl("hd", "approve", c.address.hex())["waited"] == 1
    client(key=c.key)


def test_few_wait_from_one_address():
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


def test_invitation():
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


def test_invitation_seen_by_a_stranger():
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


def test_invitation_taken_back():
    made = hdctl("hd", "invite")
    hdctl("hd", "uninvite", made["id"])
    denied(5, proofs=hd.with_invitation(made["invitation"]))


def test_credential_for_an_identity():
    key = SigningKey.generate()
    text = hd.to_text(bytes(key.verify_key))
    made = hdctl("hd", "credential", "new", "laptop", "--identity", text,
                 "--tenant", "acme", "--rate", "1000000", "--expires", "1h")
    proofs = hd.with_credential(made["credential"])
    c = client(key=key, proofs=proofs)
    shown = [p for p in hdctl("peers") if p["key"] == c.address.hex()]
    assert [(p["name"], p["tenant"]) for p in shown] == [("laptop", "acme")]
    assert "another key" in denied(4, proofs=proofs)


def test_limits_of_a_credential():
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


def test_invitation_that_has_expired():
    made = hdctl("hd", "invite", "--expires", "1s")
    end = time.time() + 2  # of whole seconds
    while time.time() < end:
        hdctl("hd", "invitations")
    denied(5, proofs=hd.with_invitation(made["invitation"]))


def test_credential_with_a_key():
    made = hdctl("hd", "credential", "new", "fleet")
    proofs = hd.with_credential(made["credential"])
    a, b = client(proofs=proofs), client(proofs=proofs)
    other = client(proofs=hd.with_credential(
        hdctl("hd", "credential", "new", "other")["credential"]))
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
    for c in (a, b):  # nor is it welcome any longer
        assert b"refused this credential" in c.wait(hd.HEALTH)[1]
        assert c.closed()
    other.ping()  # who has another one, or none, stays


def test_credentials_that_do_not_count():
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


run(dict(globals()))
