"""An issuer over TLS with nothing but Python's own server: metadata, and the key set of a file.

issuer.py CERTIFICATE KEY JWKS [PATH]: listens on a free port of localhost, and prints the issuer's name.
"""

import http.server
import json
import ssl
import sys

certificate, key, jwks = sys.argv[1:4]
path = sys.argv[4] if len(sys.argv) > 4 else ""
base = path.rstrip("/")


class Issuer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = f"https://localhost:{self.server.server_port}{path}"
        if self.path == f"{base}/.well-known/openid-configuration":
            body = json.dumps({"issuer": name, "jwks_uri": f"{name.rstrip('/')}/jwks"}).encode()
        elif self.path == f"{base}/jwks":
            with open(jwks, "rb") as file:
                body = file.read()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"https://localhost:{server.server_port}{path}", flush=True)
server.serve_forever()
