"""The other side of a container's terminal."""

import array
import fcntl
import os
import select
import socket
import struct
import termios
import time

from harness import PATIENCE, Failed, check


class Console:
    """A socket that a runtime sends the terminal's descriptor to, and then that terminal."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(10)
        self.master = None
        self.seen = ""

    def receive(self):
        """Takes the descriptor that a runtime has sent by SCM_RIGHTS."""
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        data, descriptors, _, _ = socket.recv_fds(connection, 4096, 4)
        connection.close()
        check(len(descriptors) == 1, "descriptors received:", descriptors)
        check(len(data) > 0, "no name came with the descriptor")
        self.master = descriptors[0]
        return self

    def read_until(self, words, seconds=10):
        """All that came until these words, and them."""
        seconds *= PATIENCE
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise Failed("no %r on the terminal within %g s: %r" % (words, seconds, self.seen[-400:]))
            try:
                self.seen += os.read(self.master, 4096).decode("utf-8", "replace")
            except OSError:
                raise Failed("the terminal ended without %r: %r" % (words, self.seen[-400:])) from None
        end = self.seen.index(words) + len(words)
        seen, self.seen = self.seen[:end], self.seen[end:]
        return seen

    def type(self, text):
        os.write(self.master, text.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def size(self):
        room = array.array("H", [0, 0, 0, 0])
        fcntl.ioctl(self.master, termios.TIOCGWINSZ, room)
        return room[0], room[1]

    def close(self):
        self.listener.close()
        if self.master is not None:
            os.close(self.master)


class Terminal(Console):
    """A terminal of the test's own, for programs that want to be run on one."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        self.seen = ""

    def close(self):
        os.close(self.master)
        if self.slave is not None:
            os.close(self.slave)
