internal import ClusterModel

/// All names of the cluster at one moment: a value that is replaced as a whole when anything changes, so that no answer
/// mixes before and after. Equal for equal clusters.
///
/// For a task `web` of the framework `marathon` with the port `http`: `web.marathon.mesos` has its addresses,
/// `web.marathon.slave.mesos` those of its agent; `_web._tcp.marathon.mesos`, `_http._web._tcp.marathon.mesos` and
/// `_http._tcp.web.marathon.mesos` its port, at a name that is this instance's alone. `web.rondo` stands for all
/// instances of a service.
public struct NameTable: Equatable, Sendable {
    /// Where a port is.
    struct Service: Hashable {
        var target: String
        var port: UInt16
    }

    struct Entry: Equatable {
        var addresses: [NetworkAddress] = []
        var services: [Service] = []
    }

    /// A record as `/mesos_dns/v1/enumerate` lists it.
    struct Listed: Hashable {
        var name: String
        var host: String
        var kind: String
    }

    /// The zone of tasks and masters, and the zone of services; without dots around them.
    public let domain: String
    /// The zone of services.
    public let serviceDomain: String
    /// How long answers may be kept, in seconds.
    public let lifetime: UInt32
    /// Told in the zones' SOA records.
    public let serial: UInt32

    private(set) var entries: [String: Entry] = [:]
    /// By framework and task's name, id: for the list of everything.
    private(set) var listed: [String: [String: [String: Set<Listed>]]] = [:]

    /// No name can be asked for that is longer.
    private static let longestName = 253

    /// Makes the table of a cluster.
    ///
    /// - Parameters:
    ///   - source: the cluster.
    ///   - domain: the zone of tasks and masters.
    ///   - serviceDomain: the zone of services.
    ///   - lifetime: how long answers may be kept, in seconds.
    ///   - serial: the number of this table; a later one has a larger one.
    public init(
        _ source: NameSource = NameSource(), domain: String = "mesos", serviceDomain: String = "rondo",
        lifetime: UInt32 = 2, serial: UInt32 = 1
    ) {
        self.domain = domain
        self.serviceDomain = serviceDomain
        self.lifetime = lifetime
        self.serial = serial
        addMasters(source)
        addAgents(source.agents)
        for framework in source.frameworks { add(framework) }
        let agents = Dictionary(source.agents.map { ($0.id, $0.addresses) }) { first, _ in first }
        for task in source.tasks { add(task, agent: agents[task.agent] ?? []) }
        sort()
    }

    /// The zone that a name belongs to; nil for names that others know.
    func zone(of key: String) -> String? {
        [domain, serviceDomain].first { key == $0 || key.hasSuffix("." + $0) }
    }

    func entry(_ key: String) -> Entry? { entries[key] }

    // MARK: Making it

    private mutating func add(_ addresses: [NetworkAddress], to name: String) {
        guard name.utf8.count <= Self.longestName, !addresses.isEmpty else { return }
        entries[name, default: Entry()].addresses += addresses
    }

    private mutating func add(_ service: Service, to name: String) {
        guard name.utf8.count <= Self.longestName, service.target.utf8.count <= Self.longestName else { return }
        entries[name, default: Entry()].services.append(service)
    }

    private mutating func addMasters(_ source: NameSource) {
        let sorted = source.masters.sorted { $0.id < $1.id }
        for (number, master) in sorted.enumerated() {
            add(master.addresses, to: "master.\(domain)")
            add(master.addresses, to: "master\(number).\(domain)")
            add(Service(target: "master\(number).\(domain)", port: master.port), to: "_master._tcp.\(domain)")
            if master.id == source.leader {
                add(master.addresses, to: "leader.\(domain)")
                add(Service(target: "leader.\(domain)", port: master.port), to: "_leader._tcp.\(domain)")
                add(Service(target: "leader.\(domain)", port: master.port), to: "_leader._udp.\(domain)")
            }
        }
    }

