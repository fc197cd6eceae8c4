# SPDX-License-Identifier: MIT
"""A relay that should not be believed, for t/system/libhd-fake.t: CERTIFICATE,
KEY, what it does after the upgrade: silent (but for a Ping), signature (RelayHello of the seed 7,
32 times, whose signature is of another connection). Prints its port and that
seed's identity, then what the client has sent, in hexadecimal, when it has hung
up, or answered the Ping."""
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hd  # noqa: E402
from nacl.signing import SigningKey  # noqa: E402

certificate, key, what = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
context.minimum_version = ssl.TLSVersion.TLSv1_3
mine = SigningKey(bytes([7]) * 32)
identity = bytes(mine.verify_key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], hd.to_text(identity), flush=True)

plain, _ = listener.accept()
plain.settimeout(hd.TIMEOUT)
c = context.wrap_socket(plain, server_side=True)
got = b""
while b"\r\n\r\n" not in got:
    got += c.recv(65536)
c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: HD\r\n"
          b"Connection: Upgrade\r\n\r\n")
if what == "signature":
    elsewhere = mine.sign(hd.RELAY_LABEL + bytes(32) + identity).signature
    c.sendall(hd.frame(hd.RELAY_HELLO,
                       bytes([hd.VERSION, 0]) + identity + elsewhere))
    try:
        got += c.recv(65536)
    except OSError:
        pass
else:
    pong = hd.frame(hd.PONG, b"12345678")
    c.sendall(hd.frame(hd.PING, b"12345678"))
    while not got.endswith(pong):
        got += c.recv(65536)
    got = got[:-len(pong)]
print(got.hex(), flush=True)
