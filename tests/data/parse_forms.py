"""Decodes the form in each line of its input.

Prints a line of JSON for each: the dictionary and the list that Python makes of it, or what is wrong with it.

Python 3.9 and later; the standard library alone.
"""

import json
import sys
from urllib.parse import parse_qs, parse_qsl


def decoded(form):
    # Before 3.11 a form without any field is an error to the strict parser.
    strict = form != ""
    try:
        fields = parse_qs(form, keep_blank_values=True, strict_parsing=strict)
        pairs = parse_qsl(form, keep_blank_values=True, strict_parsing=strict)
    except ValueError as error:
        return str(error)
    return [list(fields.items()), pairs]


for line in sys.stdin.buffer:
    print(json.dumps(decoded(line.decode("ascii").rstrip("\n"))), flush=True)
