import Testing

@testable import ContainerRuntime

/// A full configuration with one wrong thing, and what is said about it, without `config.json: ` in front.
struct SpecCase: Sendable, CustomTestStringConvertible {
    var path: String
    /// JSON text; nil to take the member away.
    var value: String?
    var message: String

    init(_ path: String, _ value: String?, _ message: String) {
        self.path = path
        self.value = value
        self.message = message
    }

    /// The place in the message is the path of the change.
    static func at(_ path: String, _ value: String?, _ reason: String) -> SpecCase {
        SpecCase(path, value, "\(path): \(reason)")
    }

    var testDescription: String { "\(path) = \((value ?? "nothing").prefix(60))" }
}

/// Values of wrong type or out of range, for every field there is.
enum SpecFamilies {
    static let objects = [
        "process", "process.consoleSize", "process.user", "process.capabilities", "process.rlimits[0]",
        "process.scheduler", "process.ioPriority", "process.execCPUAffinity", "root", "mounts[0]",
        "mounts[1].uidMappings[0]", "hooks", "hooks.prestart[0]", "hooks.poststop[0]", "annotations", "linux",
        "linux.namespaces[0]", "linux.uidMappings[0]", "linux.timeOffsets", "linux.timeOffsets[\"monotonic\"]",
        "linux.devices[0]", "linux.resources", "linux.resources.devices[0]", "linux.resources.memory",
        "linux.resources.cpu", "linux.resources.pids", "linux.resources.blockIO",
        "linux.resources.blockIO.weightDevice[0]", "linux.resources.blockIO.throttleReadBpsDevice[0]",
        "linux.resources.hugepageLimits[0]", "linux.resources.network", "linux.resources.network.priorities[0]",
        "linux.resources.rdma", "linux.resources.rdma[\"mlx5_1\"]", "linux.resources.unified", "linux.seccomp",
        "linux.seccomp.syscalls[0]", "linux.seccomp.syscalls[0].args[0]", "linux.sysctl", "linux.intelRdt",
        "linux.personality", "linux.netDevices", "linux.netDevices[\"eth5\"]", "linux.memoryPolicy",
    ]

    static let arrays = [
        "process.args", "process.env", "process.rlimits", "process.user.additionalGids",
        "process.capabilities.bounding", "process.capabilities.ambient", "process.scheduler.flags", "mounts",
        "mounts[0].options", "mounts[1].uidMappings", "mounts[1].gidMappings", "hooks.prestart", "hooks.createRuntime",
        "hooks.createContainer", "hooks.startContainer", "hooks.poststart", "hooks.poststop", "hooks.prestart[0].args",
        "hooks.prestart[0].env", "linux.namespaces", "linux.uidMappings", "linux.gidMappings", "linux.devices",
        "linux.resources.devices", "linux.resources.hugepageLimits", "linux.resources.network.priorities",
        "linux.resources.blockIO.weightDevice", "linux.resources.blockIO.throttleWriteIOPSDevice",
        "linux.seccomp.syscalls",
        "linux.seccomp.architectures", "linux.seccomp.flags", "linux.seccomp.syscalls[0].names",
        "linux.seccomp.syscalls[0].args", "linux.maskedPaths", "linux.readonlyPaths", "linux.intelRdt.schemata",
        "linux.personality.flags", "linux.memoryPolicy.flags",
    ]

