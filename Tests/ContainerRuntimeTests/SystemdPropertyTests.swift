import Glibc
import Testing

@testable import ContainerRuntime

/// Limits as properties of a unit.
struct SystemdPropertyTests {
    private static let new = UnitProperties(version: 256, isUnified: true)

    /// Names and values as text, in their order.
    private func limits(
        _ properties: UnitProperties = new, _ change: (inout ResourcesConfig) -> Void
    ) throws -> [String] {
        var resources = ResourcesConfig()
        change(&resources)
        return Self.words(try properties.limits(&resources))
    }

    private static func words(_ properties: [UnitProperty]) -> [String] {
        properties.map { property in
            switch property.value {
            case .fixed(_, let bits): "\(property.name)=\(bits == .max ? "infinity" : String(bits))"
            case .text(_, let text): "\(property.name)=\(text)"
            case .array(_, let values):
                "\(property.name)=\(values.map { if case .fixed(_, let bits) = $0 { String(bits) } else { "?" } })"
            default: property.name
            }
        }
    }

    private static func usual(_ resources: inout ResourcesConfig) {
        resources.memory.limit = 1 << 26
        resources.memory.reservation = 1 << 25
        resources.memory.swap = 1 << 27
        resources.cpu.shares = 1024
        resources.cpu.quota = 50_000
        resources.cpu.period = 100_000
        resources.cpu.cpus = "0-2,9"
        resources.cpu.mems = "0"
        resources.pids = 33
        resources.blockIO.weight = 10
    }

