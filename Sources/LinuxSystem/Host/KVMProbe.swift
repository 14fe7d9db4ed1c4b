internal import CLinux

/// Whether virtual machines of this host can use its processor, found by running one that counts: a device that opens,
/// and a guest that runs a few instructions, prove nothing where a driver interprets every instruction.
public struct KVMVerdict: Equatable, Sendable {
    /// Whether machines shall use KVM.
    public var isUsable: Bool
    /// What was seen, for logs: lower case, no full stop, one line.
    public var reason: String

    /// Makes a verdict.
    public init(isUsable: Bool, reason: String) {
        self.isUsable = isUsable
        self.reason = String(
            String.UnicodeScalarView(reason.unicodeScalars.filter { $0.value >= 0x20 }.prefix(500)))
    }

    /// Runs the small machine: a few milliseconds where KVM works, at most about 300 otherwise. Leaves no process.
    /// - Parameter device: KVM's device.
    /// - Returns: what came of it.
    public static func probe(device: String = "/dev/kvm") -> KVMVerdict {
        var result = clinux_kvm_result()
        _ = clinux_probe_kvm_guest(device, firstMilliseconds, secondMilliseconds, &result)
        return KVMVerdict(result, device: device)
    }

    private static let firstMilliseconds: Int32 = 100
    private static let secondMilliseconds: Int32 = 150

    init(_ result: clinux_kvm_result, device: String) {
        // Two instructions in each round.
        let rate = UInt64(result.iterations) * 2_000_000 / UInt64(max(result.microseconds, 1))
        switch UInt32(bitPattern: result.outcome) {
        case CLINUX_KVM_USABLE.rawValue:
            self.init(isUsable: true, reason: "a guest ran \(rate) instructions a second")
        case CLINUX_KVM_SLOW.rawValue:
            self.init(
                isUsable: false,
                reason: "a guest did \(result.iterations) of \(CLINUX_KVM_ITERATIONS) rounds in "
                    + "\(result.microseconds / 1_000) ms, \(rate) instructions a second: the processor does not run it "
                    + "itself")
        case CLINUX_KVM_WRONG_EXIT.rawValue:
            self.init(isUsable: false, reason: "a guest of 64 bits ended with KVM's exit \(result.error)")
        case CLINUX_KVM_STUCK.rawValue:
            self.init(isUsable: false, reason: "a guest did not stop when its time was over")
        default:
            self.init(
                isUsable: false, reason: "\(Self.step(result.step, device)): \(SystemError.text(of: result.error))")
        }
    }

    private static func step(_ step: Int32, _ device: String) -> String {
        switch UInt32(bitPattern: step) {
        case CLINUX_KVM_STEP_OPEN.rawValue: "\(device) cannot be opened"
        case CLINUX_KVM_STEP_VERSION.rawValue: "\(device) does not speak KVM's interface 12"
        case CLINUX_KVM_STEP_MACHINE.rawValue: "no machine can be made"
        case CLINUX_KVM_STEP_MEMORY.rawValue: "a machine cannot be given memory"
        case CLINUX_KVM_STEP_PROCESSOR.rawValue: "a machine cannot be given a processor"
        case CLINUX_KVM_STEP_REGISTERS.rawValue: "a processor does not take the state of 64 bits"
        case CLINUX_KVM_STEP_RUN.rawValue: "a guest cannot be run"
        default: "the probe's process failed"
        }
    }
}

/// A verdict that was found before, good until the machine is started anew or another driver is loaded.
public struct KVMMemory: Equatable, Sendable {
    /// The boot that it is of.
    public var bootID: String
    /// The drivers, by name, in order.
    public var modules: [String]
    /// What was found.
    public var verdict: KVMVerdict

    /// Makes a memory.
    public init(bootID: String, modules: [String], verdict: KVMVerdict) {
        self.bootID = bootID
        self.modules = modules
        self.verdict = verdict
    }

    private static let title = "rondo kvm 1"

    /// The file's text: a line each.
    public var text: String {
        [
            Self.title, bootID, modules.joined(separator: " "), verdict.isUsable ? "usable" : "unusable",
            verdict.reason,
        ].joined(separator: "\n") + "\n"
    }

    /// Reads the file's text; nil when it is not exactly one that was written.
    public init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count == 6, lines[0] == Self.title, lines[3] == "usable" || lines[3] == "unusable" else {
            return nil
        }
        self.init(
            bootID: lines[1], modules: lines[2].split(separator: " ").map(String.init),
            verdict: KVMVerdict(isUsable: lines[3] == "usable", reason: lines[4]))
        guard self.text == text else { return nil }
    }

    /// What an operator wants, before anything is tried.
    public enum Wish: String, CaseIterable, Sendable {
        /// KVM where it works.
        case auto
        /// KVM, whatever the probe says.
        case kvm
        /// Emulation.
        case tcg
    }

    /// Whether machines use KVM: the operator's word, or what was found before, or what is found now and kept.
    /// - Parameters:
    ///   - wish: the operator's word.
    ///   - path: the file that keeps it. That it cannot be read or written costs only another probe.
    ///   - bootID: this boot.
    ///   - modules: the drivers that are loaded, in order.
    ///   - probe: finds it.
    /// - Returns: the verdict.
    public static func verdict(
        wish: Wish, path: String, bootID: String, modules: [String], probe: () -> KVMVerdict = { .probe() }
    ) -> KVMVerdict {
        switch wish {
        case .kvm: return KVMVerdict(isUsable: true, reason: "KVM is set")
        case .tcg: return KVMVerdict(isUsable: false, reason: "emulation is set")
        case .auto: break
        }
        if let bytes = try? readFile(path, limit: 4_096),
            let known = KVMMemory(text: String(decoding: bytes, as: UTF8.self)),
            known.bootID == bootID, known.modules == modules
        {
            return known.verdict
        }
        let memory = KVMMemory(bootID: bootID, modules: modules, verdict: probe())
        try? writeFileAtomically(path, Array(memory.text.utf8))
        return memory.verdict
    }

    /// The drivers of KVM that are there, `kvm` itself apart: `kvm_amd`, `kvm_intel`, or another.
    public static func loadedModules() -> [String] {
        ((try? listDirectory("/sys/module")) ?? []).filter { $0.hasPrefix("kvm_") }.sorted()
    }
}
