"""What the tests of installing share: a release to install, folders to install into, and what a script must say."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from subprocess import DEVNULL

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import equal, within  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PROVISIONING = os.path.normpath(os.path.join(HERE, os.pardir, os.pardir, "Provisioning"))
SCRIPT = os.path.join(PROVISIONING, "install.sh")
UNIT = "/etc/systemd/system/rondo.service"


class Release:
    """A folder as `make-release` makes it."""

    def __init__(self, folder, program):
        self.folder = folder
        self.file = os.path.join(folder, "rondo-linux-amd64")
        self.make(program)

    def make(self, program):
        subprocess.run([os.path.join(PROVISIONING, "make-release"), program, self.folder], check=True, stdout=DEVNULL)
        with open(self.file, "rb") as file:
            self.hash = hashlib.sha256(file.read()).hexdigest()

    def change(self):
        """Another program that does the same."""
        other = self.file + ".other"
        shutil.copy(self.file, other)
        with open(other, "ab") as file:
            file.write(b"\nanother release")
        self.make(other)
        os.unlink(other)


class Root:
    """A folder that stands for / of the machine that is prepared."""

    def __init__(self, work, release):
        self.folder, self.release = tempfile.mkdtemp(prefix="root-", dir=work), release

    def install(self, *words, shell=("sh",), script=SCRIPT, path=None, text=None, **settings):
        """Runs the script; settings that are None are not set."""
        settings = {"DESTDIR": self.folder, "RONDO_FILE": self.release.file, **settings}
        environment = {key: str(value) for key, value in settings.items() if value is not None}
        environment["PATH"] = (path + ":" if path else "") + "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [*shell, *([script] if text is None else ["-s", "--"]), *words],
            env=environment,
            input=text or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    def files(self):
        found = []
        for place, folders, names in os.walk(self.folder):
            links = [each for each in folders if os.path.islink(os.path.join(place, each))]
            found += [os.path.join(place, each)[len(self.folder) :] for each in names + links]
        return sorted(found)

    def everything(self):
        return sorted(
            os.path.join(place, each)[len(self.folder) :]
            for place, folders, names in os.walk(self.folder)
            for each in folders + names
        )

    def path(self, name):
        return self.folder + name


def succeeds(result, *words):
    equal(result.returncode, 0, "exit (%s)" % result.stdout[-600:])
    within([(each in result.stdout, "no %r" % each) for each in words], "output %s" % result.stdout[-600:])
    return result


def refuses(result, *words):
    """It says what, why and what next, and ends with 1."""
    equal(result.returncode, 1, "exit (%s)" % result.stdout[-600:])
    within([(each in result.stdout, "no %r" % each) for each in words], "output %s" % result.stdout[-600:])


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
