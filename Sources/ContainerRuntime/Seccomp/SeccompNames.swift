internal import CSeccomp

/// The words of `linux.seccomp` (OCI runtime-spec, config-linux.md) and what the kernel and libseccomp call them.
enum SeccompNames {
    /// `SECCOMP_RET_…` of linux/seccomp.h, which libseccomp's actions are equal to.
    static let allow: UInt32 = 0x7fff_0000
    static let log: UInt32 = 0x7ffc_0000
    static let notify: UInt32 = 0x7fc0_0000
    static let trace: UInt32 = 0x7ff0_0000
    static let errno: UInt32 = 0x0005_0000
    static let actionMask: UInt32 = 0xffff_0000

    static let actions: [(name: String, value: UInt32)] = [
        ("SCMP_ACT_ALLOW", allow),
        ("SCMP_ACT_ERRNO", errno),
        ("SCMP_ACT_KILL", 0),
        ("SCMP_ACT_KILL_PROCESS", 0x8000_0000),
        ("SCMP_ACT_KILL_THREAD", 0),
        ("SCMP_ACT_LOG", log),
        ("SCMP_ACT_NOTIFY", notify),
        ("SCMP_ACT_TRACE", trace),
        ("SCMP_ACT_TRAP", 0x0003_0000),
    ]

    /// With libseccomp's `enum scmp_compare`.
    static let operators: [(name: String, value: UInt32)] = [
        ("SCMP_CMP_EQ", 4),
        ("SCMP_CMP_GE", 5),
        ("SCMP_CMP_GT", 6),
        ("SCMP_CMP_LE", 3),
        ("SCMP_CMP_LT", 2),
        ("SCMP_CMP_MASKED_EQ", 7),
        ("SCMP_CMP_NE", 1),
    ]

    static let syncThreads: UInt32 = 1 << 0
    static let logActions: UInt32 = 1 << 1
    static let allowSpeculation: UInt32 = 1 << 2
    static let newListener: UInt32 = 1 << 3
    static let waitKillable: UInt32 = 1 << 5

    static let flags: [(name: String, value: UInt32)] = [
        ("SECCOMP_FILTER_FLAG_LOG", logActions),
        ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", allowSpeculation),
        ("SECCOMP_FILTER_FLAG_TSYNC", syncThreads),
        ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", waitKillable),
    ]

    /// libseccomp's numbers; for x86-64 it is AUDIT_ARCH_X86_64, x32 has no AUDIT_ARCH_ of its own.
    static let x86_64: UInt32 = 0xc000_003e
    static let x32: UInt32 = 0x4000_003e

    static let architectures = [
        "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64",
        "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC",
        "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",
        "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
    ]

    /// What a filter returns to the kernel for an action.
    ///
    /// The specification wants an error number with an action that returns none refused; without one, EPERM it is.
    static func action(_ name: String, errnoRet: UInt32?) throws(RuntimeFailure) -> UInt32 {
        guard let known = actions.first(where: { $0.name == name }) else {
            throw RuntimeFailure("seccomp: action '\(name)' is not known; use one of SCMP_ACT_…")
        }
        guard known.value == errno || known.value == trace else {
            guard errnoRet == nil else {
                throw RuntimeFailure("seccomp: \(name) returns no error number; leave its errnoRet out")
            }
            return known.value
        }
        let code = errnoRet ?? 1
        guard code <= 0xffff else {
            throw RuntimeFailure("seccomp: errnoRet \(code) of \(name) is too large for an error number")
        }
        return known.value | code
    }

    static func comparison(_ name: String) throws(RuntimeFailure) -> UInt32 {
        guard let known = operators.first(where: { $0.name == name }) else {
            throw RuntimeFailure("seccomp: operator '\(name)' is not known; use one of SCMP_CMP_…")
        }
        return known.value
    }

    /// libseccomp's number of `SCMP_ARCH_X`.
    static func architecture(_ name: String) throws(RuntimeFailure) -> UInt32 {
        let number = resolve(name)
        guard architectures.contains(name), number != 0 else {
            throw RuntimeFailure("seccomp: architecture '\(name)' is not known; use one of SCMP_ARCH_…")
        }
        return number
    }

    /// 0 for what this libseccomp does not have.
    static func resolve(_ architecture: String) -> UInt32 {
        let prefix = "SCMP_ARCH_"
        guard architecture.hasPrefix(prefix) else { return 0 }
        return cseccomp_architecture(architecture.dropFirst(prefix.count).lowercased())
    }
}
