public import GuestChannel

/// What the host saw of a machine that is gone, from all sides: none of them can be believed alone. QEMU's status is 0
/// after a kernel panic and after SIGTERM.
public struct MachineObservation: Equatable, Sendable {
    /// How the machine monitor's process ended.
    public enum Process: Equatable, Sendable {
        /// By itself.
        case exited(code: Int32)
        /// By a signal.
        case killed(signal: Int32)
    }

    /// How the workload's first process ended, if the guest said so.
    public var exit: GuestProcessEnd?
    /// How the channel's session ended.
    public var session: HostSessionEnd?
    /// How the machine monitor's process ended.
    public var process: Process
    /// Whether the launcher itself ended it.
    public var wasEnded: Bool
    /// Why QEMU says it shut down.
    public var shutdownReason: String?
    /// How often the kernel killed for lack of memory in the machine's control group.
    public var outOfMemoryKills: Int
    /// The last of what the guest's kernel printed; at most 64 KiB are looked at.
    public var serialTail: [UInt8]
    /// Whether the accelerator is KVM, and the guest never greeted.
    public var isSilentOnKVM: Bool
    /// Whether the disk of the host failed, as QEMU told it.
    public var diskFailed: Bool

    /// Describes what was seen.
    public init(
        exit: GuestProcessEnd? = nil, session: HostSessionEnd? = nil, process: Process, wasEnded: Bool = false,
        shutdownReason: String? = nil, outOfMemoryKills: Int = 0, serialTail: [UInt8] = [],
        isSilentOnKVM: Bool = false, diskFailed: Bool = false
    ) {
        self.exit = exit
        self.session = session
        self.process = process
        self.wasEnded = wasEnded
        self.shutdownReason = shutdownReason
        self.outOfMemoryKills = outOfMemoryKills
        self.serialTail = serialTail
        self.isSilentOnKVM = isSilentOnKVM
        self.diskFailed = diskFailed
    }
}

/// What became of a workload in a machine: its exit code and why, decided from all that was seen.
public struct MachineEnd: Equatable, Sendable {
    /// Kinds of ends, which tests, metrics and `why` tell apart.
    public enum Kind: String, CaseIterable, Sendable {
        /// The workload ended, and the guest said how.
        case workload
        /// The guest's kernel panicked.
        case panic
        /// The machine's control group had no memory left.
        case outOfMemory = "out-of-memory"
        /// The guest answered nothing any more.
        case hang
        /// The machine monitor crashed.
        case crash
        /// Somebody else ended the machine monitor.
        case killed
        /// The guest broke the channel's protocol.
        case hostile
        /// The guest gave up.
        case gaveUp = "gave-up"
        /// It did not start on KVM: the node must not use KVM any more.
        case kvmUnusable = "kvm-unusable"
        /// The guest went away without a word.
        case lost
    }

    /// What it was.
    public var kind: Kind
    /// The exit code: the workload's own, 128 and the signal, 137 for lack of memory, or 255.
    public var code: Int
    /// Why, for people; nil for a workload that ended by itself.
    public var reason: String?
    /// Whether the node shall go on without KVM.
    public var marksKVMBad: Bool { kind == .kvmUnusable }

    /// Decides. What the guest said of its workload counts first, even if the machine then ends badly; of the rest, what
    /// the host knows by itself counts before what the guest printed.
    public init(of seen: MachineObservation) {
        if let exit = seen.exit {
            switch exit {
            case .code(let code): self.init(.workload, Int(code), nil)
            case .signal(let signal): self.init(.workload, 128 + Int(signal), "ended by signal \(signal)")
            }
            return
        }
        if seen.outOfMemoryKills > 0, case .killed = seen.process {
            self.init(
                .outOfMemory, 137,
                "OOMKilled: the machine needed more memory than its limit and the overhead allow")
            return
        }
        if case .killed(let signal) = seen.process, !seen.wasEnded {
            let isCrash = [4, 6, 7, 8, 11, 31].contains(signal)
            self.init(
                isCrash ? .crash : .killed, 255,
                isCrash
                    ? "the machine monitor crashed with signal \(signal)"
                    : "the machine monitor was ended by signal \(signal)")
            return
        }
        if seen.isSilentOnKVM {
            self.init(.kvmUnusable, 255, "the guest did not start under KVM; machines are emulated from now on")
            return
        }
        switch seen.session {
        case .protocolFault(let fault):
            self.init(.hostile, 255, "the guest broke the channel's protocol: \(fault.reason)")
        case .silent:
            let disk = seen.diskFailed ? "; a disk of the host failed" : ""
            self.init(.hang, 255, (seen.session?.reason ?? "") + disk)
        case .guestFault:
            self.init(.gaveUp, 255, seen.session?.reason)
        case .ended, .closed, nil:
            if let line = Self.panicLine(in: seen.serialTail) {
                self.init(.panic, 255, "the guest's kernel panicked: \(line)")
            } else if seen.shutdownReason == "host-signal" {
                self.init(.killed, 255, "the machine monitor was asked to end by a signal")
            } else if case .exited(let code) = seen.process, code != 0 {
                self.init(.crash, 255, "the machine monitor ended with code \(code)")
            } else if seen.wasEnded {
                self.init(.killed, 255, "the machine was ended before its workload had")
            } else {
                self.init(.lost, 255, "the machine ended without saying how its workload did")
            }
        }
    }

    private init(_ kind: Kind, _ code: Int, _ reason: String?) {
        self.kind = kind
        self.code = code
        self.reason = reason
    }

    /// The line with which a kernel says that it panics; what the guest prints is untrusted, and only shown.
    static func panicLine(in serial: [UInt8]) -> String? {
        let mark = Array("Kernel panic".utf8)
        let tail = serial.suffix(64 << 10)
        for line in tail.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            guard let place = line.indices.first(where: { line[$0...].starts(with: mark) }) else { continue }
            return QMPMessage.printable(String(decoding: line[place...].prefix(200), as: UTF8.self))
        }
        return nil
    }
}

/// How a machine that does not answer is ended: asked, then killed.
public enum MachineStop: Equatable, Sendable {
    /// QMP `quit`.
    case quit
    /// SIGKILL for the machine monitor, and for its control group.
    case kill

    /// Milliseconds between the two.
    public static let grace: UInt64 = 2_000

    /// What is to be done when a machine has to go.
    /// - Parameter elapsed: milliseconds since it had to.
    /// - Returns: the step that is due by then.
    public static func due(elapsed: UInt64) -> MachineStop { elapsed < grace ? .quit : .kill }
}
