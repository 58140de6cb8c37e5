"""A scoring server of its own JSON: `python scorer.py`, which prints its port and answers until standard input ends.

`/good` scores everyone; `/worse` scores the same and fails for every second user.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Scorer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = asked["user"]
        fails = self.path == "/worse" and user % 2 == 0
        score = (user % 10) / 10
        country = "US" if user % 3 else "us"
        body = json.dumps({"score": score, "country": country if self.path == "/good" else "US"}).encode()
        self.send_response(500 if fails else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Scorer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
# Whoever started this may die in any way; its pipe ends with it.
sys.stdin.read()
