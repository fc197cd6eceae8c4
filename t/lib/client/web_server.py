#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# t/lib/client/web_server.py WHERE [--tls CRT KEY] [--proxy] - a web server that
# t/system/fallback.t has behind a relay. WHERE is a port of 127.0.0.1 or the path of
# a Unix socket; with --proxy each connection begins with a PROXY header. Prints
# `ready`, and a line for each connection that ends: `end N` with its requests.
#
#   /head      the request's head and, before it, whom the PROXY header names
#   /sum       SHA-256 of the request's body
#   /big/N     N bytes; /big/N/sum their SHA-256
#   /until-end answers when the client has ended its side
#   /first-end ends its side behind its head, then answers in the log: `got SUM`
#   /broken    half an answer, then a reset
#   /deaf      reads nothing, and does not answer
#   /no-length answers without a length, and closes
# Whoever upgrades gets back what it says.
import hashlib
import os
import socket
import ssl
import struct
import sys
import threading

where = sys.argv[1]
tls = None
if '--tls' in sys.argv:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    at = sys.argv.index('--tls')
    tls.load_cert_chain(sys.argv[at + 1], sys.argv[at + 2])
proxied = '--proxy' in sys.argv
BLOCK = bytes(range(251)) * 1000


def say(line):
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def pattern(n):
    while n > 0:
        part = BLOCK[:n]
        yield part
        n -= len(part)


def exactly(f, n):
    data = f.read(n)
    if len(data) < n:
        raise EOFError
    return data


# A byte at a time from the socket, since TLS comes behind it.
def proxy_header(s):
    def get(n):
        data = b''
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    head = get(6)
    if head == b'PROXY ':
        line = head
        while not line.endswith(b'\r\n'):
            line += get(1)
        _, kind, source, _, port, _ = line.decode().split()
        return f'v1 {kind} {source} {port}'
    head += get(10)
    command, family, length = struct.unpack('!BBH', head[12:])
    block = get(length)
    size = 4 if family == 0x11 else 16
    source = socket.inet_ntop(socket.AF_INET if size == 4 else socket.AF_INET6, block[:size])
    port, = struct.unpack('!H', block[2 * size:2 * size + 2])
    return f'v2 {command:02x}{family:02x} {source} {port}'


def body_of(f, head):
    fields = dict(line.lower().split(': ', 1) for line in head.split('\r\n')[1:] if ': ' in line)
    if 'chunked' in fields.get('transfer-encoding', ''):
        while True:
            n = int(f.readline(), 16)
            data = exactly(f, n)
            f.readline()
            if n == 0:
                return
            yield data
    left = int(fields.get('content-length', 0))
    while left > 0:
        data = f.read(min(left, 65536))
        if not data:
            raise EOFError
        left -= len(data)
        yield data


def answer(s, text):
    s.sendall(f'HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}'.encode())


def begin(s, f, n):
    s.sendall(f'HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n'.encode())


def serve_one(s, f, head, whose):
    path = head.split(' ')[1]
    parts = path.split('/')
    if 'upgrade: ' in head.lower():
        s.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
        while data := f.read1(65536):
            s.sendall(data)
        return False
    if path == '/deaf':
        threading.Event().wait()
    if path == '/until-end':
        while f.read1(65536):
            pass
        answer(s, 'now')
        return False
    if path == '/first-end':
        begin(s, f, 0)
        s.shutdown(socket.SHUT_WR)
        total = hashlib.sha256()
        while data := f.read1(65536):
            total.update(data)
        say(f'got {total.hexdigest()}')
        return False
    if path == '/broken':
        begin(s, f, 1000)
        s.sendall(b'half')
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False
    total = hashlib.sha256()
    for part in body_of(f, head):
        total.update(part)
    if parts[1] == 'big' and len(parts) == 3:
        begin(s, f, int(parts[2]))
        for part in pattern(int(parts[2])):
            s.sendall(part)
    elif parts[1] == 'big':
        for part in pattern(int(parts[2])):
            total.update(part)
        answer(s, total.hexdigest())
    elif path == '/sum':
        answer(s, total.hexdigest())
    elif path == '/no-length':
        s.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbye')
        return False
    else:
        answer(s, f'{whose}\n{head}')
    return True


def serve(s):
    n = 0
    try:
        whose = proxy_header(s) if proxied else '-'
        if tls:
            s = tls.wrap_socket(s, server_side=True)
        f = s.makefile('rb')
        while True:
            head = ''
            while not head.endswith('\r\n\r\n'):
                line = f.readline()
                if not line:
                    raise EOFError
                head += line.decode('latin1')
            n += 1
            if not serve_one(s, f, head, whose):
                break
        f.close()
    except (EOFError, OSError):
        pass
    s.close()
    say(f'end {n}')


if where.isdigit():
    listener = socket.create_server(('127.0.0.1', int(where)), backlog=64)
else:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where)
    listener.listen(64)
say('ready')
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
