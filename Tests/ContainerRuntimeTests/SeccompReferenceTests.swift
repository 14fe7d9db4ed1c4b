import CSeccomp
import Glibc
import Testing

@testable import ContainerRuntime

/// Random profiles: the program must answer as libseccomp's own program for the same rules.
@Suite("Seccomp against libseccomp alone", .enabled(if: onX86))
struct SeccompReferenceTests {
    private static let names = [
        "accept", "access", "bind", "brk", "chmod", "chown32", "clone", "clone3", "close", "execve", "fstat64", "futex",
        "getcwd", "ioctl", "ipc", "kill", "lseek", "_llseek", "mkdir", "mmap", "mmap2", "msgget", "open", "openat2",
        "personality", "pidfd_getfd", "poll", "prctl", "read", "rename", "semop", "semget", "set_thread_area", "shmat",
        "socket", "socketcall", "stat", "statx", "time", "time64", "umount", "umount2", "wait4", "waitpid", "write",
    ]
    private static let architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]

    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ state >> 29) &* 0xbf58_476d_1ce4_e5b9
        }
    }

    private func randomProfile(_ random: inout Random) -> SeccompConfig {
        let actions = ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG", "SCMP_ACT_TRAP"]
        var config = SeccompConfig(defaultAction: actions[Int.random(in: 0..<5, using: &random)])
        config.architectures = Self.architectures.filter { _ in Bool.random(using: &random) }
        // Two answers for one condition are an error of libseccomp: a call has one action for its conditions.
        let conditional = actions[Int.random(in: 0..<5, using: &random)]
        for _ in 0..<Int.random(in: 0..<60, using: &random) {
            let name = Self.names.randomElement(using: &random) ?? ""
            if Int.random(in: 0..<4, using: &random) == 0 {
                let condition = SeccompRule.Argument(
                    index: UInt32.random(in: 0..<2, using: &random), value: UInt64.random(in: 0..<3, using: &random),
                    op: "SCMP_CMP_EQ")
                config = config.rule([name], conditional, [condition])
            } else {
                config = config.rule([name], actions[Int.random(in: 0..<5, using: &random)])
            }
        }
        return config
    }

    /// All rules by libseccomp; nil when it finds that two of them contradict each other.
    private func reference(_ config: SeccompConfig) throws -> SeccompMachine? {
        let defaultAction = try SeccompNames.action(config.defaultAction, errnoRet: nil)
        let filter = try #require(cseccomp_begin(defaultAction))
        defer { cseccomp_end(filter) }
        for name in config.architectures {
            try #require(cseccomp_add_architecture(filter, try SeccompNames.architecture(name)) == 0)
        }
        for rule in config.syscalls {
            let action = try SeccompNames.action(rule.action, errnoRet: nil)
            var native: Int32 = 0
            guard action != defaultAction, let name = rule.names.first,
                cseccomp_number(cseccomp_native_architecture(), name, &native) != 0
            else { continue }
            let conditions = rule.args.map {
                cseccomp_condition(index: $0.index, comparison: 4, value: $0.value, second: 0)
            }
            let result = cseccomp_add_rule(filter, action, native, conditions, UInt32(conditions.count))
            if result == -EEXIST { return nil }
            try #require(result == 0, "\(name) \(result)")
        }
        var bytes = [UInt8](repeating: 0, count: 1 << 15)
        let size = cseccomp_export(filter, &bytes, bytes.count)
        try #require(size > 0)
        return SeccompMachine(SeccompProgram(bytes: Array(bytes.prefix(size)), flags: 0))
    }

    @Test(arguments: 0..<60)
    func `a profile means what it means to libseccomp`(seed: Int) throws {
        var random = Random(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15)
        let config = randomProfile(&random)
        guard let theirs = try reference(config) else { return }
        let ours = try config.machine()
        let numbers = Array(0..<(480 as UInt32)) + [0x3fff_ffff]
        for (bits, architecture) in [
            (0 as UInt32, SyscallData.x86_64), (SyscallData.x32Bit, SyscallData.x86_64), (0, SyscallData.i386),
            (0, 0xc000_00b7),
        ] {
            for number in numbers {
                for arguments in [[0, 0], [1, 1], [2, 0], [5, 2], [9, 9]] as [[UInt64]] {
                    let data = SyscallData(
                        number: number | bits, architecture: architecture, arguments: arguments + [0, 0, 0, 0])
                    let answer = try ours.run(data)
                    if answer == Answer.noSuchCall { continue }
                    let expected = try theirs.run(data)
                    guard answer == expected else {
                        Issue.record("seed \(seed) number \(number) bits \(bits) of \(architecture) \(arguments)")
                        return
                    }
                }
            }
        }
    }
}
