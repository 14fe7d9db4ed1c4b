"""Tests of the operator API with pymesos' operator driver. Run by pymesos_test.py."""

from pymesos import MesosOperatorMasterDriver, OperatorMaster

from harness import Mailbox, check, equal, eventually, test, within
from mesos_client import amount
from pymesos_framework import MASTER, Framework, agent_ids


class Watcher(OperatorMaster):
    """Puts the cluster's events into a mailbox."""

    def __init__(self):
        self.seen = Mailbox()

    def taskAdded(self, task):
        self.seen.put(("task added", task))

    def taskUpdated(self, update):
        self.seen.put(("task updated", update))

    def frameworkAdded(self, framework):
        self.seen.put(("framework added", framework))

    def frameworkUpdated(self, framework):
        self.seen.put(("framework updated", framework))

    def frameworkRemoved(self, info):
        self.seen.put(("framework removed", info))

    def agentAdded(self, agent):
        self.seen.put(("agent added", agent))

    def agentRemoved(self, agent_id):
        self.seen.put(("agent removed", agent_id))


@test
def operator_reads():
    """the operator driver's reads answer with what pymesos looks for"""
    driver = MesosOperatorMasterDriver(MASTER)
    with Framework("operated") as one:
        one.run("observed", "sleep 1000")
        one.wait_state("observed", "TASK_RUNNING")
        equal(driver.getHealth(), {"type": "GET_HEALTH", "get_health": {"healthy": True}}, "GET_HEALTH")
        version = driver.getVersion()["get_version"]["version_info"]["version"]
        check(all(part.isdigit() for part in version.split(".")), "GET_VERSION", version)
        equal(driver.getFlags()["type"], "GET_FLAGS", "GET_FLAGS")
        metrics = driver.getMetrics(5000000000)["get_metrics"]["metrics"]
        check(metrics and all("name" in each and "value" in each for each in metrics), "GET_METRICS", metrics[:3])
        state = driver.getState()["get_state"]
        check(
            {"get_agents", "get_frameworks", "get_tasks", "get_executors"} <= set(state), "GET_STATE has", sorted(state)
        )
        agents = driver.getAgents()["get_agents"]["agents"]
        equal({each["agent_info"]["id"]["value"] for each in agents}, agent_ids(), "agents")
        for each in agents:
            within(
                [
                    (each.get("active") is True, "active"),
                    (each.get("version"), "version"),
                    ("@" in each.get("pid", ""), "pid %r" % each.get("pid")),
                    (amount(each.get("total_resources", []), "cpus") > 0, "total_resources"),
                    (each["agent_info"].get("hostname") and each["agent_info"].get("port"), "hostname, port"),
                    (amount(each["agent_info"].get("resources", []), "cpus") > 0, "agent_info.resources"),
                ],
                "GET_AGENTS",
            )
        frameworks = driver.getFrameworks()["get_frameworks"]
        mine = [f for f in frameworks["frameworks"] if f["framework_info"]["id"]["value"] == one.id]
        check(mine and mine[0]["active"] and mine[0]["connected"], "GET_FRAMEWORKS", mine)
        check(isinstance(frameworks.get("completed_frameworks", []), list), "completed_frameworks is no list")
        tasks = driver.getTasks()["get_tasks"]
        mine = [t for t in tasks["tasks"] if t["framework_id"]["value"] == one.id]
        equal([(t["task_id"]["value"], t["state"]) for t in mine], [("observed", "TASK_RUNNING")], "GET_TASKS")
        check("*" in {each["name"] for each in driver.getRoles()["get_roles"]["roles"]}, "GET_ROLES lacks *")
        check("hostname" in driver.getMaster()["get_master"]["master_info"], "GET_MASTER lacks hostname")
        for call, kind in (
            (driver.getWeights, "GET_WEIGHTS"),
            (driver.getQuota, "GET_QUOTA"),
            (driver.getExecutors, "GET_EXECUTORS"),
            (driver.getMaintenanceStatus, "GET_MAINTENANCE_STATUS"),
            (driver.getMaintenanceSchedule, "GET_MAINTENANCE_SCHEDULE"),
        ):
            answer = call()
            check(answer.get("type") == kind and kind.lower() in answer, kind, "answered", answer)
    done = driver.getTasks()["get_tasks"].get("completed_tasks", [])
    check(any(each["task_id"]["value"] == "observed" for each in done), "completed_tasks lack the task torn down")


@test
def operator_files():
    """LIST_FILES and READ_FILE show the master's log"""
    driver = MesosOperatorMasterDriver(MASTER)
    answer = driver.readFile("/master/log", 100, 0)["read_file"]
    check(answer["size"] > 0 and answer["data"], "READ_FILE of /master/log answered", answer)
    listed = driver.listFiles("/master/log")["list_files"]["file_infos"]
    equal([each["path"] for each in listed], ["/master/log"], "LIST_FILES of /master/log")


@test
def operator_stream():
    """a watcher of the cluster hears of frameworks and tasks as they come and go"""
    watcher = Watcher()
    driver = MesosOperatorMasterDriver(MASTER, watcher)
    driver.start()
    try:
        eventually(lambda: driver.connected, 10, "the operator stream")

        def heard(kind, wanted):
            return watcher.seen.wait(lambda items: [v for k, v in items if k == kind and wanted(v)], 10, kind)[0]

        with Framework("watched") as one:
            heard("framework added", lambda v: v["framework_info"]["id"]["value"] == one.id)
            one.run("seen", "true")
            added = heard("task added", lambda v: v["task_id"]["value"] == "seen")
            equal(added["framework_id"]["value"], one.id, "framework of TASK_ADDED")
            heard("task updated", lambda v: v["status"]["task_id"]["value"] == "seen" and v["state"] == "TASK_FINISHED")
            framework_id = one.id
        heard("framework removed", lambda v: v["id"]["value"] == framework_id)
    finally:
        driver.stop()
        driver.join()
