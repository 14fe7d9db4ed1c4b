"""Says what the other figures were measured on.

    machine.py RONDO
"""

import json
import os
import sys
import time


def main():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) >> 20
    line = {
        "benchmark": "machine",
        "processors": os.cpu_count(),
        "model": models[0] if models else "unknown",
        "memory_gib": memory,
        "kernel": os.uname().release,
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
        "binary_bytes": os.path.getsize(sys.argv[1]),
    }
    print(json.dumps(line), flush=True)


main()
