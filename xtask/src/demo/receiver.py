"""Where alerts arrive: says at which address it listens, then every message that is posted to it, each a line of JSON.

A message is `{"received_at": SECONDS, "key": IDEMPOTENCY_KEY, "body": {…}}`. It ends when its standard input closes.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()


def say(line):
    with lock:
        print(json.dumps(line), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        say({"received_at": time.time(), "key": self.headers.get("idempotency-key"), "body": json.loads(body)})
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
say({"address": f"127.0.0.1:{server.server_address[1]}"})
sys.stdin.read()
