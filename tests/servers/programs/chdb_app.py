"""ClickHouse's engine behind its HTTP interface, as far as an INSERT goes: what is the query, and after it the body.

Prints the row or rows that each request has inserted, as a line of JSON; the first line has its port. The errors are the
engine's own words, with the status that ClickHouse answers for data that it can't read.
"""

import http.server
import json
import urllib.parse

from chdb import session

engine = session.Session()
engine.query(
    """CREATE TABLE logs (timestamp DateTime64(6, 'UTC'), level LowCardinality(String), message String, name String,
    lineno Nullable(UInt32), whole Int64, large UInt64, half Float64, yes Bool, nothing Nullable(String)) ENGINE = Memory"""
)


def report(**line):
    print(json.dumps(line), flush=True)


class Interface(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["query"][0]
        try:
            engine.query(query + "\n" + body)
            rows = engine.query("SELECT * REPLACE (toFloat64(timestamp) AS timestamp) FROM logs", "JSONEachRow").bytes().decode()
            engine.query("TRUNCATE TABLE logs")
            report(rows=[json.loads(row) for row in rows.split("\n") if row])
            self.answer(200, b"")
        except RuntimeError as error:
            self.answer(400, str(error).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Interface)
report(port=server.server_port)
server.serve_forever()
