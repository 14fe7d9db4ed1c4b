internal import CSeccomp

/// What runs ahead of libseccomp's program: calls that have one answer whatever their arguments, found by their number.
///
/// It also answers for calls that are younger than the profile, which therefore cannot name them. With the usual
/// default of EPERM, a C library that tries such a call first would take the refusal for the truth; ENOSYS makes it use
/// the older way. So numbers beyond the last one that the profile names, whatever for, get ENOSYS.
struct SeccompTable {
    private let architectures: [UInt32]
    /// By architecture: number → answer.
    private var answers: [[UInt32: UInt32]]
    /// By architecture: the largest number that the profile names.
    private var last: [UInt32]

    private static let noSuchCall = SeccompNames.errno | 38

    init(architectures: [UInt32]) {
        self.architectures = architectures
        answers = Array(repeating: [:], count: architectures.count)
        last = Array(repeating: 0, count: architectures.count)
    }

    /// Whether a default gives way to ENOSYS for new calls: one that lets calls pass does not, and a good tracer
    /// answers for new calls itself.
    static func refuses(_ action: UInt32) -> Bool {
        let passing = [SeccompNames.allow, SeccompNames.log, SeccompNames.trace]
        return action != noSuchCall && !passing.contains(action & SeccompNames.actionMask)
    }

    /// Says that the profile names the call.
    mutating func note(_ numbers: SyscallNumbers) {
        for (place, number) in numbers.byArchitecture.enumerated() { last[place] = max(last[place], number ?? 0) }
    }

    /// Gives the call its answer, unless it has one: the first rule counts, as with libseccomp.
    mutating func answer(_ numbers: SyscallNumbers, with action: UInt32) {
        for (place, number) in numbers.byArchitecture.enumerated() {
            if let number, answers[place][number] == nil { answers[place][number] = action }
        }
    }

    /// The instructions; they end by falling through to the program behind them.
    ///
    /// With `refusing`, numbers beyond the last one named get ENOSYS.
    func program(refusing: Bool, warn: (String) -> Void) -> [UInt8] {
        var instructions: [BPFInstruction] = [.load(4)]
        var done: [UInt32] = []
        for architecture in architectures {
            let audit = cseccomp_audit_architecture(architecture)
            guard !done.contains(audit) else { continue }
            done.append(audit)
            // x32 and x86-64 share their AUDIT_ARCH_.
            let places = architectures.indices.filter { cseccomp_audit_architecture(architectures[$0]) == audit }
            let parts = segments(places, refusing: refusing, warn: warn)
            guard parts.contains(where: { $0.action != nil }) else { continue }
            instructions += BPFInstruction.ifEqual(audit, then: [.load(0)] + Self.search(parts[...]))
        }
        guard instructions.count > 1 else { return [] }
        var bytes: [UInt8] = []
        for (index, instruction) in instructions.enumerated() {
            let leaving = instruction == Self.leave
            (leaving ? .jump(instructions.count - index - 1) : instruction).append(to: &bytes)
        }
        return bytes
    }

    /// Numbers from `start` up to the next segment's; without an action libseccomp's program decides.
    private struct Segment {
        var start: UInt32
        var action: UInt32?
    }

    /// All numbers of a process, in order.
    private func segments(_ places: [Int], refusing: Bool, warn: (String) -> Void) -> [Segment] {
        var segments = [Segment(start: 0, action: nil)]
        func begin(_ start: UInt32, _ action: UInt32?) {
            if segments[segments.count - 1].start == start { segments.removeLast() }
            if segments.last?.action != action || segments.isEmpty {
                segments.append(Segment(start: start, action: action))
            }
        }
        let x32 = SeccompNames.x32
        // x32's numbers are above the others; where it is not listed, libseccomp's program kills.
        for place in places.sorted(by: { architectures[$0] != x32 && architectures[$1] == x32 }) {
            let base = architectures[place] == x32 ? SyscallNumbers.x32Bit : 0
            begin(base, nil)
            for number in answers[place].keys.sorted() {
                begin(number, answers[place][number])
                begin(number + 1, nil)
            }
            guard refusing else { continue }
            if last[place] & ~SyscallNumbers.x32Bit == 0 {
                warn("could not find any syscalls for seccomp architecture \(architectures[place])")
            } else {
                begin(last[place] + 1, Self.noSuchCall)
            }
        }
        if places.contains(where: { architectures[$0] == SeccompNames.x86_64 }),
            !places.contains(where: { architectures[$0] == x32 })
        {
            begin(SyscallNumbers.x32Bit, nil)
        }
        return segments
    }

    /// Stands for a jump to the end of the table, whose place is not known yet; no other jump goes nowhere.
    private static let leave = BPFInstruction.jump(0)

    private static func search(_ segments: ArraySlice<Segment>) -> [BPFInstruction] {
        guard segments.count > 1 else { return [segments.first?.action.map { .give($0) } ?? leave] }
        let middle = segments.startIndex + segments.count / 2
        return BPFInstruction.ifAtLeast(
            segments[middle].start, then: search(segments[middle...]), other: search(segments[..<middle]))
    }
}
