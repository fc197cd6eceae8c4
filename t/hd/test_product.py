# SPDX-License-Identifier: MIT
"""HD and the rest of the relay, in TAP; t/system/hd-product.t starts the relays
and runs this: PORT, CONTROL SOCKET, a kind of test: RULED (module policy, whose
service is at the port of a fourth argument), WAITING (and a module that lets a
login wait), UPGRADED (it is the file), PROXIED (PORT speaks the PROXY
protocol), DRAINED."""
import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ctl  # noqa: E402
import hd  # noqa: E402
import hd_udp  # noqa: E402
import tap  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

HOST, PORT, CONTROL, KIND = "127.0.0.1", int(sys.argv[1]), *sys.argv[2:4]
ASKED = CONF = sys.argv[4] if len(sys.argv) > 4 else None
hdctl = ctl.at(CONTROL)


def client(**how):
    return hd.Client(HOST, PORT, **how)


def of(*words, **how):
    """A client with a credential of its own."""
    key = SigningKey.generate()
    made = hdctl("hd", "credential", "new", "x", "--identity",
                 hd.to_text(bytes(key.verify_key)), *words)
    return client(key=key, proofs=hd.with_credential(made["credential"]),
                  **how)


def becomes(get, want):
    """What get() returns follows within a second or so."""
    until = time.monotonic() + hd.TIMEOUT
    while (got := get()) != want:
        assert time.monotonic() < until, (got, want)
        time.sleep(0.05)


# ---- RULED ----

def ruled_tenants_keep_clients_apart():
    a, b, c = of("--tenant", "red"), of("--tenant", "red"), \
        of("--tenant", "blue")
    hd.packets_cross(a, b)
    a.ping()
    a.waiting.clear()
    to_a, to_c = c.allow(a.address), a.allow(c.address)
    c.send_packets((to_a, b"from another tenant"))
    a.send_packets((to_c, b"to another tenant"))
    c.knock(a.address)
    # as if the other was not there
    assert c.gone() == (to_a, 1)
    assert a.gone() == (to_c, 1)
    a.ping()
    c.ping()
    assert not [k for k, _ in [*a.waiting, *c.waiting]
                if k in (hd.PACKETS, hd.KNOCK, hd.ALLOWED)]


def read_again():
    """Rules ask about who is here: twice, so that the first has ended."""
    for _ in range(2):
        hdctl("policy", "reread")
        hdctl("reload")
        time.sleep(0.1)


def tenant_of(c):
    return {p["key"]: p["tenant"] for p in hdctl("peers")}[c.address.hex()]


def ruled_rules_leave_a_credential_s_tenant():
    """Rules that say nothing of it do not take it away."""
    a, b = of("--tenant", "red"), of("--tenant", "red")
    read_again()
    hd.packets_cross(a, b)
    assert tenant_of(a) == "red"


def ruled_also_when_the_module_has_come_anew():
    a, b = of("--tenant", "red"), of("--tenant", "red")
    hdctl("module", "reload", "policy")
    read_again()
    hd.packets_cross(a, b)
    assert tenant_of(a) == "red"


def ruled_what_rules_say_comes_first():
    """Of the tenant and of limits, at once and later."""
    key = SigningKey.generate()
    made = hdctl("hd", "credential", "new", "x", "--tenant", "red",
                 "--connections", "5", "--identity",
                 hd.to_text(bytes(key.verify_key)))
    proofs = hd.with_credential(made["credential"])
    a, b = (client(key=key, proofs=proofs, agent=b"ours") for _ in range(2))
    assert tenant_of(b) == "ours"
    assert a.closed()
    read_again()
    b.ping()
    assert tenant_of(b) == "ours"


def ruled_a_tenant_has_so_many_connections():
    key = SigningKey.generate()
    made = hdctl("hd", "credential", "new", "x", "--tenant", "few",
                 "--identity", hd.to_text(bytes(key.verify_key)))
    proofs = hd.with_credential(made["credential"])
    a = client(key=key, proofs=proofs)
    try:
        of("--tenant", "few")
        raise AssertionError("it was let in")
    except hd.Denied as e:
        assert "as many connections as it may" in str(e), str(e)
    a.ping()
    again = client(key=key, proofs=proofs)
    assert a.closed()
    again.ping()


class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"Allow":true}')

    def log_message(self, *_):
        pass


