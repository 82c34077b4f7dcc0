"""Python's own way: QueueHandler, QueueListener, HTTPHandler. Arguments: the URL, the number of records."""
import logging
import logging.handlers
import queue
import sys
import time
from urllib.parse import urlsplit

url, records = urlsplit(sys.argv[1]), int(sys.argv[2])
delivered = 0


class Handler(logging.handlers.HTTPHandler):
    def emit(self, record):
        global delivered
        super().emit(record)
        delivered += 1

    def handleError(self, record):
        global delivered
        delivered -= 1


waiting = queue.Queue()
listener = logging.handlers.QueueListener(waiting, Handler(url.netloc, url.path, method="POST"))
listener.start()
log = logging.getLogger("bench")
log.setLevel(logging.INFO)
log.addHandler(logging.handlers.QueueHandler(waiting))
log.propagate = False

start, cpu, caller = time.perf_counter(), time.process_time(), time.thread_time()
for number in range(records):
    log.info("request %d took %d us from %s", number, number * 7919 % 10_000, "10.0.0.1")
caller = time.thread_time() - caller
listener.stop()
print("records", records)
print("seconds", time.perf_counter() - start)
print("cpu_us", (time.process_time() - cpu) * 1e6)
print("caller_us", caller * 1e6)
print("delivered", delivered)
print("end", flush=True)
