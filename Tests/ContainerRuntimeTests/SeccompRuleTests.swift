import Testing

@testable import ContainerRuntime

@Suite("Seccomp rules", .enabled(if: onX86))
struct SeccompRuleTests {
    private let refusing = SeccompConfig(defaultAction: "SCMP_ACT_ERRNO")
    private let allowing = SeccompConfig(defaultAction: "SCMP_ACT_ALLOW")

    @Test(arguments: [
        ("SCMP_ACT_KILL", Answer.killThread), ("SCMP_ACT_KILL_THREAD", Answer.killThread),
        ("SCMP_ACT_KILL_PROCESS", Answer.killProcess), ("SCMP_ACT_TRAP", Answer.trap),
        ("SCMP_ACT_ERRNO", Answer.refused), ("SCMP_ACT_TRACE", Answer.trace(1)), ("SCMP_ACT_LOG", Answer.log),
    ])
    func `each action comes out as the kernel's`(name: String, expected: UInt32) throws {
        let machine = try allowing.rule(["mkdir"], name).machine()
        #expect(try machine.run(SyscallData(number: number("mkdir"))) == expected)
        #expect(try machine.run(SyscallData(number: number("rmdir"))) == Answer.allow)
        let asDefault = try SeccompConfig(defaultAction: name).rule(["mkdir", "statx"], "SCMP_ACT_ALLOW").machine()
        #expect(try asDefault.run(SyscallData(number: number("mkdir"))) == Answer.allow)
        #expect(try asDefault.run(SyscallData(number: number("rmdir"))) == expected)
    }

    @Test func `error numbers of rules and of the default are the profile's`() throws {
        var config = SeccompConfig(defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 95)
        config = config.rule(["mkdir"], "SCMP_ACT_ERRNO", errnoRet: 28).rule(["rmdir"], "SCMP_ACT_TRACE", errnoRet: 7)
            .rule(["chmod"], "SCMP_ACT_ERRNO").rule(["chown"], "SCMP_ACT_ERRNO", errnoRet: 0)
        let machine = try config.machine()
        for (name, expected) in [
            ("mkdir", Answer.errno(28)), ("rmdir", Answer.trace(7)), ("chmod", Answer.refused),
            ("chown", Answer.errno(0)), ("link", Answer.errno(95)),
        ] {
            #expect(try machine.run(SyscallData(number: number(name))) == expected, "\(name)")
        }
    }

    @Test func `an error number with an action that returns none is refused`() {
        #expect(allowing.rule(["mkdir"], "SCMP_ACT_KILL", errnoRet: 1).refusal()?.contains("errnoRet") == true)
        #expect(SeccompConfig(defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1).refusal() != nil)
        #expect(allowing.rule(["mkdir"], "SCMP_ACT_ERRNO", errnoRet: 0x10000).refusal() != nil)
    }

    /// What each operator says about an argument, worked out without libseccomp.
    private func holds(_ op: String, _ argument: UInt64, _ value: UInt64, _ second: UInt64) -> Bool {
        switch op {
        case "SCMP_CMP_NE": argument != value
        case "SCMP_CMP_LT": argument < value
        case "SCMP_CMP_LE": argument <= value
        case "SCMP_CMP_EQ": argument == value
        case "SCMP_CMP_GE": argument >= value
        case "SCMP_CMP_GT": argument > value
        default: argument & value == second
        }
    }

    @Test(arguments: SeccompFeatures.operators)
    func `operators compare all 64 bits of every argument`(op: String) throws {
        let interesting: [UInt64] = [
            0, 1, 2, 3, 4, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x1_0000_0003,
            0x2_0000_0002, 0x8000_0000_0000_0000, .max - 1, .max,
        ]
        let pairs: [(UInt64, UInt64)] = [
            (2, 2), (0x1_0000_0001, 0x1_0000_0001), (0xffff_ffff, 3), (0x3_0000_0003, 0x1_0000_0003), (.max, .max),
            (0, 0),
        ]
        for index in 0..<6 {
            for (value, second) in pairs {
                let condition = SeccompRule.Argument(index: UInt32(index), value: value, valueTwo: second, op: op)
                let machine = try refusing.rule(["mkdir", "statx"], "SCMP_ACT_ALLOW", [condition]).machine()
                for argument in interesting {
                    var data = SyscallData(number: try number("mkdir"))
                    data.arguments[index] = argument
                    let expected = holds(op, argument, value, second) ? Answer.allow : Answer.refused
                    #expect(try machine.run(data) == expected, "\(argument) \(op) \(value) \(second)")
                }
            }
        }
    }

    @Test func `conditions on different arguments must all hold`() throws {
        let machine = try refusing.rule(
            ["socket", "statx"], "SCMP_ACT_ALLOW",
            [.init(index: 0, value: 1, op: "SCMP_CMP_EQ"), .init(index: 2, value: 9, op: "SCMP_CMP_LT")]
        ).machine()
        let socket = try number("socket")
        #expect(try machine.run(SyscallData(number: socket, arguments: [1, 0, 8, 0, 0, 0])) == Answer.allow)
        #expect(try machine.run(SyscallData(number: socket, arguments: [1, 0, 9, 0, 0, 0])) == Answer.refused)
        #expect(try machine.run(SyscallData(number: socket, arguments: [2, 0, 8, 0, 0, 0])) == Answer.refused)
    }

