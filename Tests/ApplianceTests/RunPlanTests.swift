import Testing

@testable import OperatorCommands

struct RunPlanTests {
    private func offer(
        _ id: String, cpus: Double = 2, mem: Double = 512, ports: String = "", attributes: String = "[]"
    ) -> String {
        let scalar = { (name: String, value: Double) in
            "{\"name\":\"\(name)\",\"type\":\"SCALAR\",\"scalar\":{\"value\":\(value)},\"allocation_info\":{\"role\":\"*\"}}"
        }
        let range = ports.isEmpty ? "" : ",{\"name\":\"ports\",\"type\":\"RANGES\",\"ranges\":{\"range\":[\(ports)]}}"
        return "{\"id\":{\"value\":\"\(id)\"},\"agent_id\":{\"value\":\"agent-\(id)\"},\"hostname\":\"host-\(id)\","
            + "\"resources\":[\(scalar("cpus", cpus)),\(scalar("mem", mem))\(range)],\"attributes\":\(attributes)}"
    }

    private func offers(_ list: String...) throws -> JSONValue {
        try JSONValue(
            parsing: Array("{\"type\":\"OFFERS\",\"offers\":{\"offers\":[\(list.joined(separator: ","))]}}".utf8))
    }

    private func update(_ task: String, _ state: String, message: String? = nil, uuid: String? = "dQ==") throws
        -> JSONValue
    {
        var status: [String: JSONValue] = [
            "task_id": ["value": .text(task)], "state": .text(state), "agent_id": ["value": "agent-1"],
        ]
        if let message { status["message"] = .text(message) }
        if let uuid { status["uuid"] = .text(uuid) }
        return ["type": "UPDATE", "update": ["status": .object(status)]]
    }

    private func plan(_ change: (inout RunOrder) -> Void = { _ in }) -> RunPlan {
        var order = RunOrder(name: "t", command: ["cmd", "-x"])
        change(&order)
        var plan = RunPlan(order)
        _ = plan.handle(["type": "SUBSCRIBED", "subscribed": ["framework_id": ["value": "f-1"]]])
        return plan
    }

    private func calls(_ actions: [RunPlan.Action]) -> [String] {
        actions.compactMap { if case .call(let type, _) = $0 { type } else { nil } }
    }

    private func tasks(_ actions: [RunPlan.Action]) -> [JSONValue] {
        actions.flatMap { action -> [JSONValue] in
            guard case .call("ACCEPT", let body?) = action else { return [] }
            return body["operations"]?.list?.first?["launch"]?["task_infos"]?.list ?? []
        }
    }

    private func ports(_ task: JSONValue) -> [Int64] {
        (task["resources"]?.list ?? []).filter { $0["name"]?.text == "ports" }
            .flatMap { $0["ranges"]?["range"]?.list ?? [] }
            .flatMap { range -> [Int64] in
                guard let begin = range["begin"]?.double, let end = range["end"]?.double else { return [] }
                return Array(Int64(begin)...Int64(end))
            }
    }

