import ClusterModel
import Testing

@testable import Networking

@Suite struct AddressPoolTests {
    private func pool(_ texts: String...) throws -> AddressPool {
        AddressPool(try texts.map { try #require(NetworkPrefix($0)) })
    }

    @Test func `every container gets its own number, the host and the last address nobody's`() throws {
        var pool = try pool("10.0.0.0/29", "fd00::/64")
        let numbers = (0..<5).map { pool.allocate(for: "c\($0)") }
        #expect(numbers == [2, 3, 4, 5, 6])
        let more = pool.allocate(for: "c5")
        #expect(more == nil)
        #expect(pool.addresses(6).map(\.description) == ["10.0.0.6/29", "fd00::6/64"])
    }

    @Test func `a number that was given back is used again last`() throws {
        var pool = try pool("10.0.0.0/29")
        let first = pool.allocate(for: "a")
        #expect(first == 2)
        pool.release(2)
        let others = (0..<5).map { pool.allocate(for: "b\($0)") }
        #expect(others == [3, 4, 5, 6, 2])
    }

    @Test func `what is written down is taken, once`() throws {
        var pool = try pool("10.0.0.0/29")
        let taken = [pool.take(3, for: "a"), pool.take(3, for: "a")]
        #expect(taken == [true, true])
        let refused = [3, 1, 7, 0].map { pool.take($0, for: "b") }
        #expect(refused == [false, false, false, false])
        let others = (0..<4).map { pool.allocate(for: "c\($0)") }
        #expect(others == [4, 5, 6, 2])
    }

    @Test(arguments: ["10.0.0.0/32", "10.0.0.0/31"])
    func `a network without room gives nothing`(text: String) throws {
        var pool = try pool(text)
        let number = pool.allocate(for: "a")
        #expect(number == nil)
        let isTaken = pool.take(2, for: "a")
        #expect(!isTaken)
    }
}

@Suite struct NetworkIdentityTests {
    private func prefix(_ text: String) throws -> NetworkPrefix { try #require(NetworkPrefix(text)) }

    @Test func `a free network has nothing in common with what is used`() throws {
        var used: [NetworkPrefix] = [try prefix("0.0.0.0/0"), try prefix("10.0.0.0/8"), try prefix("::/0")]
        for _ in 0..<800 {
            let free = try #require(NetworkIdentity.freeNetwork(nodeID: "n", used: used))
            #expect(free.length == 22)
            #expect(!used.contains { $0.length > 8 && $0.overlaps(free) })
            used.append(free)
        }
        let first = try prefix("172.16.0.0/12")
        #expect(first.contains(used[3].address))
    }

    @Test func `none is free where all private networks are used`() throws {
        let used = [try prefix("172.16.0.0/12"), try prefix("10.128.0.0/9")]
        #expect(NetworkIdentity.freeNetwork(nodeID: "n", used: used) == nil)
    }

    @Test func `the IPv6 network is the node's own and always the same`() throws {
        let one = try #require(NetworkIdentity.localNetwork(nodeID: "one"))
        #expect(one == NetworkIdentity.localNetwork(nodeID: "one"))
        #expect(one != NetworkIdentity.localNetwork(nodeID: "two"))
        #expect(try prefix("fd00::/8").contains(one.address))
        #expect(one.network == one)
        #expect(one.length == 64)
    }

    @Test func `a bridge's name is free when no other's has it`() {
        func link(_ name: String, kind: String?, hardware: [UInt8]) -> LinkState {
            LinkState(index: 1, name: name, isUp: true, hardware: hardware, mtu: 1500, master: nil, kind: kind)
        }
        let own = NetworkIdentity.hardware(nodeID: "n")
        let foreign = link("rondo0", kind: "bridge", hardware: [2, 0, 0, 0, 0, 1])
        func free(_ links: [LinkState], _ wanted: String? = nil) -> String? {
            NetworkIdentity.freeBridge(nodeID: "n", wanted: wanted, links: links)
        }
        #expect(free([]) == "rondo0")
        #expect(free([foreign]) == "rondo1")
        #expect(free([link("rondo0", kind: "bridge", hardware: own)]) == "rondo0")
        #expect(free([link("rondo0", kind: "veth", hardware: own)]) == "rondo1")
        #expect(free([foreign], "rondo0") == nil)
        #expect(free([foreign], "br-x") == "br-x")
        #expect(own[0] == 2)
        #expect(own.count == 6)
    }
}

@Suite struct NetworkPlanTests {
    private let identity: NetworkIdentity
    private let bridge: LinkState

    init() throws {
        identity = NetworkIdentity(
            bridge: "rondo0", pool4: try #require(NetworkPrefix("172.20.0.0/22")),
            pool6: NetworkPrefix("fd00::/64"), mtu: 1500, nodeID: "n")
        bridge = LinkState(
            index: 9, name: "rondo0", isUp: true, hardware: identity.hardware, mtu: 1500, master: nil, kind: "bridge")
    }

    private func attachment(_ name: String, _ number: UInt32, _ mappings: [PortMapping] = []) -> BridgeAttachment {
        BridgeAttachment(container: name, number: number, portMappings: mappings, namespacePath: "/n/\(name)")
    }

    private func state(_ table: FilterTable) -> FilterState {
        FilterState(
            outline: table.outline,
            elements: Dictionary(uniqueKeysWithValues: table.maps.map { ($0.name, $0.elements) }))
    }

    private func port(_ attachment: BridgeAttachment, master: Int32? = 9) -> LinkState {
        LinkState(
            index: 20, name: attachment.port(bridge: "rondo0"), isUp: true, hardware: [], mtu: 1500, master: master,
            kind: "veth")
    }

    private func settled(_ plan: NetworkPlan) -> NetworkPlan.Actual {
        NetworkPlan.Actual(
            bridge: bridge, bridgeAddresses: identity.gateways, ports: plan.attachments.map { port($0) },
            filter: state(plan.filter))
    }

    @Test func `from nothing everything is made`() {
        let plan = NetworkPlan(identity: identity, attachments: [attachment("a", 2)])
        let steps = plan.steps(from: NetworkPlan.Actual(), running: ["a"])
        #expect(
            steps == [
                .addBridge, .addBridgeAddress(identity.gateways[0]), .addBridgeAddress(identity.gateways[1]),
                .replaceFilter, .connect(container: "a"),
            ])
    }

    @Test func `where all is as it should be only containers are looked into`() {
        let mapping = PortMapping(hostPort: 80, containerPort: 8080)
        let plan = NetworkPlan(identity: identity, attachments: [attachment("a", 2, [mapping])])
        #expect(plan.steps(from: settled(plan), running: ["a"]) == [.connect(container: "a")])
    }

    @Test func `what belongs to no running container is removed`() {
        let one = attachment("a", 2)
        let plan = NetworkPlan(identity: identity, attachments: [one])
        #expect(plan.steps(from: settled(plan), running: []) == [.removePort(one.port(bridge: "rondo0"))])
        var actual = settled(plan)
        actual.ports.append(port(attachment("b", 3)))
        #expect(
            plan.steps(from: actual, running: ["a"])
                == [.removePort(attachment("b", 3).port(bridge: "rondo0")), .connect(container: "a")])
    }

    @Test func `while the agent runs only what others have changed is put right`() {
        let plan = NetworkPlan(identity: identity, attachments: [attachment("a", 2), attachment("b", 3)])
        #expect(plan.repairs(of: settled(plan)).isEmpty)
        var actual = settled(plan)
        actual.filter = nil
        #expect(plan.repairs(of: actual) == [.replaceFilter])
        actual = settled(plan)
        actual.bridge = nil
        actual.ports = [port(plan.attachments[0], master: nil)]
        #expect(
            plan.repairs(of: actual) == [
                .addBridge, .addBridgeAddress(identity.gateways[0]), .addBridgeAddress(identity.gateways[1]),
                .bringPortBack(plan.attachments[0].port(bridge: "rondo0")), .connect(container: "b"),
            ])
        // What a container that is going has left is not looked at.
        actual = settled(plan)
        actual.ports.append(port(attachment("c", 4)))
        #expect(plan.repairs(of: actual).isEmpty)
    }

