"""A Flask application that prints what it understood of each request, as a line of JSON; the first line has its port."""

import json
import logging
import threading

from flask import Flask, request
from werkzeug.serving import make_server

app = Flask(__name__)
output = threading.Lock()


def report(**line):
    with output:
        print(json.dumps(line), flush=True)


@app.post("/form")
def form():
    report(form=list(request.form.lists()))
    return "ok"


@app.get("/form")
def query():
    report(form=list(request.args.lists()))
    return "ok"


@app.post("/json")
def whole():
    report(json=request.get_json())
    return "ok"


@app.post("/lines")
def lines():
    report(json=[json.loads(line) for line in request.get_data(as_text=True).split("\n") if line])
    return "ok"


@app.post("/field")
def field():
    report(json=json.loads(request.form["json"]))
    return "ok"


# A line for each request, on stderr.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, app, threaded=True)
report(port=server.server_port)
server.serve_forever()