    private mutating func addAgents(_ agents: [NameSource.Node]) {
        for agent in agents {
            add(agent.addresses, to: "slave.\(domain)")
            add(agent.addresses, to: "agent.\(domain)")
            add(Service(target: "slave.\(domain)", port: agent.port), to: "_slave._tcp.\(domain)")
        }
    }

    private mutating func add(_ framework: NameSource.Framework) {
        let name = NameLabel.domain(framework.name)
        guard !name.isEmpty else { return }
        add(framework.addresses, to: "\(name).\(domain)")
        if let port = framework.port {
            add(Service(target: "\(name).\(domain)", port: port), to: "_framework._tcp.\(name).\(domain)")
        }
    }

    private mutating func add(_ task: NameSource.Task, agent: [NetworkAddress]) {
        let label = NameLabel.of(task.name)
        let framework = NameLabel.domain(task.framework)
        guard !label.isEmpty, !framework.isEmpty else { return }
        let addresses = task.addresses.isEmpty ? agent : task.addresses
        // A host's ports are where the task itself is when it has no address of its own.
        let isOnHost = task.addresses.isEmpty
        let tail = "\(framework).\(domain)"
        let hostTail = "\(framework).slave.\(domain)"
        let instance = "\(label.prefix(46))-\(NameLabel.digest("\(task.id) \(task.agent)"))"
        list(task, addresses, at: ["\(label).\(tail)", "\(instance).\(tail)"])
        add(agent, to: "\(label).\(hostTail)")
        add(agent, to: "\(instance).\(hostTail)")
        let service = NameLabel.service(task.service ?? task.name)
        let serviceName = service.isEmpty ? nil : "\(service).\(serviceDomain)"
        if let serviceName { add(addresses, to: serviceName) }
        for port in task.ports {
            let transport = port.isUDP ? "_udp" : "_tcp"
            let number = isOnHost ? port.hostNumber ?? port.number : port.number
            let here = Service(target: "\(instance).\(tail)", port: number)
            let name = port.name.map { NameLabel.of($0) }.flatMap { $0.isEmpty ? nil : $0 } ?? String(number)
            var names = ["_\(label).\(transport).\(tail)", "_\(name).\(transport).\(label).\(tail)"]
            if port.name != nil { names.append("_\(name)._\(label).\(transport).\(tail)") }
            for name in names {
                add(here, to: name)
                list(task, Listed(name: name, host: "\(here.target).:\(number)", kind: "SRV"))
            }
            if let serviceName { add(here, to: "_\(name).\(transport).\(serviceName)") }
            if let hostNumber = isOnHost ? number : port.hostNumber {
                add(
                    Service(target: "\(instance).\(hostTail)", port: hostNumber),
                    to: "_\(label).\(transport).\(hostTail)")
            }
        }
    }

    private mutating func list(_ task: NameSource.Task, _ addresses: [NetworkAddress], at names: [String]) {
        for name in names {
            add(addresses, to: name)
            for address in addresses {
                list(
                    task, Listed(name: name, host: address.description, kind: address.isIPv6 ? "AAAA" : "A"))
            }
        }
    }

    private mutating func list(_ task: NameSource.Task, _ record: Listed) {
        listed[task.framework, default: [:]][task.name, default: [:]][task.id, default: []].insert(record)
    }

    /// Doubles are removed, and names that only have names below them get an entry without records: a question for
    /// them is answered "nothing of that kind", not "no such name" (RFC 8020).
    private mutating func sort() {
        for (name, entry) in entries {
            entries[name] = Entry(
                addresses: Set(entry.addresses).sorted(),
                services: Set(entry.services).sorted { ($0.target, $0.port) < ($1.target, $1.port) })
        }
        for name in Array(entries.keys) {
            var rest = name[...]
            while let dot = rest.firstIndex(of: ".") {
                rest = rest[rest.index(after: dot)...]
                let above = String(rest)
                if entries[above] != nil { break }
                entries[above] = Entry()
            }
        }
        for zone in [domain, serviceDomain] where entries[zone] == nil { entries[zone] = Entry() }
    }
}
