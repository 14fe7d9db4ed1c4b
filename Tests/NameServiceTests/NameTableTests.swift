import ClusterModel
import Testing

@testable import NameService

/// A small cluster.
enum Cluster {
    static func address(_ text: String) throws -> NetworkAddress { try #require(NetworkAddress(text)) }

    static func source(tasks: [NameSource.Task] = []) throws -> NameSource {
        let master = NameSource.Node(
            id: "m1", addresses: [try address("10.0.0.1"), try address("fd00::1")], port: 5050)
        let other = NameSource.Node(id: "m2", addresses: [try address("10.0.0.2")], port: 5050)
        let agent = NameSource.Node(id: "a1", addresses: [try address("10.0.0.3")], port: 5051)
        let framework = NameSource.Framework(name: "marathon", addresses: [try address("10.0.0.1")], port: 8080)
        return NameSource(
            leader: "m1", masters: [master, other], agents: [agent], frameworks: [framework], tasks: tasks)
    }

    static func task(_ id: String, _ address: String?, name: String = "web", ports: [NameSource.Port] = [])
        throws -> NameSource.Task
    {
        NameSource.Task(
            id: id, name: name, framework: "marathon", agent: "a1",
            addresses: try address.map { [try self.address($0)] } ?? [], ports: ports)
    }

    static func table() throws -> NameTable {
        let http = NameSource.Port(name: "http", number: 80, hostNumber: 31080)
        return NameTable(
            try source(tasks: [
                try task("t1", "172.20.0.2", ports: [http]), try task("t2", "fd00:1::3", ports: [http]),
                try task("t3", nil, name: "on.host", ports: [NameSource.Port(number: 31005)]),
            ]))
    }
}

@Suite struct NameLabelTests {
    @Test(arguments: [
        ("web", "web"), ("Web_App.v1", "web-app-v1"), ("/shop/web", "shopweb"), ("--a--", "a"), ("ä!", ""), ("", ""),
        ("9lives", "9lives"), (String(repeating: "a", count: 70), String(repeating: "a", count: 63)),
        (String(repeating: "a", count: 62) + "-bc", String(repeating: "a", count: 62) + "b"),
    ])
    func `a task's name becomes a label as Mesos-DNS makes it`(name: String, label: String) {
        #expect(NameLabel.of(name) == label)
    }

    @Test func `dots of a framework's name and parts of a service's path are labels`() {
        #expect(NameLabel.domain("Marathon.Prod_1..x") == "marathon.prod-1.x")
        #expect(NameLabel.service("/shop/web_1") == "web-1.shop")
        #expect(NameLabel.service("web") == "web")
        #expect(NameLabel.service("///") == "")
    }

    @Test func `digests of ten thousand ids differ`() {
        #expect(Set((0..<10_000).map { NameLabel.digest("task-\($0)") }).count == 10_000)
    }
}

@Suite struct NameTableTests {
    private func addresses(_ name: String, _ table: NameTable) -> [String]? {
        table.entry(name)?.addresses.map(\.description)
    }

    private func ports(_ name: String, _ table: NameTable) -> [UInt16]? { table.entry(name)?.services.map(\.port) }

    @Test func `masters, agents and frameworks have names`() throws {
        let table = try Cluster.table()
        #expect(addresses("leader.mesos", table) == ["10.0.0.1", "fd00::1"])
        #expect(addresses("master.mesos", table) == ["10.0.0.1", "10.0.0.2", "fd00::1"])
        #expect(addresses("master1.mesos", table) == ["10.0.0.2"])
        #expect(addresses("slave.mesos", table) == ["10.0.0.3"])
        #expect(addresses("marathon.mesos", table) == ["10.0.0.1"])
        #expect(ports("_leader._tcp.mesos", table) == [5050])
        #expect(ports("_framework._tcp.marathon.mesos", table) == [8080])
    }

    @Test func `a task's name has the addresses of all instances, its agent's name theirs`() throws {
        let table = try Cluster.table()
        #expect(addresses("web.marathon.mesos", table) == ["172.20.0.2", "fd00:1::3"])
        #expect(addresses("web.marathon.slave.mesos", table) == ["10.0.0.3"])
        #expect(addresses("web.rondo", table) == ["172.20.0.2", "fd00:1::3"])
        #expect(addresses("on-host.marathon.mesos", table) == ["10.0.0.3"])
    }

    @Test func `a port leads to a name that is one instance's alone`() throws {
        let table = try Cluster.table()
        for name in [
            "_web._tcp.marathon.mesos", "_http._web._tcp.marathon.mesos", "_http._tcp.web.marathon.mesos",
            "_http._tcp.web.rondo",
        ] {
            let services = try #require(table.entry(name)?.services, "\(name)")
            #expect(services.map(\.port) == [80, 80])
            #expect(Set(services.map(\.target)).count == 2)
            #expect(services.allSatisfy { table.entry($0.target)?.addresses.count == 1 })
        }
        #expect(ports("_web._tcp.marathon.slave.mesos", table) == [31080, 31080])
        #expect(ports("_on-host._tcp.marathon.mesos", table) == [31005])
        #expect(ports("_31005._tcp.on-host.marathon.mesos", table) == [31005])
    }

