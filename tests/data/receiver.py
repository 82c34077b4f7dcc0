"""A web server that does with each form what Python's own receivers do: rebuilds the log record, and formats it.

Prints a line of JSON with its port, one for each request, and a last one after the end of its input, which ends it.
Python 3.9 and later; the standard library alone.
"""

import http.server
import itertools
import json
import logging
import socketserver
import sys
import threading
import time
import urllib.parse

LINE = "%(asctime)s %(levelname)s %(name)s %(filename)s:%(lineno)d %(threadName)s %(message)s"
NUMBERS = {
    "levelno": int,
    "lineno": int,
    "created": float,
    "msecs": float,
    "relativeCreated": float,
    "thread": int,
    "process": int,
}
# Python's own handler sends what is None as this text, and leaves it to the receiver.
MAY_BE_NONE = ["args", "exc_info", "exc_text", "stack_info", "funcName", "taskName"]
REPORTED_HEADERS = ["Content-Type", "Content-Length", "Transfer-Encoding", "User-Agent"]

formatter = logging.Formatter(LINE)
# A clock that no time zone sets back.
formatter.converter = time.gmtime
connections = itertools.count()
output = threading.Lock()


def report(**line):
    with output:
        print(json.dumps(line), flush=True)


def now():
    return formatter.formatTime(logging.makeLogRecord({}))


def rebuilt(form):
    fields = urllib.parse.parse_qs(form, keep_blank_values=True, strict_parsing=True)
    # A field that came twice does not unpack.
    attributes = {key: value for key, [value] in fields.items()}
    for key, number in NUMBERS.items():
        attributes[key] = number(attributes[key])
    for key in MAY_BE_NONE:
        if attributes.get(key) == "None":
            attributes[key] = None
    return logging.makeLogRecord(attributes), attributes


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Or else the kernel holds back an answer's body until its head has been acknowledged.
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.connection_number = next(connections)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.take(self.path, body.decode("ascii"))
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.take(path, query)
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def take(self, path, form):
        try:
            record, attributes = rebuilt(form)
            report(
                attributes=attributes,
                formatted=formatter.format(record),
                asctime=record.asctime,
                thread=record.threadName,
                process=record.process,
                method=self.command,
                path=path,
                connection=self.connection_number,
                length=len(form),
                headers={name: self.headers.get_all(name, []) for name in REPORTED_HEADERS},
            )
        # Whatever it is, the test has to hear of it; a server that only failed would be tried again and again.
        except Exception as error:
            report(error=repr(error), form=form)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        # http.server's own asks the name service for the name of 127.0.0.1, which may take seconds.
        socketserver.TCPServer.server_bind(self)


server = Server(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
report(port=server.server_address[1], now=now())
sys.stdin.read()
report(now=now())