    @Test func `a published port is in the maps of both families`() {
        let mappings = [
            PortMapping(hostPort: 80, containerPort: 8080),
            PortMapping(hostPort: 53, containerPort: 54, transport: .udp),
        ]
        let plan = NetworkPlan(identity: identity, attachments: [attachment("a", 2, mappings)])
        let maps = Dictionary(uniqueKeysWithValues: plan.filter.maps.map { ($0.name, $0.elements) })
        #expect(maps["tcp4"]?.mapValues { "\($0.address):\($0.port)" } == [80: "172.20.0.2:8080"])
        #expect(maps["tcp6"]?.mapValues { "\($0.address):\($0.port)" } == [80: "fd00::2:8080"])
        #expect(maps["udp4"]?.mapValues { "\($0.address):\($0.port)" } == [53: "172.20.0.2:54"])
        var actual = settled(plan)
        actual.filter?.elements["tcp4"] = [:]
        #expect(plan.steps(from: actual, running: ["a"]) == [.changeMap("tcp4"), .connect(container: "a")])
    }

    @Test func `a table with other rules, other chains or a map too many is made anew`() {
        let plan = NetworkPlan(identity: identity, attachments: [])
        var actual = settled(plan)
        actual.filter?.outline["forward"]?.append("")
        #expect(plan.steps(from: actual, running: []) == [.replaceFilter])
        actual = settled(plan)
        actual.filter?.outline["more"] = []
        #expect(plan.steps(from: actual, running: []) == [.replaceFilter])
        actual = settled(plan)
        actual.filter?.elements["more"] = [:]
        #expect(plan.steps(from: actual, running: []) == [.replaceFilter])
    }