    @Test func `limits become properties of version 2`() throws {
        #expect(
            try limits { Self.usual(&$0) } == [
                "MemoryMax=67108864", "MemoryLow=33554432", "MemorySwapMax=67108864", "CPUWeight=100", "IOWeight=1",
                "CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=500000", "TasksMax=33", #"AllowedCPUs=["7", "2"]"#,
                #"AllowedMemoryNodes=["1"]"#,
            ])
    }

    @Test func `limits become properties of version 1`() throws {
        #expect(
            try limits(UnitProperties(version: 219, isUnified: false)) { Self.usual(&$0) } == [
                "MemoryLimit=67108864", "CPUShares=1024", "BlockIOWeight=10", "CPUQuotaPerSecUSec=500000",
                "TasksMax=33",
            ])
    }

    @Test func `what is not said is no property, and no limit is infinity`() throws {
        #expect(try limits { _ in } == [])
        #expect(
            try limits {
                $0.memory.limit = -1
                $0.memory.swap = -1
                $0.cpu.quota = -1
                $0.pids = -1
            } == ["MemoryMax=infinity", "MemorySwapMax=infinity", "CPUQuotaPerSecUSec=infinity", "TasksMax=infinity"])
        #expect(try limits { $0.pids = 0 } == ["TasksMax=1"])
    }

    @Test(
        arguments: [
            (50_500, 100_000, 510_000, 51_000), (1, 100_000, 10_000, 1_000), (70_000, 0, 700_000, 70_000),
            (200_000, 100_000, 2_000_000, 200_000), (.max, 100_000, .max, .max), (1, 10_000_000, 10_000, 100_000),
        ] as [(Int64, UInt64, UInt64, Int64)])
    func `a quota is rounded up to a percent, in the files too`(
        quota: Int64, period: UInt64, perSecond: UInt64, rounded: Int64
    ) throws {
        var resources = ResourcesConfig()
        resources.cpu.quota = quota
        resources.cpu.period = period
        let list = try Self.new.limits(&resources)
        #expect(list.last == UnitProperty("CPUQuotaPerSecUSec", .uint64(perSecond)))
        #expect(resources.cpu.quota == rounded)
    }

    @Test(
        arguments: [
            ("70000 100000", 0, 200_000, 70_000, 200_000), ("max 100000", 0, 200_000, -1, 200_000),
            ("70000 200000", 30_000, 0, 30_000, 200_000), ("70000 200000", 1, 2_000, 1, 2_000), ("7", 5, 0, 5, 0),
            ("70000 100000", 0, 0, 0, 0),
        ] as [(String, Int64, UInt64, Int64, UInt64)])
    func `an update of half a quota keeps the other half`(
        file: String, quota: Int64, period: UInt64, wantedQuota: Int64, wantedPeriod: UInt64
    ) throws {
        var template = Array("/tmp/rondo-quota.XXXXXX".utf8CString)
        let path = String(cString: try #require(mkdtemp(&template)))
        defer { try? RuntimeFiles.removeTree(path) }
        try RuntimeFiles.replace(path + "/cgroup.controllers", Array("cpu memory\n".utf8))
        try RuntimeFiles.replace(path + "/cpu.max", Array((file + "\n").utf8))
        let record = CgroupRecord(version2: CgroupRecord.Place(controllers: [], mountPoint: "/tmp", path: path))
        var cpu = CPUConfig()
        (cpu.quota, cpu.period) = (quota, period)
        record.completeQuota(&cpu)
        #expect((cpu.quota, cpu.period) == (wantedQuota, wantedPeriod))
    }

    @Test func `an idle container has no weight`() throws {
        func idle(_ resources: inout ResourcesConfig) {
            resources.cpu.idle = 1
            resources.cpu.shares = 1024
        }
        #expect(try limits { idle(&$0) } == ["CPUWeight=0"])
        #expect(try limits(UnitProperties(version: 251, isUnified: true)) { idle(&$0) } == ["CPUWeight=100"])
    }

    @Test func `files of version 2 become properties where systemd has one`() throws {
        #expect(
            try limits {
                $0.unified = [
                    ("memory.high", "1000"), ("memory.max", " max\n"), ("memory.swap.max", "7"), ("pids.max", "0"),
                    ("cpu.max", "max 50000"), ("cpu.weight", "33"), ("cpuset.cpus", "1"), ("hugetlb.2MB.max", "0"),
                ]
            } == [
                "MemoryHigh=1000", "MemoryMax=infinity", "MemorySwapMax=7", "TasksMax=1", "CPUQuotaPeriodUSec=50000",
                "CPUQuotaPerSecUSec=infinity", "CPUWeight=33", #"AllowedCPUs=["2"]"#,
            ])
        #expect(try limits { $0.unified = [("cpu.idle", "1"), ("cpu.weight", "33")] } == ["CPUWeight=0"])
        for (file, value) in [("memory.max", "-1"), ("cpu.max", "x"), ("cpu.max", "1 2 3"), ("cpuset.mems", "1-0")] {
            #expect(throws: RuntimeFailure.self) { try limits { $0.unified = [(file, value)] } }
        }
        var resources = ResourcesConfig()
        resources.unified = [("memory.oom.group", "1")]
        #expect(Self.words(Self.new.beginning(resources)) == ["OOMPolicy=kill"])
        #expect(UnitProperties(version: 252, isUnified: true).beginning(resources).isEmpty)
    }

    @Test(arguments: ["", ",", "a", "1-", "-1", "3-2", "1-2-3", "65536", "99999999999999999999", "0x1"])
    func `lists of processors that are none are refused`(list: String) {
        #expect(throws: RuntimeFailure.self) { try UnitProperties.bits(list) }
    }

    @Test func `lists of processors become bits`() throws {
        #expect(try UnitProperties.bits("0") == [1])
        #expect(try UnitProperties.bits(" 15, 0-3 \n") == [15, 128])
        #expect(try UnitProperties.bits("65535").count == 8192)
    }

    // MARK: devices

    private func devices(_ properties: UnitProperties, _ rules: [DeviceRule]) throws -> (policy: String, list: [String])
    {
        let list = properties.devices(try DeviceEntry.list(rules))
        #expect(list.map(\.name) == ["DevicePolicy", "DeviceAllow"])
        guard case .array("(ss)", let entries) = list[1].value else { return ("", []) }
        return (
            list[0].value.text ?? "",
            entries.map {
                if case .structure(let pair) = $0 { pair.compactMap(\.text).joined(separator: " ") } else { "" }
            }
        )
    }

    private static let nothing = DeviceRule(allow: false)
    private static let fuse = DeviceRule(allow: true, type: "c", major: 10, minor: 229)

    @Test func `a list of what is allowed is one of systemd's`() throws {
        let (policy, list) = try devices(Self.new, [Self.nothing, Self.fuse])
        #expect(policy == "strict")
        #expect(list.count == 11)
        for wanted in ["/dev/char/10:229 rwm", "/dev/char/1:3 rwm", "char-136 rwm", "char-* m", "block-* m"] {
            #expect(list.contains(wanted))
        }
        // Older ones know no class by its number.
        let old = try devices(UnitProperties(version: 239, isUnified: false), [Self.nothing, Self.fuse])
        #expect(old.policy == "strict" && old.list.count == 10 && !old.list.contains("char-136 rwm"))
        #expect(try devices(UnitProperties(version: 239, isUnified: true), [Self.nothing]).policy == "auto")
    }

    @Test func `a list that systemd cannot have is left to the runtime`() throws {
        let everything = DeviceRule(allow: true)
        #expect(try devices(Self.new, [everything]) == ("auto", []))
        let allButFuse = [everything, DeviceRule(allow: false, type: "c", major: 10, minor: 229)]
        let anyMajor = [DeviceRule(allow: true, type: "b", minor: 7)]
        for rules in [allButFuse, anyMajor] { #expect(try devices(Self.new, rules) == ("auto", [])) }
        let old = UnitProperties(version: 252, isUnified: false)
        #expect(try devices(old, allButFuse) == ("strict", []))
        #expect(try devices(old, anyMajor).policy == "strict")
    }

    // MARK: annotations

    private func annotation(_ name: String, _ value: String) throws -> UnitProperty? {
        try UnitAnnotations.read([("other", "x"), ("org.systemd.property.\(name)", value)]).first
    }

    @Test(
        arguments: [
            ("true", .bool(true)), ("false", .bool(false)), ("5", .fixed(UInt8(ascii: "i"), 5)),
            ("-5", .fixed(UInt8(ascii: "i"), 0xFFFF_FFFB)), ("uint64 18446744073709551615", .uint64(.max)),
            ("byte 0x10", .fixed(UInt8(ascii: "y"), 16)), ("1.5", .fixed(UInt8(ascii: "d"), (1.5).bitPattern)),
            ("int64 -9223372036854775808", .fixed(UInt8(ascii: "x"), 1 << 63)), (" 'a b' ", .string("a b")),
            (#""it's \"so\"""#, .string("it's \"so\"")), (#"'\\\n'"#, .string("\\\n")),
            ("['a', 'b',]", .strings(["a", "b"])),
            ("@as []", .strings([])), ("@t 7", .uint64(7)), ("[uint64 1, 2]", .array("t", [.uint64(1), .uint64(2)])),
            ("[('a', true)]", .array("(sb)", [.structure([.string("a"), .bool(true)])])),
            ("@a(ss)[('x','y')]", .array("(ss)", [.structure([.string("x"), .string("y")])])),
            ("objectpath '/a'", .text(UInt8(ascii: "o"), "/a")),
        ] as [(String, BusValue)])
    func `an annotation has a value of a type`(text: String, value: BusValue) throws {
        #expect(try annotation("KillMode", text) == UnitProperty("KillMode", value))
    }

    @Test(arguments: [
        "", "word", "'open", "5 6", "[]", "[1, 'a']", "()", "2147483648", "byte 256", "uint32 -1", "1e", "@s 5", "@ ''",
        "boolean 1", "'a\\x'", "['a' 'b']", "@(s 'a'", "int16 40000", "{'a': 1}", "<5>", "'\u{0}'",
        "[[[[[[[[[[[[[[[[[[1",
        "0x", "-", "uint64 99999999999999999999", "int64 -9223372036854775809", "--5",
    ])
    func `an annotation without a value is refused`(text: String) {
        #expect(throws: RuntimeFailure.self) { try annotation("KillMode", text) }
    }

    @Test func `times in seconds become microseconds`() throws {
        let wanted = UnitProperty("TimeoutStopUSec", .uint64(7_000_000))
        for text in ["7", "uint64 7", "7.0", "byte 7"] { #expect(try annotation("TimeoutStopSec", text) == wanted) }
        #expect(try annotation("TimeoutStopUSec", "uint64 7") == UnitProperty("TimeoutStopUSec", .uint64(7)))
        for text in ["-1", "'7'", "true", "uint64 18446744073709551615", "-0.5", "1e300", "nan"] {
            #expect(throws: RuntimeFailure.self) { try annotation("TimeoutStopSec", text) }
        }
    }

    @Test(arguments: ["", "ab", "Kill Mode", "Kill.Mode", "Kïll", "Kill1"])
    func `names of properties are letters`(name: String) {
        #expect(throws: RuntimeFailure.self) { try annotation(name, "true") }
    }
}
