"""One gossip with a process for each member, on the network that this script is started in; see `gossip.py`.

    gossip_processes.py measure KIND PROGRAM PRESET MEMBERS IDLE
    gossip_processes.py stalls KIND PROGRAM PRESET MEMBERS SECONDS SEED AWAKE
"""

import json
import random
import signal
import statistics
import sys
import time

from gossip_members import Members, loopback

JOIN_LIMIT, UPDATE_LIMIT, DETECT_LIMIT = 120, 20, 60
# Time after the last stall in which who was given up can come back.
RECOVERY = 15


def emit(measure, value):
    print(json.dumps({"m": measure, "v": round(value, 4)}), flush=True)


def join(members):
    start = time.monotonic()
    for index in range(1, members.count):
        members.join(index)
    emit("join_calls_s", time.monotonic() - start)
    others = members.count - 1
    if not members.listen(JOIN_LIMIT, lambda: all(len(known) == others for known in members.present)):
        raise RuntimeError("not all members found each other in %d s" % JOIN_LIMIT)
    emit("join_all_s", time.monotonic() - start)


def rest(members, seconds):
    members.listen(3)
    before, used, start = loopback(), members.processor_seconds(), time.monotonic()
    members.listen(seconds)
    after, share = loopback(), (time.monotonic() - start) * members.count
    emit("idle_cpu_pct_per_member", (members.processor_seconds() - used) / share * 100)
    emit("idle_bytes_per_member_s", (after[0] - before[0]) / share)
    emit("idle_packets_per_member_s", (after[1] - before[1]) / share)
    emit("pss_mib_per_member", members.memory() / members.count)


def update(members):
    medians, lasts = [], []
    others = members.count - 1
    for number in range(1, 6):
        subject = number * 7 % members.count
        members.forget("updated", subject)
        start = time.monotonic()
        members.update(subject, number)
        members.listen(UPDATE_LIMIT, lambda: len(members.first.get(("updated", subject), ())) == others)
        times = members.times("updated", subject, start)
        if len(times) < others:
            emit("update_missing", others - len(times))
        medians.append(statistics.median(times) * 1e3)
        lasts.append(times[-1] * 1e3)
        members.listen(0.3)
    emit("update_median_node_ms", statistics.median(medians))
    emit("update_all_nodes_ms", statistics.median(lasts))


def detect(members):
    firsts, medians, lasts = [], [], []
    victims = range(members.count - 1, members.count - 4, -1)
    for victim in victims:
        members.forget("died", victim)
        start = time.monotonic()
        members.kill(victim)
        members.listen(DETECT_LIMIT, lambda: len(members.first.get(("died", victim), ())) == victim)
        times = members.times("died", victim, start)
        if len(times) < victim:
            emit("detect_missing", victim - len(times))
        firsts.append(times[0])
        medians.append(statistics.median(times))
        lasts.append(times[-1])
    emit("detect_first_s", statistics.median(firsts))
    emit("detect_median_s", statistics.median(medians))
    emit("detect_last_s", statistics.median(lasts))
    wrong = {subject for _, _, word, subject in members.beliefs if word == "died" and subject not in victims}
    emit("false_death_members", len(wrong))


def plan(seed, count, seconds, awake):
    """When which member is stopped or goes on: a third of all, again and again, for 1 to 20 s, with a tenth of
    `awake` to `awake` between. Depends on nothing but the arguments, so all kinds of members suffer the same.
    """
    chance = random.Random(seed)
    victims = chance.sample(range(count), count // 3)
    events = []
    for victim in victims:
        at = chance.uniform(0, 5)
        while at < seconds:
            end = at + chance.uniform(1, 20)
            events += [(at, victim, signal.SIGSTOP), (min(end, seconds), victim, signal.SIGCONT)]
            at = end + chance.uniform(awake / 10, awake)
    return sorted(events), set(victims)


def stalls(members, seconds, seed, awake):
    events, victims = plan(seed, members.count, seconds, awake)
    members.listen(5)
    members.beliefs.clear()
    start = time.monotonic()
    for at, victim, number in events:
        members.listen(start + at - time.monotonic())
        members.signal(victim, number)
    members.listen(RECOVERY)
    deaths = [(observer, subject) for _, observer, word, subject in members.beliefs if word == "died"]
    of_the_well = [(observer, subject) for observer, subject in deaths if subject not in victims]
    emit("stalls", sum(number == signal.SIGSTOP for _, _, number in events))
    emit("well", members.count - len(victims))
    emit("well_given_up", len({subject for _, subject in of_the_well}))
    emit("well_given_up_times", len(of_the_well))
    emit("well_given_up_by_well_times", sum(observer not in victims for observer, _ in of_the_well))
    emit("stopped", len(victims))
    emit("stopped_given_up", len({subject for _, subject in deaths if subject in victims}))
    emit("stopped_given_up_times", len(deaths) - len(of_the_well))
    emit("not_believed_at_end", sum(members.count - 1 - len(known) for known in members.present))


def main():
    if len(sys.argv) < 7:
        sys.exit(__doc__)
    what, kind, program, preset, count, seconds = sys.argv[1:7]
    # So that nobody is left when this is ended early.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    members = Members(kind, int(count), program, preset)
    try:
        members.start()
        join(members)
        if what == "stalls":
            stalls(members, float(seconds), int(sys.argv[7]), float(sys.argv[8]))
        else:
            rest(members, float(seconds))
            update(members)
            detect(members)
    finally:
        members.end()


main()
