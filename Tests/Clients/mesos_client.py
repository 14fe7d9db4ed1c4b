"""A v1 scheduler client on sockets alone: the framework that tests use when no library is to be in between."""

import base64
import http.client
import json
import socket
import threading
import time

from harness import Failed, Mailbox
from wire import JSON, Response, WireError, credential, http_connection, open_stream

TERMINAL = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
}


def scalar(name, value):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def amount(resources, name):
    """How much of a scalar is in a list of resources."""
    return sum(each["scalar"]["value"] for each in resources if each["name"] == name and "scalar" in each)


def command_task(task_id, agent_id, command, cpus=0.1, mem=32, environment=None, **more):
    """A TaskInfo for a shell command, or for an argv when `command` is a list; `more` are its other fields."""
    if isinstance(command, str):
        description = {"shell": True, "value": command}
    else:
        description = {"shell": False, "value": command[0], "arguments": command}
    if environment:
        variables = [{"name": name, "type": "VALUE", "value": value} for name, value in environment.items()]
        description["environment"] = {"variables": variables}
    task = {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": {"value": agent_id},
        "resources": [scalar("cpus", cpus), scalar("mem", mem)],
        "command": description,
    }
    task.update(more)
    return task


class Scheduler:
    """A framework: one thread reads its stream into mailboxes, calls go over one kept-alive connection."""

    def __init__(
        self, master, name="test", framework_id=None, acknowledge=True, capabilities=(), authorization=None, **info
    ):
        self.master = master
        # What to show instead of what wire.secure() says for this master.
        self.shown = {"Authorization": authorization} if authorization else {}
        self.info = {"user": "root", "name": name, "failover_timeout": 60.0}
        self.info["capabilities"] = [{"type": each} for each in capabilities]
        self.info.update(info)
        self.framework_id = framework_id
        self.acknowledges = acknowledge
        self.events = Mailbox()
        self.offers = {}
        self.on_offers = None
        self.on_update = None
        self.stream_id = None
        self.ended = threading.Event()
        self.problem = None
        self.calls = threading.Lock()
        self.connection = None
        self.wire = None
        self.reader = None

    def start(self, seconds=10):
        """Subscribes and waits for SUBSCRIBED."""
        info = dict(self.info)
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if self.framework_id:
            info["id"] = {"value": self.framework_id}
            call["framework_id"] = {"value": self.framework_id}
        self.wire, status, headers, records = open_stream(self.master, call, headers=self.shown, seconds=seconds)
        if status != 200:
            length = int(headers.get("content-length", 0))
            while len(self.wire.buffer) < length and self.wire.fill(time.monotonic() + 5):
                pass
            raise WireError("SUBSCRIBE answered %d %r" % (status, self.wire.buffer[:300]))
        self.stream_id = headers.get("mesos-stream-id")
        self.reader = threading.Thread(target=self.read, args=(records,), daemon=True)
        self.reader.start()
        first = self.events.wait(lambda events: events, seconds, "first event")[0]
        if first["type"] != "SUBSCRIBED":
            raise WireError("the first event is %r" % first)
        return self

    def read(self, records):
        try:
            while True:
                try:
                    record = records.next(3600)
                except OSError:
                    break
                if record is None:
                    break
                self.receive(json.loads(record.decode("ascii")))
        except Exception as error:
            self.problem = error
        finally:
            self.ended.set()
            self.events.put({"type": "(END)"})

    def receive(self, event):
        kind = event["type"]
        if kind == "SUBSCRIBED":
            self.framework_id = event["subscribed"]["framework_id"]["value"]
        elif kind == "RESCIND":
            self.offers.pop(event["rescind"]["offer_id"]["value"], None)
        elif kind == "OFFERS":
            for offer in event["offers"]["offers"]:
                self.offers[offer["id"]["value"]] = offer
        # Handlers come first, so that who waits for the event finds their work done.
        if kind == "OFFERS" and self.on_offers:
            self.on_offers(event["offers"]["offers"])
        if kind == "UPDATE":
            status = event["update"]["status"]
            if self.on_update:
                self.on_update(status)
            if self.acknowledges:
                self.acknowledge(status)
        event["received"] = time.monotonic()
        self.events.put(event)

    # Calls

    def post(self, call, headers=None):
        """Sends a call as it is and returns the answer, over the kept-alive connection."""
        body = json.dumps(call).encode()
        fields = {"Content-Type": JSON, "Mesos-Stream-Id": self.stream_id}
        fields.update(self.shown or credential(self.master))
        fields.update(headers or {})
        with self.calls:
            for attempt in (1, 2):
                if self.connection is None:
                    self.connection = http_connection(self.master)
                    attempt = 2
                try:
                    self.connection.request("POST", "/api/v1/scheduler", body=body, headers=fields)
                    answer = self.connection.getresponse()
                    return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
                except (OSError, http.client.HTTPException):
                    self.connection.close()
                    self.connection = None
                    if attempt == 2:
                        raise

    def call(self, kind, body=None):
        """Sends a call, which must be answered with 202 and nothing else."""
        call = {"type": kind, "framework_id": {"value": self.framework_id}}
        if body is not None:
            call[kind.lower()] = body
        answer = self.post(call)
        if answer.status != 202 or answer.body:
            raise WireError("%s answered %r" % (kind, answer))

    def accept(self, offers, operations, refuse_seconds=None):
        body = {"offer_ids": [each["id"] for each in offers], "operations": operations}
        if refuse_seconds is not None:
            body["filters"] = {"refuse_seconds": refuse_seconds}
        for each in offers:
            self.offers.pop(each["id"]["value"], None)
        self.call("ACCEPT", body)

    def launch(self, offers, tasks, refuse_seconds=0):
        self.accept(offers, [{"type": "LAUNCH", "launch": {"task_infos": tasks}}], refuse_seconds)

    def decline(self, offers, refuse_seconds=None):
        body = {"offer_ids": [each["id"] for each in offers]}
        if refuse_seconds is not None:
            body["filters"] = {"refuse_seconds": refuse_seconds}
        for each in offers:
            self.offers.pop(each["id"]["value"], None)
        self.call("DECLINE", body)

    def acknowledge(self, status):
        if "uuid" not in status:
            return
        body = {key: status[key] for key in ("agent_id", "task_id", "uuid")}
        if len(base64.b64decode(body["uuid"])) != 16:
            raise WireError("an update's uuid is %r" % body["uuid"])
        self.call("ACKNOWLEDGE", body)

    def kill(self, task_id, agent_id=None, grace_seconds=None):
        body = {"task_id": {"value": task_id}}
        if agent_id:
            body["agent_id"] = {"value": agent_id}
        if grace_seconds is not None:
            body["kill_policy"] = {"grace_period": {"nanoseconds": int(grace_seconds * 1e9)}}
        self.call("KILL", body)

    def reconcile(self, task_ids=()):
        self.call("RECONCILE", {"tasks": [{"task_id": {"value": each}} for each in task_ids]})

    def stop(self, teardown=True):
        """Ends the framework, or with `teardown` false only its stream."""
        try:
            if teardown and not self.ended.is_set():
                self.call("TEARDOWN")
        finally:
            self.disconnect()

    def disconnect(self):
        if self.wire:
            try:
                # The socket below TLS, whose state belongs to the thread that reads.
                socket.socket.shutdown(self.wire.sock, socket.SHUT_RDWR)
            except OSError:
                pass
            # A descriptor that is closed while it is read may be another connection's by then.
            if self.reader and self.reader is not threading.current_thread():
                self.reader.join(5)
            self.wire.close()
        with self.calls:
            if self.connection:
                self.connection.close()
                self.connection = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            self.stop()
        except (OSError, Failed):
            pass

    # Waits

    def wait_offers(self, seconds=15, wanted=None, what="offer"):
        """Waits until offers in hand (a list) satisfy `wanted`; returns them."""
        wanted = wanted or (lambda offers: offers)
        found = []

        def test(_):
            found[:] = list(self.offers.values())
            return wanted(found)

        self.events.wait(test, seconds, what)
        return list(found)

    def statuses(self, task_id=None):
        return [
            event["update"]["status"]
            for event in self.events.items
            if event["type"] == "UPDATE" and task_id in (None, event["update"]["status"]["task_id"]["value"])
        ]

    def wait_state(self, task_id, *states, seconds=20, since=0):
        """Waits for an update of the task in one of the states (default: an end); returns its status."""
        states = states or TERMINAL

        def test(events):
            for event in events[since:]:
                if event["type"] == "UPDATE":
                    status = event["update"]["status"]
                    if status["task_id"]["value"] == task_id and status["state"] in states:
                        return status

        return self.events.wait(test, seconds, "%s in %s" % (task_id, "/".join(sorted(states))))

    def wait_event(self, kind, seconds=15, since=0):
        return self.events.wait(
            lambda events: next((each for each in events[since:] if each["type"] == kind), None), seconds, kind
        )
