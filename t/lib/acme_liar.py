# SPDX-License-Identifier: MIT
# t/lib/acme_liar.py FOLDER - an ACME server that looks at no signature and no host, and
# answers so that a careless client would ask for ever: the first order's URL is none,
# an order stays "ready" for READY answers to its finalization, and every certificate should have been renewed
# years ago (RFC 9773). Prints its port; what was asked is in FOLDER/asked, a line for
# each: seconds, path. Ends with its stdin.
import base64, json, os, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

READY = 5
folder = sys.argv[1]
asked = open(f"{folder}/asked", "w", buffering=1)
finalized = orders = 0
chain = b""


def openssl(*words, given=None):
    return subprocess.run(["openssl", *words], input=given, cwd=folder, check=True,
                          capture_output=True).stdout


def sign(csr):
    return openssl("x509", "-req", "-inform", "DER", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "90",
                   "-copy_extensions", "copyall", "-extfile", "ext", given=csr)


def bytes_of(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, what, **headers):
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(status)
        for name, value in {"Replay-Nonce": "n", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def order(self, status):
        return {"status": status, "finalize": f"{url}/finalize", "authorizations": [f"{url}/authz"],
                "certificate": f"{url}/certificate"}

    def answer(self):
        global chain, finalized, orders
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked.write(f"{time.monotonic()} {self.path}\n")
        if self.path == "/directory":
            self.say(200, {"newNonce": f"{url}/nonce", "newAccount": f"{url}/account",
                           "newOrder": f"{url}/new-order", "renewalInfo": f"{url}/info"})
        elif self.path == "/account":
            self.say(201, {"status": "valid"}, Location=f"{url}/account/1")
        elif self.path == "/new-order":
            orders += 1
            self.say(201, self.order("ready"), Location="/order" if orders == 1 else f"{url}/order")
        elif self.path == "/order":
            self.say(200, self.order("ready"))
        elif self.path == "/finalize":
            finalized += 1
            if finalized > READY:
                csr = json.loads(bytes_of(json.loads(body)["payload"]))["csr"]
                chain = sign(bytes_of(csr))
            self.say(200, self.order("valid" if finalized > READY else "ready"))
        elif self.path == "/certificate":
            self.say(200, chain)
        elif self.path.startswith("/info/"):
            self.say(200, {"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}},
                     Retry_After="1")
        else:
            self.say(200, b"")

    do_GET = do_HEAD = do_POST = answer


openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
        "-out", "ca.pem", "-subj", "/CN=liar", "-days", "9")
with open(f"{folder}/ext", "w") as f:
    f.write("authorityKeyIdentifier=keyid\n")
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
url = f"http://127.0.0.1:{server.server_address[1]}"
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
