"""The gossip beside HashiCorp's memberlist, in turns: joins, updates, a member that falls silent, and rest.

    gossip.py GOSSIP_PEER DIRECTORY [ROUNDS] [MEMBERS ...]

Both run all members in one process, on addresses of their own in a network namespace of their own, with the timers that
each has for machines of one site: probes each second, answers within half a second. The peer is built from
`peers/memberlist.go` with Debian's packages golang-go and golang-github-hashicorp-memberlist-dev, or given as
MEMBERLIST_PEER; without both only ours is measured. memberlist's packets are neither sealed nor signed, ours are both. A
ratio is the median of the ratios of the rounds: ours by theirs, so less is better.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 3
MEMBERS = (64, 128)
LIMIT = 200
# What is promised of the ratios.
AIMS = {"join_all_s": 0.5, "update_all_nodes_ms": 0.8, "detect_last_s": 0.8}


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


def measure(command):
    """Runs one peer on a network of its own; gives what it measured."""
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    done = subprocess.run(alone + command, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        sys.exit("%s ended with %d: %s" % (command[0], done.returncode, done.stderr or done.stdout))
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["m"]: line["v"] for line in lines}


def compare(members, peers, rounds):
    results = {name: [] for name in peers}
    for number in range(rounds):
        order = list(peers)
        for name in order if number % 2 == 0 else reversed(order):
            results[name].append(measure(peers[name](members)))
    for name, runs in results.items():
        for key in runs[0]:
            values = [run[key] for run in runs if key in run]
            tell(benchmark="gossip", peer=name, members=members, measure=key, median=round(statistics.median(values), 4),
                 all=values)
    if "memberlist" in results:
        for key in results["rondo"][0]:
            pairs = [(ours.get(key), theirs.get(key)) for ours, theirs in zip(results["rondo"], results["memberlist"])]
            ratios = [ours / theirs for ours, theirs in pairs if ours is not None and theirs]
            if len(ratios) == rounds:
                line = {"aim": AIMS[key]} if key in AIMS else {}
                tell(benchmark="gossip", members=members, measure=key, ratio=round(statistics.median(ratios), 3), **line)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, directory = os.path.abspath(sys.argv[1]), sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    sizes = [int(word) for word in sys.argv[4:]] or MEMBERS
    peers = {"rondo": lambda members: [program, "--members", str(members), "--preset", "lan"]}
    other = memberlist(directory)
    if other:
        peers["memberlist"] = lambda members: [other, str(members), "lan", "5"]
    else:
        print("memberlist is not here; only ours is measured", file=sys.stderr)
    tell(benchmark="gossip", load=os.getloadavg()[0])
    for members in sizes:
        compare(members, peers, rounds)


main()
