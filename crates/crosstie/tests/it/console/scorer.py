"""A scoring server of its own JSON: `python scorer.py`, which prints its port and answers until standard input ends.

`/good` scores everyone by what it is sent; `/legacy` knows better than its caller which country some users are from;
`/worse` scores like `/good` and fails for every second user.
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
        country = "us" if self.path == "/legacy" and user % 3 == 0 else asked["country"]
        score = (user % 10) / 10 + (0.05 if country == "us" else 0)
        body = json.dumps({"score": score, "country": country}).encode()
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