    @Test func `a published port is taken from the offer and leads into the container`() throws {
        var plan = plan {
            $0.image = "box"
            $0.network = "bridge"
            $0.ports = 1
            $0.published = ["8080:80", "53/udp"].compactMap { RunOrder.Published($0) }
        }
        #expect(calls(plan.handle(try offers(offer("1", ports: #"{"begin":9000,"end":9010}"#)))) == ["DECLINE"])
        let actions = plan.handle(
            try offers(offer("2", ports: #"{"begin":8079,"end":8080},{"begin":9000,"end":9000}"#)))
        let task = try #require(tasks(actions).first)
        #expect(Set(ports(task)) == [8079, 8080, 9000])
        let info = try #require(task["container"]?["network_infos"]?.list?.first)
        #expect(info["name"]?.text == "bridge")
        #expect(
            info["port_mappings"]?.list == [
                ["host_port": .integer(8080), "container_port": .integer(80), "protocol": "tcp"],
                ["host_port": .integer(9000), "container_port": .integer(53), "protocol": "udp"],
            ])
        #expect(plan.instances[0].published == [8080, 9000])
    }

    @Test(arguments: ["", ":", "80:", ":80", "0", "80:0", "65536", "80/sctp", "80:80:80", "x", "-1", "80/", " 80"])
    func `what is no port is not published`(text: String) {
        #expect(RunOrder.Published(text) == nil)
    }

    @Test func `one instance takes what it needs of an offer and wants no more`() throws {
        var plan = plan()
        let actions = plan.handle(try offers(offer("1")))
        #expect(calls(actions) == ["ACCEPT", "SUPPRESS"])
        let task = try #require(tasks(actions).first)
        #expect(task["task_id"]?["value"]?.text == "t.1")
        #expect(task["agent_id"]?["value"]?.text == "agent-1")
        #expect(task["command"]?["arguments"]?.list == ["cmd", "-x"])
        #expect(task["command"]?["shell"] == false)
        let resources = try #require(task["resources"]?.list)
        #expect(resources.map { $0["scalar"]?["value"]?.double } == [0.1, 32])
        #expect(resources.allSatisfy { $0["allocation_info"]?["role"]?.text == "*" })
    }

    @Test func `instances spread over the nodes that offer`() throws {
        var plan = plan { $0.instances = 4 }
        let actions = plan.handle(try offers(offer("1"), offer("2")))
        #expect(
            tasks(actions).compactMap { $0["agent_id"]?["value"]?.text }.sorted()
                == ["agent-1", "agent-1", "agent-2", "agent-2"])
    }

    @Test func `what does not fit is declined and waited for`() throws {
        var plan = plan { $0.cpus = 3 }
        let actions = plan.handle(try offers(offer("1")))
        #expect(calls(actions) == ["DECLINE"])
        #expect(plan.waiting == [0])
        #expect(calls(plan.handle(try offers(offer("2", cpus: 3)))) == ["ACCEPT", "SUPPRESS"])
    }

    @Test func `an offer is never overdrawn`() throws {
        var plan = plan {
            $0.instances = 50
            $0.cpus = 0.3
        }
        let actions = plan.handle(try offers(offer("1", cpus: 2)))
        #expect(tasks(actions).count == 6)
        #expect(plan.waiting.count == 44)
    }

    @Test func `ports are taken one by one and told to the command`() throws {
        var plan = plan {
            $0.instances = 2
            $0.ports = 2
        }
        let ports = "{\"begin\":31000,\"end\":31002},{\"begin\":31010,\"end\":31010}"
        let launched = tasks(plan.handle(try offers(offer("1", ports: ports))))
        let taken = launched.map { task in
            (task["command"]?["environment"]?["variables"]?.list ?? []).filter {
                $0["name"]?.text?.hasPrefix("PORT") == true
            }
            .map { "\($0["name"]?.text ?? "")=\($0["value"]?.text ?? "")" }
        }
        #expect(
            taken == [["PORT0=31000", "PORT1=31001", "PORT=31000"], ["PORT0=31002", "PORT1=31010", "PORT=31002"]])
        var high = self.plan { $0.ports = 3 }
        let low = "{\"begin\":80,\"end\":80},{\"begin\":8080,\"end\":8080},{\"begin\":31000,\"end\":31000}"
        let used = tasks(high.handle(try offers(offer("1", ports: low))))
        #expect(
            used.first?["command"]?["environment"]?["variables"]?.list?
                .compactMap { $0["name"]?.text?.hasPrefix("PORT") == true ? $0["value"]?.text : nil }
                == ["31000", "8080", "80", "31000"])
        var third = self.plan { $0.ports = 5 }
        #expect(calls(third.handle(try offers(offer("1", ports: ports)))) == ["DECLINE"])
    }

    @Test func `reserved resources are used first and keep their reservation`() throws {
        let text = """
            {"id":{"value":"1"},"agent_id":{"value":"a"},"hostname":"h","resources":[
            {"name":"cpus","type":"SCALAR","scalar":{"value":1}},
            {"name":"cpus","type":"SCALAR","scalar":{"value":0.5},"reservations":[{"type":"STATIC","role":"r"}]},
            {"name":"mem","type":"SCALAR","scalar":{"value":64}},
            {"name":"cpus","type":"SCALAR","scalar":{"value":9},"revocable":{}}]}
            """
        var plan = plan { $0.cpus = 1 }
        let task = try #require(tasks(plan.handle(try offers(text))).first)
        let cpus = try #require(task["resources"]?.list).filter { $0["name"]?.text == "cpus" }
        #expect(cpus.map { $0["scalar"]?["value"]?.double } == [0.5, 0.5])
        #expect(cpus.map { $0["reservations"] == nil } == [false, true])
    }

    @Test(arguments: [
        ("rack:a", true), ("rack:b", false), ("slots:4", true), ("slots:4.0", true), ("ids:7", true), ("ids:12", false),
    ])
    func `a constraint is met by text, number or range`(text: String, isMet: Bool) throws {
        let attributes = """
            [{"name":"rack","type":"TEXT","text":{"value":"a"}},{"name":"slots","type":"SCALAR","scalar":{"value":4}},
            {"name":"ids","type":"RANGES","ranges":{"range":[{"begin":5,"end":9}]}}]
            """
        var plan = plan { $0.constraints = [RunOrder.Constraint(text)!] }
        let actions = plan.handle(try offers(offer("1", attributes: attributes)))
        #expect(calls(actions).first == (isMet ? "ACCEPT" : "DECLINE"))
    }

    @Test func `updates are acknowledged and the first code that is not zero is the result`() throws {
        var plan = plan { $0.instances = 3 }
        _ = plan.handle(try offers(offer("1")))
        #expect(calls(plan.handle(try update("t.1", "TASK_RUNNING"))) == ["ACKNOWLEDGE"])
        #expect(plan.handle(try update("t.1", "TASK_FINISHED", uuid: nil)) == [.ended(0)])
        #expect(!plan.isDone)
        _ = plan.handle(try update("t.3", "TASK_FAILED", message: "Command exited with status 7"))
        let last = plan.handle(try update("t.2", "TASK_FAILED", message: "Command exited with status 3"))
        #expect(last.contains(.started(1)) && last.contains(.ended(1)))
        #expect(plan.isDone && plan.exitCode == 3)
        // A second end changes nothing, and is acknowledged all the same.
        #expect(calls(plan.handle(try update("t.2", "TASK_FINISHED"))) == ["ACKNOWLEDGE"])
        #expect(plan.exitCode == 3)
    }

    @Test func `a task that never ran is launched again under a new id`() throws {
        var plan = plan()
        _ = plan.handle(try offers(offer("1")))
        #expect(calls(plan.handle(try update("t.1", "TASK_DROPPED", uuid: nil))) == ["REVIVE"])
        let again = tasks(plan.handle(try offers(offer("2"))))
        #expect(again.first?["task_id"]?["value"]?.text == "t.1.2")
    }

    @Test func `after a new subscription it asks for its tasks`() throws {
        var plan = plan { $0.instances = 2 }
        _ = plan.handle(try offers(offer("1")))
        let subscription = plan.subscription(user: "root")
        #expect(subscription["framework_id"]?["value"]?.text == "f-1")
        #expect(subscription["subscribe"]?["framework_info"]?["id"]?["value"]?.text == "f-1")
        let actions = plan.handle(["type": "SUBSCRIBED", "subscribed": ["framework_id": ["value": "f-1"]]])
        #expect(calls(actions) == ["RECONCILE", "SUPPRESS"])
    }

    @Test func `stopping kills what runs and starts nothing more`() throws {
        var plan = plan {
            $0.instances = 30
            $0.cpus = 1
        }
        _ = plan.handle(try offers(offer("1", cpus: 2)))
        #expect(calls(plan.stop(code: 130)) == ["KILL", "KILL", "SUPPRESS"])
        #expect(plan.waiting.isEmpty && !plan.isDone)
        #expect(calls(plan.handle(try offers(offer("2")))) == ["DECLINE", "SUPPRESS"])
        for task in ["t.1", "t.2"] { _ = plan.handle(try update(task, "TASK_KILLED")) }
        #expect(plan.isDone)
    }

    @Test(arguments: [
        ("TASK_FINISHED", nil, 0), ("TASK_FAILED", "Command exited with status 3", 3),
        ("TASK_FAILED", "Command exited with status 0", 1),
        ("TASK_FAILED", "Command terminated with signal Killed", 137),
        ("TASK_FAILED", "Command terminated with signal Segmentation fault (core dumped)", 139),
        ("TASK_FAILED", "Command terminated with signal Stopped (tty input)", 149),
        ("TASK_FAILED", "Command terminated with signal Unknown signal 40", 168),
        ("TASK_KILLED", "Command terminated with signal Terminated: x", 143), ("TASK_LOST", nil, 1),
        ("TASK_FAILED", "Command exited with status 99999999999", 1), ("TASK_ERROR", "what", 1),
    ])
    func `a task's end is an exit code`(state: String, message: String?, code: Int32) {
        #expect(TaskEnd.exitCode(state: state, message: message) == code)
    }

    @Test(arguments: [
        "null", "[]", "{}", "{\"type\":5}", "{\"type\":\"OFFERS\"}",
        "{\"type\":\"OFFERS\",\"offers\":{\"offers\":[1,{}]}}",
        "{\"type\":\"UPDATE\"}", "{\"type\":\"UPDATE\",\"update\":{\"status\":{\"task_id\":7}}}",
        "{\"type\":\"OFFERS\",\"offers\":{\"offers\":[{\"id\":{},\"agent_id\":{\"value\":\"a\"},\"resources\":[{\"name\":\"cpus\",\"scalar\":{\"value\":1e300}}]}]}}",
    ])
    func `nonsense from the other side is borne`(text: String) throws {
        var plan = plan()
        let actions = plan.handle(try JSONValue(parsing: Array(text.utf8)))
        #expect(tasks(actions).isEmpty)
    }

    @Test func `the summary tells programs what became of each instance`() throws {
        var plan = plan()
        _ = plan.handle(try offers(offer("1")))
        _ = plan.handle(try update("t.1", "TASK_FAILED", message: "Command exited with status 3"))
        #expect(
            String(decoding: try plan.summary(exitCode: 3).encoded(), as: UTF8.self)
                == #"{"exitCode":3,"framework":"f-1","name":"t","role":"*","tasks":[{"attempts":1,"exitCode":3,"hostname":"host-1","id":"t.1","instance":1,"message":"Command exited with status 3","node":"agent-1","state":"TASK_FAILED"}]}"#
        )
    }
}
