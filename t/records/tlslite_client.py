# SPDX-License-Identifier: MIT
"""Requests by tlslite-ng with a KeyUpdate between them.

tlslite_client.py PORT CIPHER COUNT: prints ok.
"""
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import KeyUpdateMessageType


def settings(cipher):
    s = HandshakeSettings()
    s.minVersion = s.maxVersion = (3, 4)
    s.cipherNames = [cipher]
    return s


def get(conn):
    conn.sendall(b"GET /derp/probe HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = conn.recv(4096)
        if not part:
            sys.exit("closed after %r" % answer)
        answer += part
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit("answer %r" % answer)


def update(conn, number):
    kind = (KeyUpdateMessageType.update_requested if number % 2
            else KeyUpdateMessageType.update_not_requested)
    for _ in conn.send_keyupdate_request(kind):
        pass


def main(port, cipher, count):
    sock = socket.create_connection(("127.0.0.1", port))
    conn = TLSConnection(sock)
    conn.handshakeClientCert(settings=settings(cipher))
    for number in range(count):
        update(conn, number)
        get(conn)
    conn.close()  # sends close_notify and waits for the relay's
    print("ok")


main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
