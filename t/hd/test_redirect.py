# SPDX-License-Identifier: MIT
"""Who belongs to another relay, in TAP; t/system/hd-redirect.t starts the relay
and runs this: PORT, CONTROL SOCKET, its configuration, in which the section hd
is the last line."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ctl  # noqa: E402
import hd  # noqa: E402
import tap  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

HOST, PORT, CONTROL = "127.0.0.1", int(sys.argv[1]), sys.argv[2]
CONF = sys.argv[3]
hdctl = ctl.at(CONTROL)
RULE = 4


def rules(text):
    """From now on. Returns what the relay says to it."""
    with open(CONF, encoding="utf-8") as f:
        lines = f.read().splitlines()
    lines[-1] = "hd: {enroll: anybody, redirect_rules: [" + text + "]}"
    with open(CONF, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    done = ctl.run(CONTROL, "reload")
    return (done.stdout + done.stderr).decode()


def client(**how):
    return hd.Client(HOST, PORT, **how)


def credential(*words):
    return hd.with_credential(
        hdctl("hd", "credential", "new", *words)["credential"])


def sent_to(c):
    """Where it has been sent to, behind Welcome; None: it may stay. The
    connection is good in both cases."""
    c.ping()
    got = [payload for kind, payload in c.waiting if kind == hd.REDIRECT]
    assert all(p[0] == RULE and p[1:9] == b"https://" for p in got), got
    assert len(got) <= 1, got
    return got[0][9:].decode() if got else None


def nobody_without_rules():
    assert sent_to(client()) is None


def by_key():
    """Both signs of an identity are one address, and one client."""
    keys = [SigningKey.generate() for _ in range(4)]
    identity = [hd.to_text(bytes(k.verify_key)) for k in keys]
    by_address = hd.address_of(bytes(keys[2].verify_key)).hex()
    other = hd.OtherSign(keys[3])
    rules(f"{{keys: [{identity[0]}, {identity[1]}], to: [a.example]}}, "
          f"{{keys: ['nodekey:{by_address}'], to: ['b.example:8443']}}, "
          f"{{keys: [{identity[3]}], to: ['[2001:db8::2]:8443']}}")
    assert sent_to(client(key=keys[0])) == "a.example"
    assert sent_to(client(key=keys[1])) == "a.example"
    assert sent_to(client(key=keys[2])) == "b.example:8443"
    assert sent_to(client(key=keys[3])) == "[2001:db8::2]:8443"
    assert sent_to(client(key=other)) == "[2001:db8::2]:8443"
    assert sent_to(client()) is None


def by_name_and_tenant():
    """All that a rule names must be so, and the first such rule counts."""
    rules("{names: [desk, laptop], tenants: [acme], to: [a.example]}, "
          "{tenants: [acme], to: [b.example]}")
    assert sent_to(client(proofs=credential(
        "laptop", "--tenant", "acme"))) == "a.example"
    assert sent_to(client(proofs=credential(
        "phone", "--tenant", "acme"))) == "b.example"
    assert sent_to(client(proofs=credential("laptop"))) is None
    assert sent_to(client(proofs=credential(
        "laptop", "--tenant", "other"))) is None


def by_what_policy_says():
    """Its rule gives the tenant: agent ruled, in t/system/hd-redirect.t."""
    rules("{tenants: [ruled], to: [a.example]}")
    assert sent_to(client(agent=b"ruled")) == "a.example"
    assert sent_to(client()) is None


def everybody_but():
    """`to: []` is to stay; of several relays each key has one."""
    key = SigningKey.generate()
    rules(f"{{keys: [{hd.to_text(bytes(key.verify_key))}], to: []}}, "
          "{everybody: yes, to: [a.example, b.example]}")
    assert sent_to(client(key=key)) is None
    for _ in range(6):
        c = client()
        there = ("a.example", "b.example")[c.address[0] % 2]
        assert sent_to(c) == there
        assert sent_to(client(key=c.key)) == there


def told_only_at_the_login():
    rules("")
    c = client()
    rules("{everybody: yes, to: [a.example]}")
    assert sent_to(c) is None
    assert sent_to(client()) == "a.example"
    a, b = client(), client()
    hd.packets_cross(a, b)  # they may stay, all the same


def counted():
    rules("{everybody: yes, to: [count.example]}")
    for _ in range(3):
        client()
    assert [r for r in hdctl("hd", "redirects")
            if r["to"] == "count.example"] == [
        {"reason": "rule", "to": "count.example", "clients": 3}]
    assert [m["value"] for m in hdctl("metrics")
            if m["name"] == "hyper_derp_hd_redirects_total" and
            "count.example" in m["labels"]] == [3]


def rules_that_cannot_be():
    for text, why in (
            ("{to: [a.example]}", "whom does this rule name"),
            ("{everybody: yes, names: [x], to: [a.example]}",
             "whom does this rule name"),
            ("{everybody: yes}", "to"),
            ("{keys: [hd1nobody], to: [a.example]}", "is not an identity"),
            ("{keys: ['nodekey:12'], to: [a.example]}", "is not an identity"),
            ("{tenants: ['a b'], to: [a.example]}", "no name of a tenant"),
            ("{names: [''], to: [a.example]}", "one is empty"),
            ("{names: [x], to: ['https://a.example']}", "give a name"),
            ('{names: [x], to: ["a.example\\n"]}', "give a name"),
            ("{names: [x], to: ['a.example\\']}", "give a name")):
        said = rules(text)
        assert why in said, (text, said)


sys.exit(tap.run([(f.__name__, f) for f in (
    nobody_without_rules, by_key, by_name_and_tenant, by_what_policy_says,
    everybody_but, told_only_at_the_login, counted,
    rules_that_cannot_be)]) != 0)