    static let strings = [
        "ociVersion", "process.args[1]", "process.env[0]", "process.cwd", "process.apparmorProfile",
        "process.selinuxLabel", "process.capabilities.effective[0]", "process.rlimits[0].type",
        "process.scheduler.policy", "process.ioPriority.class", "process.execCPUAffinity.initial",
        "process.execCPUAffinity.final", "root.path", "hostname", "domainname", "mounts[0].destination",
        "mounts[0].type",
        "mounts[0].source", "mounts[1].options[0]", "hooks.prestart[0].path", "hooks.createRuntime[0].path",
        "hooks.prestart[0].args[1]", "hooks.prestart[0].env[0]", "linux.namespaces[1].type", "linux.namespaces[1].path",
        "linux.devices[0].type", "linux.devices[0].path", "linux.cgroupsPath", "linux.rootfsPropagation",
        "linux.resources.devices[1].type", "linux.resources.devices[1].access", "linux.resources.cpu.cpus",
        "linux.resources.cpu.mems", "linux.resources.hugepageLimits[0].pageSize",
        "linux.resources.network.priorities[0].name", "linux.resources.unified[\"memory.high\"]",
        "linux.seccomp.defaultAction", "linux.seccomp.architectures[0]", "linux.seccomp.flags[0]",
        "linux.seccomp.listenerPath", "linux.seccomp.listenerMetadata", "linux.seccomp.syscalls[0].names[0]",
        "linux.seccomp.syscalls[0].action", "linux.seccomp.syscalls[0].args[0].op",
        "linux.sysctl[\"net.ipv4.ip_forward\"]", "linux.maskedPaths[0]", "linux.readonlyPaths[0]", "linux.mountLabel",
        "linux.intelRdt.closID", "linux.intelRdt.l3CacheSchema", "linux.intelRdt.memBwSchema",
        "linux.intelRdt.schemata[0]", "linux.personality.domain", "linux.netDevices[\"eth5\"].name",
        "linux.memoryPolicy.mode", "linux.memoryPolicy.nodes",
    ]

    static let bools = [
        "process.terminal", "process.noNewPrivileges", "root.readonly", "linux.resources.devices[0].allow",
        "linux.resources.memory.disableOOMKiller", "linux.resources.memory.useHierarchy",
        "linux.resources.memory.checkBeforeUpdate", "linux.intelRdt.enableMonitoring",
    ]

    /// Path, least and greatest value.
    static let integers: [(path: String, least: String, greatest: String)] = [
        ("process.consoleSize.height", "0", "65535"), ("process.consoleSize.width", "0", "65535"),
        ("process.user.uid", "0", "4294967294"), ("process.user.gid", "0", "4294967294"),
        ("process.user.umask", "0", "4095"), ("process.user.additionalGids[1]", "0", "4294967294"),
        ("process.rlimits[0].soft", "0", u64), ("process.rlimits[0].hard", "0", u64),
        ("process.oomScoreAdj", "-1000", "1000"), ("process.scheduler.nice", "-20", "19"),
        ("process.scheduler.priority", "0", "99"), ("process.scheduler.runtime", "0", u64),
        ("process.ioPriority.priority", "0", "7"), ("mounts[1].uidMappings[0].containerID", "0", "4294967294"),
        ("linux.uidMappings[0].hostID", "0", "4294967294"), ("linux.gidMappings[0].size", "1", "4294967295"),
        ("linux.timeOffsets[\"monotonic\"].secs", "-9223372036854775808", i64),
        ("linux.timeOffsets[\"monotonic\"].nanosecs", "0", "999999999"), ("linux.devices[0].major", "0", "4095"),
        ("linux.devices[0].minor", "0", "1048575"), ("linux.devices[0].fileMode", "0", "4294967295"),
        ("linux.devices[0].uid", "0", "4294967294"), ("linux.resources.devices[1].major", "-1", "4294967295"),
        ("linux.resources.memory.limit", "-1", i64), ("linux.resources.memory.reservation", "-1", i64),
        ("linux.resources.memory.swap", "-1", i64), ("linux.resources.memory.kernel", "-1", i64),
        ("linux.resources.memory.kernelTCP", "-1", i64), ("linux.resources.memory.swappiness", "0", "100"),
        ("linux.resources.cpu.shares", "0", u64), ("linux.resources.cpu.quota", "-1", i64),
        ("linux.resources.cpu.burst", "0", u64), ("linux.resources.cpu.period", "0", u64),
        ("linux.resources.cpu.realtimeRuntime", "-1", i64), ("linux.resources.cpu.realtimePeriod", "0", u64),
        ("linux.resources.cpu.idle", "0", "1"), ("linux.resources.pids.limit", "-1", i64),
        ("linux.resources.blockIO.weight", "0", "65535"),
        ("linux.resources.blockIO.weightDevice[0].leafWeight", "0", "65535"),
        ("linux.resources.blockIO.throttleWriteBpsDevice[0].rate", "0", u64),
        ("linux.resources.blockIO.throttleReadIOPSDevice[0].major", "0", "4095"),
        ("linux.resources.hugepageLimits[0].limit", "0", u64), ("linux.resources.network.classID", "0", "4294967295"),
        ("linux.resources.network.priorities[0].priority", "0", "4294967295"),
        ("linux.resources.rdma[\"mlx5_1\"].hcaHandles", "0", "4294967295"),
        ("linux.seccomp.defaultErrnoRet", "0", "4294967295"), ("linux.seccomp.syscalls[0].errnoRet", "0", "4294967295"),
        ("linux.seccomp.syscalls[0].args[0].index", "0", "5"), ("linux.seccomp.syscalls[0].args[0].value", "0", u64),
    ]

