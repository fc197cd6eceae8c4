#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# t/lib/client/verify_server.py FILE [SOCKET] - an admission service, as derper
# asks one (--verify-client-url), or with SOCKET a tailscaled (--verify-clients).
# Prints its port, then each request's body. What it answers stands in FILE:
# `status TEXT`, `hang`, or `wait` until FILE says something else; without the
# file it says who is allowed: those of FILE.keys. Or it is a bad one: `close`
# says nothing; `short` ends within its answer; `drip` says yes so slowly, `huge`
# and `head` at such length that it has no end; `redirect URL` sends on.
# Who comes by GET must show the token of FILE.token, and gets the ETag of FILE.etag,
# where there are such.
import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE = sys.argv[1]


def read(name):
    try:
        with open(name, encoding='utf-8', errors='surrogateescape') as f:
            return f.read()
    except FileNotFoundError:
        return ''


YES = b'{"Allow":true}'
OK = b'HTTP/1.1 200 OK\r\n'


def endless(out, begin, more, pause=0):
    out.write(begin)
    while True:
        out.write(more)
        out.flush()
        time.sleep(pause)


BAD = {
    'close': lambda out, text: None,
    'short': lambda out, text: out.write(
        OK + b'Content-Length: 100\r\n\r\n' + YES),
    'drip': lambda out, text: endless(
        out, OK + b'Content-Length: 100000\r\n\r\n' + YES, b' ', 0.02),
    'huge': lambda out, text: endless(
        out, OK + b'Connection: close\r\n\r\n' + YES, b' ' * 65536),
    'head': lambda out, text: endless(
        out, OK, b'X-More: ' + b'x' * 1000 + b'\r\n'),
    'redirect': lambda out, text: out.write(
        b'HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: '
        + text.encode() + b'\r\n\r\n'),
}


class Service(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length'])).decode()
        print(self.command, self.path, self.headers['Content-Type'], body, flush=True)
        self.answer(json.loads(body)['NodePublic'], lambda allow, key: (
            '200', {'Allow': allow, 'Name': 'of the service'}))

    def do_GET(self):
        token, self.etag = read(FILE + '.token'), read(FILE + '.etag')
        print(self.command, self.path, self.headers['Host'],
              *self.headers.get_all('If-None-Match', []), flush=True)
        if token and self.headers['Authorization'] != 'Bearer ' + token:
            return self.reply('401', b'{"message":"API token invalid"}')
        if self.etag and self.headers['If-None-Match'] == self.etag:
            return self.reply('304', b'')
        self.answer(self.path.partition('addr=')[2], lambda allow, key: (
            '200' if allow else '404',
            {'Node': {'Name': 'x.tail.ts.net.', 'ComputedName': 'of tailscaled',
                      'Key': 'nodekey:' + key}}))

    def answer(self, key, say):
        while (said := read(FILE).strip()) == 'wait':
            time.sleep(0.02)
        status, _, text = said.partition(' ')
        if status == 'hang':
            self.rfile.read(1)  # until the client gives up
            self.close_connection = True
            return
        if status in BAD:
            self.close_connection = True
            try:
                BAD[status](self.wfile, text)
            except OSError:
                pass  # whom it has been too much
            return
        if status == '':
            key = key.removeprefix('nodekey:')
            status, text = say(key in read(FILE + '.keys').split(), key)
            text = json.dumps(text)
        self.reply(status, text.encode(errors='surrogateescape'))

    def reply(self, status, answer):
        self.send_response(int(status))
        if getattr(self, 'etag', ''):
            self.send_header('ETag', self.etag)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_port = 0

    def get_request(self):
        return self.socket.accept()[0], ('unix', 0)


if len(sys.argv) > 2:
    server = UnixServer(sys.argv[2], Service)
else:
    server = ThreadingHTTPServer(('127.0.0.1', 0), Service)
print(server.server_port, flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    os._exit(0)
