"""What the tests of the wire share."""

import re

from harness import check, equal, need
from wire import Wire, connect, open_stream

MASTER = need("MASTER", "host:port of a running master")
SCHEDULER = "/api/v1/scheduler"
SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "wire"}}}


def raw(text, body=b"", seconds=10):
    """Sends bytes as they are and reads one answer."""
    wire = Wire(connect(MASTER))
    try:
        wire.send(text.replace("\n", "\r\n").encode("latin-1") + body)
        return wire.response(seconds)
    finally:
        wire.close()


def subscribe(body=None, headers=None, path=SCHEDULER):
    """Opens a stream that must be granted; returns (wire, headers, records)."""
    wire, status, answer, records = open_stream(MASTER, SUBSCRIBE if body is None else body, path, headers)
    equal(status, 200, "status of SUBSCRIBE (%r)" % wire.buffer[:200])
    return wire, answer, records


def explained(answer, status, words=""):
    """The answer has this status and a text that explains it."""
    equal(answer.status, status, "status (%s)" % answer.text[:200])
    check(len(answer.text.strip()) > 10, "the text does not explain:", answer.text)
    check(re.search(words, answer.text, re.I), "the text", repr(answer.text[:300]), "does not speak of", words)
    return answer


def need_keys(value, what, names):
    missing = [name for name in names.split() if name not in value]
    check(not missing, what, "lacks", missing, "and has", sorted(value))
