# SPDX-License-Identifier: MIT
# t/lib/http_server.py CERT KEY SOCKET - an HTTP server for tests: plain, with TLS
# and on a unix socket, on free ports that it prints. Ends with its stdin.
import os, socketserver, ssl, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

waiting = threading.Event()
later = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return ""

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self):
        n = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(n)
        path = self.path.split("?")[0]
        if path == "/hang":
            waiting.wait()
        elif path == "/later":  # who comes first waits for ever
            later.append(1)
            if len(later) == 1:
                waiting.wait()
            self.say(200)
        elif path == "/laters":
            self.say(200, str(len(later)).encode())
        elif path == "/slow":
            waiting.wait(0.7)
            self.say(200, b"at last")
        elif path == "/huge":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        elif path == "/again":
            self.say(302, b"elsewhere", Location="/again")
        elif path == "/redirect":
            self.say(302, b"elsewhere", Location="/ok", X_Test="first")
        elif path == "/echo":
            lines = [self.command, self.headers.get("Host", ""),
                     self.headers.get("X-Asked", ""), self.headers.get("Content-Type", "none")]
            self.say(200, "|".join(lines).encode() + b"|" + body)
        elif path == "/ok":
            self.say(200, b"hello", X_Test="yes")
        else:
            self.say(404, b"nothing here")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class TlsServer(Server):
    def finish_request(self, request, client):
        super().finish_request(context.wrap_socket(request, server_side=True), client)


cert, key, path = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
plain = Server(("127.0.0.1", 0), Handler)
tls = TlsServer(("127.0.0.1", 0), Handler)
local = UnixServer(path, Handler)
for server in plain, tls, local:
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(plain.server_address[1], tls.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