def ruled_a_service_that_lets_in_says_nothing_of_it():
    service = http.server.ThreadingHTTPServer((HOST, int(ASKED)), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    a, b = (of("--tenant", "red", agent=b"asked") for _ in range(2))
    read_again()
    hd.packets_cross(a, b)
    assert tenant_of(a) == "red"
    service.shutdown()
    service.server_close()


def account(c):
    sums = {"packets_in": 0, "packets_out": 0, "bytes_in": 0}
    for row in hdctl("accounting", "--key", c.address.hex()):
        for name in sums:
            sums[name] += row[name]
    return sums


def ruled_accounting_counts_both_transports():
    a, b = (of("--tenant", "counted", flags=hd.UDP_FLAG) for _ in range(2))
    of_a, of_b = a.allow(b.address), b.allow(a.address)
    a.allowed()
    b.allowed()
    for _ in range(20):
        a.send_packets((of_a, bytes(1000)))
        assert b.packet() == (of_b, bytes(1000))
    more = 2  # that a allows b, and the answer when b allows a
    becomes(lambda: account(a)["packets_in"], 20 + more)
    becomes(lambda: account(b)["packets_out"], 20 + more)
    bytes_in = account(a)["bytes_in"]
    assert bytes_in >= 20 * 1000
    pa, pb = hd_udp.Path(a), hd_udp.Path(b)
    pa.validate()
    pb.validate()
    for i in range(20):
        pa.packet(of_a, bytes([i]) * 1000)
        assert pb.receive() == (hd_udp.DG_PACKET, of_b.to_bytes(4, "big") +
                                bytes([i]) * 1000)
    becomes(lambda: account(a)["packets_in"], 40 + more)
    becomes(lambda: account(b)["packets_out"], 40 + more)
    assert account(a)["bytes_in"] >= bytes_in + 20 * 1000
    tenant = [t for t in hdctl("accounting", "tenants")
              if t["tenant"] == "counted"]
    assert [(t["keys"], t["packets_in"]) for t in tenant] == \
        [(2, 40 + more + 1)], tenant


def ruled_a_quota_puts_them_out():
    key = SigningKey.generate()
    made = hdctl("hd", "credential", "new", "x", "--tenant", "small",
                 "--identity", hd.to_text(bytes(key.verify_key)))
    proofs = hd.with_credential(made["credential"])
    a, b = client(key=key, proofs=proofs), of("--tenant", "small")
    of_a, _ = a.allow(b.address), b.allow(a.address)
    for _ in range(20):  # of 200 KiB, both ways
        a.send_packets((of_a, bytes(10000)))
        b.packet()
    why = b"its tenant has used its quota of this month"
    said = a.wait(hd.HEALTH)[1]
    assert why in said, said
    assert a.closed()
    assert b.closed()
    try:
        client(key=key, proofs=proofs)
        raise AssertionError("it was let in")
    except hd.Denied as e:
        assert e.reason == 4 and why.decode() in str(e), (e.reason, str(e))


def ruled_the_rate_of_a_credential_holds():
    a, b = of("--rate", str(1 << 17)), of()
    read_again()
    is_held(a, b)
    hdctl("module", "reload", "policy")
    read_again()
    is_held(a, b)


def is_held(a, b):
    """128 KiB a second, of which 64 KiB may come at once, and one read more
    than is there."""
    of_a, _ = a.allow(b.address), b.allow(a.address)
    began = time.monotonic()
    for _ in range(16):
        a.send_packets((of_a, bytes(1 << 15)))
    for _ in range(16):
        b.packet()
    least = (16 - 2 - 4) * (1 << 15) / (1 << 17)
    took = time.monotonic() - began
    assert took > least, (took, least)


def waiting_login_leaves_its_tenant_s_limits():
    """Of a tenant of which policy hears when the client is here. The login
    waits behind hd, which has given the tenant and no limits."""
    a, b = (of("--tenant", "slow") for _ in range(2))
    is_held(a, b)
    hdctl("judge_a", "mode", "pend")

    def come():
        with contextlib.suppress(hd.Denied):
            of("--tenant", "slow")

    later = threading.Thread(target=come)
    later.start()
    becomes(lambda: hdctl("judge_a", "seen")["held"], 1)
    is_held(a, b)
    hdctl("judge_a", "mode", "pass")
    hdctl("judge_a", "answer", "deny")
    later.join()
    is_held(a, b)


def ruled_trace_and_top():
    a, b = of(), of()
    of_a, of_b = a.allow(b.address), b.allow(a.address)
    hdctl("pairs")  # from now on they are counted
    for _ in range(5):
        a.send_packets((of_a, bytes(1000)))
        assert b.packet() == (of_b, bytes(1000))
    pair = [p for p in hdctl("pairs") if p["src"] == a.address.hex()]
    assert [(p["dst"], p["packets"], p["bytes"]) for p in pair] == \
        [(b.address.hex(), 5, 5000)], pair
    with subprocess.Popen(ctl.command(CONTROL, "top", "-1"),
                          stdout=subprocess.PIPE) as top:
        while top.poll() is None:
            a.send_packets((of_a, bytes(1000)))
            b.packet()
        said = json.loads(top.stdout.read())
    pair = [p for p in said["pairs"] if p["src"] == a.address.hex()]
    assert pair and pair[0]["packets/s"] > 0, said["pairs"]
    assert {p["key"] for p in said["peers"]} >= {a.address.hex(),
                                                 b.address.hex()}
    b.close()
    while a.gone() != (of_a, 0):
        pass
    mine = [t["what"] for t in hdctl("trace")
            if t.get("key") == b.address.hex()]
    assert mine == ["login", "closed"], mine
    refused = SigningKey.generate()
    hdctl("hd", "deny", hd.to_text(bytes(refused.verify_key)))
    try:
        client(key=refused)
        raise AssertionError("it was let in")
    except hd.Denied:
        pass
    mine = [t["what"] for t in hdctl("trace")
            if t.get("key") == hd.address_of(bytes(refused.verify_key)).hex()]
    assert "denied" in mine, mine


# ---- UPGRADED ----

def upgraded_a_new_process_knows_whose_it_is():
    """What rules have given and say no more goes; what they have left stays."""
    a, b = (of("--tenant", "red", "--rate", str(1 << 17)) for _ in range(2))
    ours = of(agent=b"ours")
    said = hdctl("upgrade")
    print("pid", said["pid"], flush=True)
    assert said["moved"] == 3, said
    read_again()
    assert (tenant_of(a), tenant_of(ours)) == ("red", "ours")
    hd.packets_cross(a, b)
    is_held(a, b)
    with open(CONF, encoding="utf-8") as f:
        text = f.read()
    with open(CONF, "w", encoding="utf-8") as f:
        f.write(text.replace("tenant: ours", "role: client"))
    hdctl("reload")
    assert b"moved it to another tenant" in ours.wait(hd.HEALTH)[1]
    assert ours.closed()
    a.ping()


# ---- PROXIED ----

def header(address):
    return f"PROXY TCP4 {address} 192.0.2.99 4711 443\r\n".encode()


def proxied_by_one_that_passes_tls_on():
    """Who a client is comes from the header, what it proves from TLS."""
    a, b = (client(first=header(f"203.0.113.{i}")) for i in (7, 8))
    hd.packets_cross(a, b)
    shown = {p["key"]: (p["addr"], p["proxy"].rsplit(":", 1)[0])
             for p in hdctl("peers")}
    assert shown[a.address.hex()] == ("203.0.113.7:4711", HOST), shown
    assert shown[b.address.hex()] == ("203.0.113.8:4711", HOST), shown


# ---- PLAIN: behind one that has ended TLS ----

def plain_behind_one_that_ends_tls():
    for head in (b"", header("203.0.113.7")):
        sock = socket.create_connection((HOST, PORT), hd.TIMEOUT)
        sock.sendall(head + b"GET /hd HTTP/1.1\r\nHost: localhost\r\n"
                     b"Connection: Upgrade\r\nUpgrade: HD\r\n\r\n")
        got = b""
        while more := sock.recv(65536):
            got += more
        if head:  # without one the listener takes it for no proxy's
            assert got.split()[1] == b"403", got
            assert b"a proxy has ended it" in got, got


# ---- DRAINED ----

def drained():
    """Who is there hears of it; who comes is told to come another time."""
    a = client()
    hdctl("drain", "--for", "10s")
    a.wait(hd.RESTARTING)
    c = hd.Connection(HOST, PORT)
    c.send(c.request)
    status, _ = c.head()
    assert status == 503, status
    while b"\n" not in c.got:
        c._more()
    assert b"about to stop" in c.got, c.got
    hdctl("undrain")
    client()


def main():
    tests = [(n, f) for n, f in list(globals().items())
             if n.startswith(KIND.lower())]
    return tap.run(tests) != 0


sys.exit(main())