    @Test func `the order of what is told makes no difference`() throws {
        let tasks = try (0..<20).map { try Cluster.task("t\($0)", "172.20.0.\($0 + 2)") }
        let one = NameTable(try Cluster.source(tasks: tasks))
        let two = NameTable(try Cluster.source(tasks: tasks.reversed()))
        #expect(one == two)
        #expect(one != NameTable(try Cluster.source(tasks: Array(tasks.dropLast()))))
    }

    @Test func `names that cannot be names are left out`() throws {
        let long = String(repeating: "a.", count: 130)
        var task = try Cluster.task("t", "10.9.9.9", name: "ok")
        task.framework = long
        var nameless = try Cluster.task("t", "10.9.9.9", name: "!!!")
        nameless.service = nil
        let table = NameTable(try Cluster.source(tasks: [task, nameless]))
        #expect(table.entries.keys.allSatisfy { $0.utf8.count <= 253 })
        #expect(addresses("ok.rondo", table) == ["10.9.9.9"])
    }

    @Test func `ten thousand tasks are a table that is made quickly enough to be made anew each time`() throws {
        let http = NameSource.Port(name: "http", number: 80)
        let tasks = try (0..<10_000).map {
            try Cluster.task("t\($0)", "10.\(1 + $0 / 250).0.\($0 % 250 + 1)", name: "web\($0 % 100)", ports: [http])
        }
        let source = try Cluster.source(tasks: tasks)
        let clock = ContinuousClock()
        let time = clock.measure { _ = NameTable(source) }
        #expect(time < .seconds(10), "\(time)")
    }
}

@Suite struct DocumentTests {
    private func text(_ path: String) throws -> String? {
        NameDocuments.document(path, table: try Cluster.table(), version: "1.2").map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test func `hosts are listed with a dot at the end`() throws {
        #expect(
            try text("/v1/hosts/leader.mesos")
                == #"[{"host":"leader.mesos.","ip":"10.0.0.1"},{"host":"leader.mesos.","ip":"fd00::1"}]"#)
        #expect(try text("/v1/hosts/LEADER.mesos.") == text("/v1/hosts/leader.mesos"))
    }

    @Test func `all records can be had at once`() throws {
        let zone = try #require(try text("/v1/axfr"))
        #expect(zone.contains(#""Domain":"mesos""#))
        #expect(zone.contains(#""leader.mesos.":["10.0.0.1"]"#))
        #expect(zone.contains(#""leader.mesos.":["fd00::1"]"#))
        #expect(zone.contains(#""_http._tcp.web.marathon.mesos.":["web-"#))
    }

    @Test func `what there is not is one empty entry`() throws {
        #expect(try text("/v1/hosts/nobody.mesos") == #"[{"host":"","ip":""}]"#)
        #expect(try text("/v1/hosts/mesos") == #"[{"host":"","ip":""}]"#)
        #expect(try text("/v1/services/_x._tcp.mesos") == #"[{"host":"","ip":"","port":"","service":""}]"#)
    }

    @Test func `services are listed with where they are`() throws {
        #expect(
            try text("/v1/services/_leader._udp.mesos")
                == #"[{"host":"leader.mesos.","ip":"10.0.0.1","port":"5050","service":"_leader._udp.mesos"},"#
                + #"{"host":"leader.mesos.","ip":"fd00::1","port":"5050","service":"_leader._udp.mesos"}]"#)
    }

    @Test func `everything is listed by framework and task`() throws {
        let text = try #require(try text("/v1/enumerate"))
        #expect(text.hasPrefix(#"{"frameworks":[{"name":"marathon","tasks":[{"id":"t3","name":"on.host","records":["#))
        #expect(text.contains(#"{"host":"172.20.0.2","name":"web.marathon.mesos.","rtype":"A"}"#))
        #expect(text.contains(#""name":"_web._tcp.marathon.mesos.","rtype":"SRV"}"#))
    }

    @Test func `version and configuration are there, and nothing else`() throws {
        #expect(try text("/v1/version") == #"{"Service":"Mesos-DNS","URL":"","Version":"1.2"}"#)
        #expect(try text("/v1/config")?.contains(#""domain":"mesos""#) == true)
        for path in ["", "/", "/v1", "/v1/", "/v2/version", "/v1/hosts", "/v1/hosts/a/b", "v1/version", "/v1/ixfr"] {
            #expect(try text(path) == nil, "\(path)")
        }
    }
}

@Suite struct ResolverFileTests {
    @Test func `a container asks this node's server and searches where the host does`() throws {
        let host = "domain old\nsearch a.example b.example\nnameserver 9.9.9.9\noptions edns0\n"
        #expect(
            ResolverFile.text(servers: [try Cluster.address("172.20.0.1")], host: host)
                == "nameserver 172.20.0.1\nsearch a.example b.example\noptions timeout:3 attempts:2\n")
    }

    @Test func `what would not be a name is not searched`() {
        #expect(
            ResolverFile.text(servers: [], host: "search a\u{7}b .. ok\n")
                == "search ok\noptions timeout:3 attempts:2\n")
    }

    @Test func `resolvers are the host's own without this server`() throws {
        let text =
            "nameserver 9.9.9.9\nnameserver 172.20.0.1\nnameserver 0.0.0.0\nnameserver ::1\n# nameserver 8.8.8.8\n"
        let servers = Forwarder.servers(text, except: [try Cluster.address("172.20.0.1")])
        #expect(servers.map(\.description) == ["9.9.9.9", "::1"])
    }
}
