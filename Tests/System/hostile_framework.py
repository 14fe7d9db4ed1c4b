"""A framework whose name and address are somebody's malice, connected as long as a `with` lasts."""

import contextlib
import json

from harness import equal
from local_node import Local


@contextlib.contextmanager
def subscribed(node, name, url):
    """Subscribes over the node's own socket and keeps the stream open."""
    connection = Local(node.data + "/rondo.sock")
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {
        "user": "root", "name": name, "webui_url": url, "hostname": "<b>host</b>", "roles": ["quiet"],
        "capabilities": [{"type": "MULTI_ROLE"}]}, "suppressed_roles": ["quiet"]}}
    connection.request("POST", "/api/v1/scheduler", json.dumps(call), {
        "Content-Type": "application/json", "Accept": "application/json"})
    answer = connection.getresponse()
    equal(answer.status, 200, "status of a subscription with a hostile name")
    try:
        yield answer
    finally:
        connection.sock and connection.sock.close()
        answer.close()