    @Test func `the bridge's state is put right`() throws {
        let plan = NetworkPlan(identity: identity, attachments: [attachment("a", 2)])
        var actual = settled(plan)
        actual.bridge?.isUp = false
        let stray = try #require(NetworkPrefix("10.0.0.1/8"))
        let local = try #require(NetworkPrefix("fe80::1/64"))
        actual.bridgeAddresses = [stray, local, identity.gateways[1]]
        actual.ports[0].master = nil
        #expect(
            plan.steps(from: actual, running: ["a"]) == [
                .bringBridgeUp, .removeBridgeAddress(stray), .addBridgeAddress(identity.gateways[0]),
                .bringPortBack(actual.ports[0].name), .connect(container: "a"),
            ])
    }

    @Test func `a rule that changes has another comment`() throws {
        let other = NetworkIdentity(
            bridge: "rondo0", pool4: try #require(NetworkPrefix("172.20.4.0/22")), pool6: identity.pool6, mtu: 1500,
            nodeID: "n")
        let one = NetworkPlan(identity: identity, attachments: []).filter
        let two = NetworkPlan(identity: other, attachments: []).filter
        #expect(one.outline["postrouting"] != two.outline["postrouting"])
        #expect(one.outline["published"] == two.outline["published"])
        #expect(one.chains.allSatisfy { $0.rules.allSatisfy { $0.comment.utf8.count < 120 } })
    }

    @Test func `names of ports are names of interfaces and differ`() {
        var names: Set<String> = []
        for number in 0..<20_000 {
            let name = attachment("container-\(number)", 2).port(bridge: "rondo0")
            #expect(NetworkIdentity.isInterfaceName(name))
            names.insert(name)
        }
        #expect(names.count == 20_000)
    }
}
