"""`rondo --version` beside the least that a static program can take, in turns.

    start_time.py RONDO DIRECTORY

Needs a C compiler for the floor; without one only the program is measured.
"""

import json
import os
import statistics
import subprocess
import sys
import time

RUNS = 50


def wall(command):
    """Milliseconds from before the fork to after the wait."""
    began = time.perf_counter()
    pid = os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    )
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - began) * 1000
    if status:
        sys.exit("%s ended with %d" % (" ".join(command), status))
    return took


def empty_program(directory):
    """A static program that does nothing, or None without a compiler."""
    source, program = os.path.join(directory, "empty.c"), os.path.join(directory, "empty")
    with open(source, "w") as file:
        file.write("int main(void) { return 0; }\n")
    try:
        subprocess.run(["cc", "-O2", "-static", "-o", program, source], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    return program


def main():
    rondo, directory = os.path.abspath(sys.argv[1]), sys.argv[2]
    empty = empty_program(directory)
    ours, floor = [], []
    wall([rondo, "--version"])
    for _ in range(RUNS):
        if empty:
            floor.append(wall([empty]))
        ours.append(wall([rondo, "--version"]))
    line = {
        "benchmark": "start time",
        "what": "rondo --version",
        "runs": RUNS,
        "ms_median": round(statistics.median(ours), 2),
        "ms_best": round(min(ours), 2),
    }
    if floor:
        line["empty_program_ms_median"] = round(statistics.median(floor), 2)
        line["empty_program_ms_best"] = round(min(floor), 2)
        line["above_floor_ms_median"] = round(statistics.median(ours) - statistics.median(floor), 2)
    print(json.dumps(line), flush=True)


main()