    static let required = [
        "ociVersion", "process.cwd", "process.consoleSize.width", "process.rlimits[0].type", "process.rlimits[1].soft",
        "process.rlimits[1].hard", "process.scheduler.policy", "process.ioPriority.class", "root", "root.path",
        "mounts[0].destination", "mounts[1].uidMappings[0].size", "hooks.poststop[0].path", "linux.namespaces[0].type",
        "linux.uidMappings[0].containerID", "linux.gidMappings[0].hostID", "linux.devices[0].type",
        "linux.devices[0].path", "linux.devices[0].major", "linux.devices[0].minor",
        "linux.resources.devices[0].allow", "linux.resources.blockIO.weightDevice[0].major",
        "linux.resources.blockIO.throttleReadBpsDevice[0].rate", "linux.resources.hugepageLimits[0].pageSize",
        "linux.resources.hugepageLimits[0].limit", "linux.resources.network.priorities[0].name",
        "linux.seccomp.defaultAction", "linux.seccomp.syscalls[0].action", "linux.seccomp.syscalls[0].args[0].index",
        "linux.seccomp.syscalls[0].args[0].value", "linux.seccomp.syscalls[0].args[0].op", "linux.personality.domain",
        "linux.memoryPolicy.mode",
    ]

    private static let i64 = "9223372036854775807"
    private static let u64 = "18446744073709551615"

    /// One above or below a number of any length.
    private static func beyond(_ number: String) -> String {
        if number == "0" { return "-1" }
        if number == "1" { return "0" }
        if number.first != "-" { return beyondUp(number) }
        return "-" + beyondUp(String(number.dropFirst()))
    }

    private static func beyondUp(_ number: String) -> String {
        var digits = Array(number.utf8)
        for index in digits.indices.reversed() {
            if digits[index] < UInt8(ascii: "9") {
                digits[index] += 1
                return String(decoding: digits, as: UTF8.self)
            }
            digits[index] = UInt8(ascii: "0")
        }
        return "1" + String(decoding: digits, as: UTF8.self)
    }