    @Test func `with two conditions on one argument any condition is enough`() throws {
        let machine = try refusing.rule(
            ["socket", "statx"], "SCMP_ACT_ALLOW",
            [
                .init(index: 0, value: 1, op: "SCMP_CMP_EQ"), .init(index: 0, value: 7, op: "SCMP_CMP_EQ"),
                .init(index: 1, value: 5, op: "SCMP_CMP_EQ"),
            ]
        ).machine()
        let socket = try number("socket")
        for (arguments, allowed) in [([1, 0], true), ([7, 0], true), ([3, 5], true), ([3, 0], false)] {
            let data = SyscallData(number: socket, arguments: arguments.map { UInt64($0) } + [0, 0, 0, 0])
            #expect(try machine.run(data) == (allowed ? Answer.allow : Answer.refused), "\(arguments)")
        }
    }

    @Test func `several rules for one call add up`() throws {
        var config = refusing.rule(["statx"], "SCMP_ACT_ALLOW")
        for value: UInt64 in [0, 8, 0x20000, 0x20008, 0xffff_ffff] {
            config = config.rule(["personality"], "SCMP_ACT_ALLOW", [.init(index: 0, value: value, op: "SCMP_CMP_EQ")])
        }
        let machine = try config.machine()
        let personality = try number("personality")
        for (value, allowed) in [(0 as UInt64, true), (8, true), (9, false), (0xffff_ffff, true), (.max, false)] {
            let data = SyscallData(number: personality, arguments: [value, 0, 0, 0, 0, 0])
            #expect(try machine.run(data) == (allowed ? Answer.allow : Answer.refused), "\(value)")
        }
    }

    @Test func `a rule twice is a rule once, and one without conditions covers the others`() throws {
        let condition = SeccompRule.Argument(index: 0, value: 1, op: "SCMP_CMP_EQ")
        let machine = try refusing.rule(["mkdir", "mkdir", "statx"], "SCMP_ACT_ALLOW")
            .rule(["mkdir"], "SCMP_ACT_ALLOW").rule(["socket"], "SCMP_ACT_ALLOW", [condition])
            .rule(["socket"], "SCMP_ACT_ALLOW", [condition]).rule(["socket"], "SCMP_ACT_ALLOW").machine()
        #expect(try machine.run(SyscallData(number: number("mkdir"))) == Answer.allow)
        #expect(try machine.run(SyscallData(number: number("socket"))) == Answer.allow)
    }

    @Test func `a rule with the default action changes nothing`() throws {
        let machine = try refusing.rule(["mkdir"], "SCMP_ACT_ERRNO", errnoRet: 1).rule(["statx"], "SCMP_ACT_ALLOW")
            .machine()
        #expect(try machine.run(SyscallData(number: number("mkdir"))) == Answer.refused)
    }

    @Test func `unknown names are left out and told`() throws {
        let config = refusing.rule(["no_such_call", "mkdir", "mkdir\u{0}x"], "SCMP_ACT_ALLOW")
        let messages = try config.messages()
        #expect(messages.contains("unknown seccomp syscall \"no_such_call\" ignored"))
        #expect(messages.filter { $0.hasPrefix("unknown") }.count == 2)
        #expect(try config.machine().run(SyscallData(number: number("mkdir"))) == Answer.allow)
    }

    @Test func `a profile that says nonsense is refused with the reason`() {
        let condition = SeccompRule.Argument(index: 6, value: 0, op: "SCMP_CMP_EQ")
        let odd = SeccompRule.Argument(index: 0, value: 0, op: "SCMP_CMP_ALMOST")
        #expect(SeccompConfig(defaultAction: "SCMP_ACT_MAYBE").refusal()?.contains("SCMP_ACT_MAYBE") == true)
        #expect(SeccompConfig(defaultAction: "").refusal() != nil)
        #expect(allowing.rule(["mkdir"], "allow").refusal()?.contains("'allow'") == true)
        #expect(allowing.rule(["mkdir"], "SCMP_ACT_ERRNO", [condition]).refusal()?.contains("index 6") == true)
        #expect(allowing.rule(["mkdir"], "SCMP_ACT_ERRNO", [odd]).refusal()?.contains("SCMP_CMP_ALMOST") == true)
        #expect(allowing.rule([], "SCMP_ACT_ERRNO").refusal() != nil)
        #expect(allowing.rule([""], "SCMP_ACT_ERRNO").refusal()?.contains("empty string") == true)
        var config = allowing
        config.architectures = ["SCMP_ARCH_PDP11"]
        #expect(config.refusal()?.contains("SCMP_ARCH_PDP11") == true)
        config.architectures = ["SCMP_ARCH_S390X"]
        #expect(config.refusal() != nil, "the other order of bytes")
    }

    @Test func `more rules than a filter can hold are refused`() {
        let names = Array(repeating: "mkdir", count: SeccompCompiler.rulesMax + 1)
        #expect(allowing.rule(names, "SCMP_ACT_ERRNO").refusal()?.contains("rules") == true)
        var config = allowing
        for value in 0..<(3_000 as UInt64) {
            config = config.rule(
                ["mkdir"], "SCMP_ACT_ERRNO", [.init(index: 0, value: value * 0x1_0000_0001, op: "SCMP_CMP_EQ")])
        }
        #expect(config.refusal()?.contains("4096 instructions") == true)
    }
}

/// The numbers in these tests are those of x86-64.
let onX86: Bool = {
    #if arch(x86_64)
        true
    #else
        false
    #endif
}()
