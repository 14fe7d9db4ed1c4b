"""Many containers at once."""

import json
import threading

from harness import check, equal
from oci_bundle import case

COUNT = 20


def at_once(functions):
    """Calls functions at the same time; returns their answers and what they raised, in order."""
    found = [None] * len(functions)

    def one(number):
        try:
            found[number] = functions[number]()
        except BaseException as error:
            found[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(functions))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


@case
def many_runs(box):
    """twenty containers run at once, each with its own output and code"""
    bundles = [box.bundle("cat /etc/number; hostname; exit %d" % number) for number in range(COUNT)]
    for number, bundle in enumerate(bundles):
        bundle.config["hostname"] = "box%d" % number
        with open(bundle.inside("etc/number"), "w") as file:
            file.write("%d\n" % number)
    results = at_once([bundle.run for bundle in bundles])
    for number, result in enumerate(results):
        wanted = (number, "%d\nbox%d\n" % (number, number))
        equal((result.code, result.out), wanted, "code and output, with " + result.err)


@case
def many_alive(box):
    """twenty containers are created, started, listed, killed and deleted at once"""
    bundles = [box.bundle("exec sleep 100") for _ in range(COUNT)]
    for result in at_once([bundle.create for bundle in bundles]):
        result.ok()
    for result in at_once([bundle.start for bundle in bundles]):
        result.ok()
    listed = json.loads(box.call("list", "-f", "json").ok().out)
    equal({each["id"] for each in listed}, {bundle.id for bundle in bundles}, "containers")
    check(all(each["status"] == "running" for each in listed), "not all are running:", listed)
    for result in at_once([lambda bundle=bundle: bundle.delete("--force") for bundle in bundles]):
        result.ok()
    equal(box.call("list", "-q").ok().out, "", "containers afterwards")


@case
def same_id(box):
    """of many creations with one id at once exactly one succeeds, and that container works"""
    box.older("runc version 1.1", "a creation that lost takes the state of the one that won with it")
    bundle = box.bundle("echo up; exec sleep 100")
    bundle.save()
    more = [box.bundle() for _ in range(5)]
    for each in more:
        each.id, each.config = bundle.id, bundle.config
    codes = [result.code for result in at_once([each.create for each in [bundle, *more]])]
    equal(codes.count(0), 1, "creations that succeeded, of the codes %s" % codes)
    bundle.start().ok()
    equal(bundle.state()["status"], "running", "status")
