"""The gossip beside HashiCorp's memberlist and Debian's serf: joins, updates, a member that falls silent, and rest.

    gossip.py GOSSIP_PEER DIRECTORY [ROUNDS] [MEMBERS ...] [--processes | --stalls] [--preset lan|memberlist]
              [--idle SECONDS] [--seed N] [--awake SECONDS]

As it is, all members of ours, and of memberlist in its turn, run in one process each. With --processes each member is a
process of its own, and serf's agents take part. Members have addresses of their own in a network namespace of their
own. Timers are those that each has for machines of one site: `.lan` of ours, DefaultLANConfig of memberlist, the
profile lan of serf; all of them probe each second and wait half a second for the answer. `--preset memberlist` gives
ours the timers of memberlist instead.

With --stalls 32 members of each kind run at once, each a process, and for two minutes a third of them is stopped again
and again for 1 to 20 s, with at most --awake between (0.05 s): who was well and is given up all the same? Ours
runs twice, with the timers of memberlist and with its own.

memberlist's peer is built from `peers/memberlist.go` with Debian's packages golang-go and
golang-github-hashicorp-memberlist-dev, or given as MEMBERLIST_PEER; serf is Debian's package serf. Whoever is not there
is left out. Their packets are neither sealed nor signed, ours are both. A ratio is the median of the ratios of the
rounds: ours by theirs, so less is better.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 3
MEMBERS = (64, 128)
STALLED_MEMBERS, STALL_SECONDS = 32, 120
LIMIT = 240
# What is promised of the ratios.
AIMS = {"join_all_s": 0.5, "update_all_nodes_ms": 0.8, "detect_last_s": 0.8}
# A network of one's own.
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def tell(**line):
    print(json.dumps(line), flush=True)


def memberlist(directory):
    given = os.environ.get("MEMBERLIST_PEER")
    if given:
        return given
    source = "/usr/share/gocode"
    if not shutil.which("go") or not os.path.isdir(source + "/src/github.com/hashicorp/memberlist"):
        return None
    program = os.path.join(directory, "memberlist-peer")
    environment = dict(os.environ, GO111MODULE="off", GOPATH=source, GOCACHE=os.path.join(directory, "go-cache"))
    build = ["go", "build", "-o", program, os.path.join(HERE, "peers", "memberlist.go")]
    subprocess.run(build, env=environment, check=True)
    return program


def started(command):
    return subprocess.Popen(ALONE + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    """What one kind measured."""
    try:
        out, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()
        sys.exit("no end after %d s: %s" % (LIMIT, " ".join(process.args)))
    if process.returncode:
        sys.exit("%s ended with %d: %s" % (" ".join(process.args), process.returncode, errors or out))
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {line["m"]: line["v"] for line in lines}


def compare(members, peers, rounds):
    results = {name: [] for name in peers}
    for number in range(rounds):
        order = list(peers)
        for name in order if number % 2 == 0 else reversed(order):
            results[name].append(finished(started(peers[name](members))))
            tell(benchmark="gossip", peer=name, members=members, round=number, **results[name][-1])
    for name, runs in results.items():
        for key in runs[0]:
            values = [run[key] for run in runs if key in run]
            median = round(statistics.median(values), 4)
            tell(benchmark="gossip", peer=name, members=members, measure=key, median=median, all=values)
    for name in list(results)[1:]:
        for key in results["rondo"][0]:
            pairs = [(ours.get(key), theirs.get(key)) for ours, theirs in zip(results["rondo"], results[name])]
            ratios = [ours / theirs for ours, theirs in pairs if ours is not None and theirs]
            if len(ratios) == rounds:
                line = {"aim": AIMS[key]} if key in AIMS else {}
                tell(benchmark="gossip", members=members, measure=key, beside=name,
                     ratio=round(statistics.median(ratios), 3), all=[round(ratio, 3) for ratio in ratios], **line)


def stall(members, seed, awake, programs):
    """All kinds at once: the same stalls at the same time, and the same trouble from the machine."""
    rows = [(kind, kind, "lan") for kind in programs]
    rows.insert(0, ("rondo, timers of memberlist", "rondo", "memberlist"))
    script = [sys.executable, os.path.join(HERE, "gossip_processes.py"), "stalls"]
    running = {}
    for name, kind, preset in rows:
        words = [kind, programs[kind], preset, str(members), str(STALL_SECONDS), str(seed), str(awake)]
        running[name] = started(script + words)
    for name, process in running.items():
        tell(benchmark="gossip under stalls", peer=name, members=members, seed=seed, awake=awake, **finished(process))


def commands(arguments, programs):
    if not arguments.processes:
        ours = [programs["rondo"], "--preset", arguments.preset, "--idle", str(arguments.idle), "--members"]
        peers = {"rondo": lambda members: ours + [str(members)]}
        if "memberlist" in programs:
            peers["memberlist"] = lambda members: [programs["memberlist"], str(members), "lan", str(arguments.idle)]
        return peers
    script = [sys.executable, os.path.join(HERE, "gossip_processes.py"), "measure"]
    return {
        kind: lambda members, kind=kind, program=program: script
        + [kind, program, arguments.preset, str(members), str(arguments.idle)]
        for kind, program in programs.items()
    }


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("directory")
    parser.add_argument("numbers", type=int, nargs="*")
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--stalls", action="store_true")
    parser.add_argument("--preset", choices=("lan", "memberlist"), default="lan")
    parser.add_argument("--idle", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--awake", type=float, default=0.05)
    arguments = parser.parse_args()
    programs = {"rondo": os.path.abspath(arguments.program), "memberlist": memberlist(arguments.directory),
                "serf": shutil.which("serf") if arguments.processes or arguments.stalls else None}
    for name, program in programs.items():
        if not program and (name != "serf" or arguments.processes or arguments.stalls):
            print("%s is not here and is left out" % name, file=sys.stderr)
    programs = {name: program for name, program in programs.items() if program}
    tell(benchmark="gossip", load=os.getloadavg()[0], processes=arguments.processes, preset=arguments.preset)
    if arguments.stalls:
        stall((arguments.numbers or [STALLED_MEMBERS])[-1], arguments.seed, arguments.awake, programs)
        return
    for members in arguments.numbers[1:] or MEMBERS:
        compare(members, commands(arguments, programs), (arguments.numbers or [ROUNDS])[0])


main()
