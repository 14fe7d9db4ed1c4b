import Testing

@testable import ContainerRuntime

/// Device lists: the BPF program and the version 1 form against the plain meaning of an ordered list.
struct CgroupDeviceTests {
    /// A use of a device.
    private struct Request {
        var isBlock: Bool
        var major: UInt32
        var minor: UInt32
        var access: DeviceAccess
    }

    /// The plain meaning: each right is as the last entry about it says.
    private func allowed(_ request: Request, _ entries: [DeviceEntry]) -> Bool {
        var rights: DeviceAccess = []
        let device = DeviceEntry.Devices(isBlock: request.isBlock, major: request.major, minor: request.minor)
        for entry in entries where entry.devices.covers(device) {
            if entry.allow { rights.formUnion(entry.access) } else { rights.subtract(entry.access) }
        }
        return rights.isSuperset(of: request.access)
    }

    // MARK: A small BPF machine

    private func run(_ program: DeviceProgram, _ request: Request) throws -> UInt64 {
        var registers = [UInt64](repeating: 0xDEAD, count: 11)
        let context = [
            UInt32(request.access.rawValue) << 16 | (request.isBlock ? 1 : 2), request.major, request.minor,
        ]
        var counter = 0
        var contextIsThere = true
        for _ in 0...program.instructions.count {
            let word = try #require(
                program.instructions.indices.contains(counter) ? program.instructions[counter] : nil)
            counter += 1
            let target = Int(word >> 8 & 15)
            let source = Int(word >> 12 & 15)
            let offset = Int(Int16(truncatingIfNeeded: word >> 16))
            let value = UInt32(truncatingIfNeeded: word >> 32)
            switch word & 0xFF {
            case 0x61:
                guard source == 1, contextIsThere, [0, 4, 8].contains(offset) else { return 3 }
                registers[target] = UInt64(context[offset / 4])
            case 0x54: registers[target] = UInt64(UInt32(truncatingIfNeeded: registers[target]) & value)
            case 0x74: registers[target] = UInt64(UInt32(truncatingIfNeeded: registers[target]) >> value)
            case 0xB4: registers[target] = UInt64(value)
            case 0xBC:
                registers[target] = registers[source] & 0xFFFF_FFFF
                if target == 1 { contextIsThere = false }
            // The kernel compares with the sign-extended constant.
            case 0x15: if registers[target] == UInt64(bitPattern: Int64(Int32(bitPattern: value))) { counter += offset }
            case 0x55: if registers[target] != UInt64(bitPattern: Int64(Int32(bitPattern: value))) { counter += offset }
            case 0x95: return registers[0]
            default: Issue.record("unknown instruction \(word)")
            }
        }
        Issue.record("the program does not end")
        return 2
    }

    // MARK: Random lists

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private func rules(_ generator: inout Generator) -> [DeviceRule] {
        (0..<Int.random(in: 0...12, using: &generator)).map { _ in
            DeviceRule(
                allow: .random(using: &generator), type: ["a", "b", "c", "c"].randomElement(using: &generator)!,
                major: [nil, 0, 1, 2, 0x7FFF_FFFF].randomElement(using: &generator)!,
                minor: [nil, nil, 0, 1].randomElement(using: &generator)!,
                access: ["rwm", "rwm", "r", "w", "m", "rw", "wm", ""].randomElement(using: &generator)!)
        }
    }

    private static let requests: [Request] = {
        var all: [Request] = []
        for isBlock in [false, true] {
            for major: UInt32 in [0, 1, 3, 0x7FFF_FFFF] {
                for minor: UInt32 in [0, 1, 3] {
                    for access: UInt8 in [1, 2, 4, 6, 7] {
                        all.append(
                            Request(isBlock: isBlock, major: major, minor: minor, access: .init(rawValue: access)))
                    }
                }
            }
        }
        return all
    }()

    @Test(arguments: 0..<UInt64(300))
    func `the program allows what the list allows`(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let rules = rules(&generator)
        // Half of them without the standard devices, which decide much.
        let entries = seed % 2 == 0 ? try DeviceEntry.list(rules) : try rules.map { try DeviceEntry($0) }
        let program = DeviceProgram(entries)
        let wrong = try Self.requests.filter { try run(program, $0) != (allowed($0, entries) ? 1 : 0) }
        #expect(wrong.isEmpty, "seed \(seed), \(entries)")
    }

    @Test(arguments: 0..<UInt64(300))
    func `version 1 gets the list's meaning or refuses it`(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let entries = try rules(&generator).map { try DeviceEntry($0) }
        guard let policy = try? DevicePolicy(entries) else { return }
        // The kernel wants all rights of a use from one exception; single rights show the meaning.
        let wrong = Self.requests.filter { request in
            guard request.access.rawValue.nonzeroBitCount == 1 else { return false }
            let device = DeviceEntry.Devices(isBlock: request.isBlock, major: request.major, minor: request.minor)
            let isException = policy.exceptions.contains {
                $0.devices.covers(device) && $0.access.isSuperset(of: request.access)
            }
            return (isException != policy.allowsByDefault) != allowed(request, entries)
        }
        #expect(wrong.isEmpty, "seed \(seed), \(entries)")
    }

    @Test(arguments: 0..<UInt64(200))
    func `changes lead from any version 1 state to the wanted one`(seed: UInt64) throws {
        var generator = Generator(state: seed)
        func policy() throws -> DevicePolicy {
            while true {
                let entries = try rules(&generator).map { try DeviceEntry($0) }
                if let policy = try? DevicePolicy(entries) { return policy }
            }
        }
        let wanted = try policy()
        var state = try policy()
        for change in wanted.changes(from: state) {
            let allow = change.file == "devices.allow"
            if change.text == "a" {
                state.allowsByDefault = allow
                state.exceptions = []
                continue
            }
            let exception = try #require(DevicePolicy(list: change.text).exceptions.first)
            if allow != state.allowsByDefault,
                let at = state.exceptions.firstIndex(where: { $0.devices == exception.devices })
            {
                state.exceptions[at].access.formUnion(exception.access)
            } else if allow != state.allowsByDefault {
                state.exceptions.append(exception)
            } else if let at = state.exceptions.firstIndex(where: { $0.devices == exception.devices }) {
                state.exceptions[at].access.subtract(exception.access)
            }
        }
        state.exceptions.removeAll(where: \.access.isEmpty)
        func sorted(_ policy: DevicePolicy) -> [String] { policy.exceptions.map(\.text).sorted() }
        #expect(state.allowsByDefault == wanted.allowsByDefault && sorted(state) == sorted(wanted), "seed \(seed)")
    }

    // MARK: Known lists

    @Test func `the usual list allows the standard devices and no others`() throws {
        let entries = try DeviceEntry.list([DeviceRule(allow: false)])
        let policy = try DevicePolicy(entries)
        #expect(
            policy.changes(from: DevicePolicy(list: "a *:* rwm")).map { "\($0.file) \($0.text)" } == [
                "devices.deny a", "devices.allow c *:* m", "devices.allow b *:* m", "devices.allow c 1:3 rwm",
                "devices.allow c 1:5 rwm", "devices.allow c 1:7 rwm", "devices.allow c 1:8 rwm",
                "devices.allow c 1:9 rwm", "devices.allow c 5:0 rwm", "devices.allow c 5:2 rwm",
                "devices.allow c 136:* rwm",
            ])
        #expect(policy.changes(from: policy).isEmpty)
        #expect(try DevicePolicy([]) == DevicePolicy(list: ""), "nothing said forbids")
    }

    @Test func `a hole that version 1 would ignore is refused`() throws {
        let wide = DeviceRule(allow: true, type: "c", major: 10)
        let hole = DeviceRule(allow: false, type: "c", major: 10, minor: 200)
        let entries = try [wide, hole].map { try DeviceEntry($0) }
        #expect(throws: RuntimeFailure.self) { try DevicePolicy(entries) }
        let program = DeviceProgram(entries)
        #expect(try run(program, Request(isBlock: false, major: 10, minor: 200, access: .read)) == 0)
        #expect(try run(program, Request(isBlock: false, major: 10, minor: 201, access: .read)) == 1)
    }

    @Test func `bad rules are refused`() {
        for rule in [
            DeviceRule(allow: true, type: "p"), DeviceRule(allow: true, type: "c", major: -2),
            DeviceRule(allow: true, type: "c", major: 1 << 40), DeviceRule(allow: true, type: "c", access: "rx"),
        ] {
            #expect(throws: RuntimeFailure.self) { try DeviceEntry(rule) }
        }
        #expect(throws: RuntimeFailure.self) {
            try DeviceEntry.list(Array(repeating: DeviceRule(allow: true), count: 4097))
        }
    }
}