    static var all: [SpecCase] {
        var cases: [SpecCase] = []
        for path in objects {
            for (value, found) in [("5", "5"), ("\"x\"", "\"x\""), ("[]", "an array")] {
                cases.append(.at(path, value, "expected an object, found \(found)"))
            }
        }
        for path in arrays {
            for (value, found) in [("true", "true"), ("{}", "an object")] {
                cases.append(.at(path, value, "expected an array, found \(found)"))
            }
        }
        for path in strings {
            for (value, found) in [("7", "7"), ("false", "false"), ("[\"a\"]", "an array"), ("{}", "an object")] {
                cases.append(.at(path, value, "expected a string, found \(found)"))
            }
            cases.append(.at(path, #""a\u0000b""#, "must not hold a NUL byte"))
        }
        for path in bools {
            for (value, found) in [("1", "1"), ("\"true\"", "\"true\""), ("[]", "an array")] {
                cases.append(.at(path, value, "expected true or false, found \(found)"))
            }
        }
        for (path, least, greatest) in integers {
            for (value, found) in [
                ("\"x\"", "\"x\""), ("true", "true"), ("1.5", "1.5"), ("1e3", "1e3"), ("{}", "an object"),
            ] {
                cases.append(.at(path, value, "expected an integer, found \(found)"))
            }
            let up = beyondUp(greatest)
            let down = beyond(least)
            for value in [up, down, "99999999999999999999999999"] {
                cases.append(.at(path, value, "expected an integer from \(least) to \(greatest), found \(value)"))
            }
        }
        for path in required {
            let isPolicy = path == "linux.memoryPolicy.mode"
            let reason = isPolicy ? "invalid memory policy mode \"\"; use a name such as MPOL_BIND" : nil
            cases.append(.at(path, nil, reason ?? "missing, but required"))
        }
        return cases
    }
}

struct SpecMalformedTests {
    @Test(arguments: SpecFamilies.all)
    func `a wrong type or range is named with its place`(wrong: SpecCase) throws {
        let config = try SpecSamples.changed(wrong.path, to: wrong.value)
        #expect(SpecSamples.complaint(about: config) == "config.json: \(wrong.message)")
    }

    @Test
    func `there are many hundred malformed configurations`() {
        #expect(SpecFamilies.all.count + SpecRules.all.count >= 900)
    }

    @Test(arguments: ["[]", "5", "\"x\"", "null", "true"])
    func `a configuration that is no object is refused`(text: String) throws {
        let value = try SpecSamples.parse(text)
        #expect(SpecSamples.complaint(about: value) == "config.json: expected an object, found \(value.found)")
    }

    @Test
    func `a long wrong value is shortened in the message`() throws {
        let value = String(repeating: "é", count: 5000)
        let config = try SpecSamples.changed("linux.resources.memory.limit", to: "\"\(value)\"")
        let shown = String(repeating: "é", count: 100)
        #expect(
            SpecSamples.complaint(about: config)
                == "config.json: linux.resources.memory.limit: expected an integer, found \"\(shown)…\"")
    }

    @Test
    func `a wrong value cannot send control characters to a terminal`() throws {
        let config = try SpecSamples.changed("linux.namespaces[0].type", to: #""\u001b[2J\u0007""#)
        #expect(SpecSamples.complaint(about: config)?.utf8.allSatisfy { $0 >= 0x20 } == true)
    }

    /// Spoils a configuration at random and expects an answer, whatever it is: nothing may trap or hang.
    @Test(arguments: 0..<UInt64(40))
    func `random changes of the text never trap`(seed: UInt64) {
        var random = SpecRandom(state: seed)
        let original = Array(SpecSamples.full.utf8)
        let odd: [[UInt8]] = [
            Array("null".utf8), Array("-1".utf8), Array("99999999999999999999".utf8), Array("\"\\u0000\"".utf8),
            Array("[]".utf8), Array("{}".utf8), Array("1e999".utf8), Array("\"\"".utf8), [0xFF], [0], Array("[[".utf8),
        ]
        for _ in 0..<50 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1..<40, using: &random)))
                case 2: bytes.insert(contentsOf: odd.randomElement(using: &random)!, at: place)
                case 3:
                    let end = min(bytes.count, place + Int.random(in: 1..<60, using: &random))
                    bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0..<bytes.count, using: &random))
                default: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
                }
                if bytes.isEmpty { bytes = [0x7B] }
            }
            judge(bytes)
        }
    }

    /// As above, but with valid text: single values are replaced, so that the readers and checks are reached.
    @Test(arguments: 0..<UInt64(40))
    func `random changes of values never trap`(seed: UInt64) throws {
        var random = SpecRandom(state: seed)
        let original = try SpecSamples.parse(SpecSamples.full)
        for _ in 0..<50 { judge(Array(spoil(original, &random).text().utf8)) }
    }

    private func judge(_ bytes: [UInt8]) {
        do {
            let config = try ContainerConfig.read(bytes: bytes)
            try config.check()
            for mount in config.mounts { _ = MountOptions(mount.options) }
        } catch { #expect(error.message.hasPrefix("config.json: ")) }
    }

    private func spoil(_ value: JSONValue, _ random: inout SpecRandom) -> JSONValue {
        if Int.random(in: 0..<60, using: &random) == 0 {
            let odd: [JSONValue] = [
                .null, .int(-1), .int(0), .number("4294967295"), .number("18446744073709551615"), .string(""),
                .string("\0"), .string("/"), .string("../.."), .string("1.0"), .array([]), .object([]), .array([.null]),
                .bool(true), .number("-9223372036854775808"), .number("1e3"), .string("p"), .string("-"), .string("+"),
            ]
            return odd.randomElement(using: &random)!
        }
        switch value {
        case .array(let elements):
            let spoilt = elements.map { spoil($0, &random) }
            return .array(Int.random(in: 0..<20, using: &random) == 0 ? spoilt + spoilt : spoilt)
        case .object(let members):
            return .object(members.map { JSONMember(name: $0.name, value: spoil($0.value, &random)) })
        default: return value
        }
    }
}
