internal import CSeccomp
internal import Glibc

/// Turns the rules of a profile into a program of two parts: ``SeccompTable`` answers for the calls with one answer
/// whatever their arguments, and libseccomp's program behind it for all others.
///
/// libseccomp could do both, but takes some 20 ms for a usual profile on three architectures; so it gets only what is
/// hard: conditions, calls that i386 packs into socketcall and ipc, the default, and architectures not listed.
struct SeccompCompiler: ~Copyable {
    /// libseccomp's numbers of those that the filter lets in; the native one is first.
    let architectures: [UInt32]
    private let filter: UnsafeMutableRawPointer
    private let defaultAction: UInt32

    /// More than fit into a filter, and few enough for libseccomp to take them in a moment.
    static let rulesMax = 4_096

    init(_ config: SeccompConfig, defaultAction: UInt32) throws(RuntimeFailure) {
        var architectures = [cseccomp_native_architecture()]
        for name in config.architectures {
            let architecture = try SeccompNames.architecture(name)
            if !architectures.contains(architecture) { architectures.append(architecture) }
        }
        guard let filter = cseccomp_begin(defaultAction) else {
            throw RuntimeFailure("seccomp: the kernel has no \(config.defaultAction); use another default action")
        }
        self.architectures = architectures
        self.filter = filter
        self.defaultAction = defaultAction
    }

    deinit { cseccomp_end(filter) }

    /// Makes the program, as the kernel takes it.
    func program(for config: SeccompConfig, warn: (String) -> Void) throws(RuntimeFailure) -> [UInt8] {
        for architecture in architectures {
            try Self.check(
                cseccomp_add_architecture(filter, architecture), "seccomp: error adding architecture to the filter")
        }
        var table = SeccompTable(architectures: architectures)
        let hard = try namesWithConditions(in: config)
        for rule in config.syscalls {
            let action = try SeccompNames.action(rule.action, errnoRet: rule.errnoRet)
            let conditions = try Self.conditions(of: rule)
            for name in rule.names {
                let numbers = SyscallNumbers(of: name, on: architectures)
                table.note(numbers)
                // libseccomp refuses a rule that changes nothing.
                if action == defaultAction { continue }
                guard numbers.native != nil || (numbers.isKnown && !hard.contains(name)) else {
                    warn("unknown seccomp syscall \"\(name)\" ignored")
                    continue
                }
                if let native = numbers.native, numbers.isPacked || hard.contains(name) {
                    try add(name, number: native, action: action, conditions: conditions)
                } else {
                    table.answer(numbers, with: action)
                }
            }
        }
        return table.program(refusing: SeccompTable.refuses(defaultAction), warn: warn) + (try export())
    }

    /// Calls with a rule that looks at arguments; all the rules of such a call go to libseccomp, which knows how they
    /// add up.
    private func namesWithConditions(in config: SeccompConfig) throws(RuntimeFailure) -> Set<String> {
        var names: Set<String> = []
        var count = 0
        for rule in config.syscalls {
            guard !rule.names.isEmpty else { throw RuntimeFailure("seccomp: a rule names no syscall") }
            guard !rule.names.contains("") else {
                throw RuntimeFailure("seccomp: empty string is not a valid syscall")
            }
            let (rules, overflow) = rule.names.count.multipliedReportingOverflow(by: max(1, rule.args.count))
            count = min(count, Self.rulesMax) + min(rules, Self.rulesMax + 1)
            guard !overflow, count <= Self.rulesMax else {
                throw RuntimeFailure("seccomp: more than \(Self.rulesMax) rules; use fewer")
            }
            if !rule.args.isEmpty { names.formUnion(rule.names) }
        }
        return names
    }

    private func add(
        _ name: String, number: Int32, action: UInt32, conditions: [cseccomp_condition]
    ) throws(RuntimeFailure) {
        var seen: UInt64 = 0
        var repeated = false
        for condition in conditions {
            repeated = repeated || seen & 1 << condition.index != 0
            seen |= 1 << condition.index
        }
        let doing = "seccomp: error adding a rule for syscall \(name)"
        guard repeated else {
            return try Self.check(
                cseccomp_add_rule(filter, action, number, conditions, UInt32(conditions.count)), doing)
        }
        // libseccomp holds one condition per argument: every condition becomes a rule, and any of them is enough.
        for condition in conditions { try Self.check(cseccomp_add_rule(filter, action, number, [condition], 1), doing) }
    }

    /// libseccomp's part.
    private func export() throws(RuntimeFailure) -> [UInt8] {
        let capacity = SeccompProgram.instructionsMax * BPFInstruction.size
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            result = buffer.baseAddress.map { cseccomp_export(filter, $0, buffer.count) } ?? 0
            count = max(0, result)
        }
        guard result != -Int(E2BIG) else { throw SeccompProgram.tooLarge }
        try Self.check(Int32(truncatingIfNeeded: min(0, result)), "seccomp: error exporting the filter")
        return bytes
    }

    private static func conditions(of rule: SeccompRule) throws(RuntimeFailure) -> [cseccomp_condition] {
        var conditions: [cseccomp_condition] = []
        for argument in rule.args {
            guard argument.index < 6 else {
                throw RuntimeFailure("seccomp: argument index \(argument.index): a syscall has arguments 0 to 5")
            }
            conditions.append(
                cseccomp_condition(
                    index: argument.index, comparison: try SeccompNames.comparison(argument.op),
                    value: argument.value, second: argument.valueTwo))
        }
        return conditions
    }

    private static func check(_ result: Int32, _ doing: String) throws(RuntimeFailure) {
        guard result < 0 else { return }
        throw RuntimeFailure(doing, errno: -result)
    }
}
