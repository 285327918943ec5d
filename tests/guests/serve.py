#!/usr/bin/env python3
"""Web server for guests: serve.py FOLDER PORT-FILE

GET sends a file of the folder, POST answers with the MD5 of what was sent.  It listens on a free port of the
loopback interface and writes its number to PORT-FILE.
"""
import functools
import hashlib
import http.server
import os
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        left = int(self.headers.get("Content-Length", 0))
        md5 = hashlib.md5()
        while left > 0:
            data = self.rfile.read(min(left, 65536))
            if not data:
                break
            md5.update(data)
            left -= len(data)
        answer = (md5.hexdigest() + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


handler = functools.partial(Handler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
with open(sys.argv[2] + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
