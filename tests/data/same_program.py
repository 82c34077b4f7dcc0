"""A program that logs by QueueHandler, QueueListener and HTTPHandler; tests/it/same_program.rs is the same one in Rust.

Reads a line, the URL of its receiver; prints one, how many records it has logged, when all are sent.

Python 3.9 and later; the standard library alone.
"""

import json
import logging
import logging.handlers
import pathlib
import queue
import sys
import threading
import urllib.parse

TRACE = 5
LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG, "trace": TRACE}
CORPUS = pathlib.Path(__file__).with_name("corpus.jsonl")
VALUES = {
    "str": str,
    "bool": lambda value: value == "true",
    "i64": int,
    "u64": int,
    "i128": int,
    "u128": int,
    "f64": float,
    "null": lambda _: None,
}

logging.addLevelName(TRACE, "TRACE")
logger = logging.getLogger("app")
count = 0


def text(value):
    """A text of the corpus, which abbreviates long ones."""
    return value if isinstance(value, str) else value["repeat"] * value["times"]


def can_be_had(case):
    keys = [key for key, _ in case["record"]["kv"]]
    return "python_error" not in case["expect"] and len(set(keys)) == len(keys) and case["record"]["file"] is not None


def log_corpus():
    global count
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if not can_be_had(case):
            continue
        record = case["record"]
        made = logger.makeRecord(
            text(record["target"]),
            LEVELS[record["level"]],
            text(record["file"]),
            record["line"],
            text(record["message"]),
            (),
            None,
            extra={text(key): VALUES[value["t"]](text(value["v"])) for key, value in record["kv"]},
        )
        logger.handle(made)
        count += 1


def work():
    global count
    name = threading.current_thread().name
    for number, level in enumerate(LEVELS.values()):
        extra = {"user": "ü & co", "attempt": number, "ratio": 0.25, "cached": True, "nothing": None}
        logger.log(level, '%s: record %d, 100%% of a+b=c&d; "ü" 😀', name, number, extra=extra)
    logger.info("")
    count += len(LEVELS) + 1


def run(name, target):
    thread = threading.Thread(name=name, target=target)
    thread.start()
    thread.join()


url = urllib.parse.urlsplit(sys.stdin.readline().strip())
records = queue.Queue(-1)
listener = logging.handlers.QueueListener(records, logging.handlers.HTTPHandler(url.netloc, url.path, method="POST"))
logger.setLevel(TRACE)
logger.propagate = False
logger.addHandler(logging.handlers.QueueHandler(records))
listener.start()
run("corpus", log_corpus)
for name in ["worker 1 ü", "worker=2&"]:
    run(name, work)
listener.stop()
print(count, flush=True)
