"""How one bad request is written down, for the tables in the files bad_*.py.

A case is (name, bytes, statuses, words). `statuses` is a set of numbers; ERROR in it allows a stream whose first event
is ERROR (Mesos answers so to a subscription that it understands and refuses), CLOSED a connection that ends without an
answer (only where what was sent is no HTTP). `words` is a pattern without case, or "" for any explanation.
"""

import json

from wire import JSON

ERROR = "ERROR"
CLOSED = "closed"
BAD = {400}
SCHEDULER, OPERATOR = "/api/v1/scheduler", "/api/v1"
LIMIT = 5 << 20


def http(method, path, body=b"", headers=None, length=True):
    """A request's bytes. Header values of None are left out."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    elif isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    fields = {"Host": "rondo", "Content-Type": JSON}
    if length:
        fields["Content-Length"] = str(len(body))
    fields.update(headers or {})
    lines = "".join("%s: %s\r\n" % (name, value) for name, value in fields.items() if value is not None)
    return ("%s %s HTTP/1.1\r\n%s\r\n" % (method, path, lines)).encode("latin-1") + body


def shown(value, limit=60):
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= limit else text[:limit] + "…(%d)" % len(text)
