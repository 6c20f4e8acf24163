"""A proxy that passes calls on and keeps those to Zoho's API, for judge.py.

record.py FILE: listens on a free port of this machine, prints its address, and writes a line of JSON
per call below /crm/ to FILE. Programs use it with the environment variable http_proxy.
"""

import http.client
import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What concerns a connection, not the message.
OF_THE_CONNECTION = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "content-length"}

# Longer than any call takes.
SECONDS = 120


class Calls:
    """The file with the calls."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def add(self, call):
        line = json.dumps(call)
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer in two packets would wait for the client's acknowledgement of the first.
    disable_nagle_algorithm = True
    wbufsize = -1
    calls = None

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urllib.parse.urlsplit(self.path)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_THE_CONNECTION}
        connection = http.client.HTTPConnection(target.netloc, timeout=SECONDS)
        try:
            path = urllib.parse.urlunsplit(("", "", target.path, target.query, ""))
            connection.request(self.command, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            # No answer is what the client gets, too.
            self.close_connection = True
            return
        finally:
            connection.close()
        self.keep(target, body, answer, content)
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OF_THE_CONNECTION:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

    def keep(self, target, body, answer, content):
        if not target.path.startswith("/crm/"):
            return
        self.calls.add({
            "method": self.command,
            "host": target.netloc,
            "path": target.path,
            "query": target.query,
            "request": {"headers": self.headers.items(), "body": body.decode(errors="replace")},
            "status": answer.status,
            "answer": {"headers": answer.getheaders(), "body": content.decode(errors="replace")},
        })

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    # Clients may connect all at once.
    request_queue_size = 128


if __name__ == "__main__":
    Proxy.calls = Calls(sys.argv[1])
    server = Server(("127.0.0.1", 0), Proxy)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
