"""What containers cost: instructions of short commands, and nothing that stays."""

import os

from footprint import processes
from harness import Skipped, check, equal, eventually
from instructions import above, measure, missing
from oci_bundle import case

LIVES = 50


@case
def few_instructions(box):
    """short commands keep to their limits of instructions"""
    if os.path.basename(box.command[0]) == "runc" or box.command[1:] not in ([], ["oci"]):
        raise Skipped("the limits are Rondo's")
    if "/debug/" in box.command[0]:
        raise Skipped("the limits are those of a release build")
    if missing():
        raise Skipped("not installed: " + ", ".join(missing()))
    bundle = box.bundle()
    bundle.save()
    wrong = above(measure(box.command, box.path, bundle.path))
    check(not wrong, "; ".join(wrong))


@case
def nothing_stays(box):
    """no process of the runtime stays beside a running container"""
    bundle = box.sleeper()
    equal(bundle.state()["status"], "running", "status")
    ours = [command for command in processes(box.command[0]).values() if box.path in command]
    equal(ours, [], "processes of the runtime")


@case
def many_lives(box):
    """a hundred containers leave nothing behind, whichever way they end"""
    bundle = box.bundle()
    for _ in range(LIVES):
        bundle.run().ok()
        bundle.create().ok()
        bundle.start().ok()
        bundle.delete("--force").ok()
    # A namespace, too, would need a process or a mount to stay.
    eventually(box.clean, 5, "the end of all that belongs to the containers")
