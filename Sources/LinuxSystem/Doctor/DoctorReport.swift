/// One thing that the kernel or the machine can do, or cannot.
///
/// Encoded, it is an element of `checks` in the output of `rondo doctor --output json`: fields are added, never renamed.
public struct DoctorCheck: Equatable, Sendable, Encodable {
    /// How far it can be used.
    public enum State: String, Sendable, Encodable, CaseIterable {
        /// All of it.
        case ok
        /// In part, or only by some users.
        case limited
        /// Not at all.
        case missing
    }

    /// Stable name, lower case with hyphens.
    public let id: String
    /// What it is.
    public let title: String
    /// How far it can be used.
    public let state: State
    /// What was found, in words.
    public let finding: String
    /// What of Rondo depends on it.
    public let neededFor: String
    /// What to do about it; nil when it is ok or nothing can be done.
    public let advice: String?
    /// Whether containers cannot run without it.
    public let isRequired: Bool
    /// Whether the administrator would see more than this process could.
    public var needsRoot = false

    private enum CodingKeys: String, CodingKey {
        case id, title, state, finding, neededFor, advice, needsRoot
        case isRequired = "required"
    }
}

/// What a check is about, before anything is known.
struct DoctorSubject {
    let id: String
    let title: String
    let neededFor: String
    var isRequired = false

    private func check(_ state: DoctorCheck.State, _ finding: String, _ advice: String?) -> DoctorCheck {
        DoctorCheck(
            id: id, title: title, state: state, finding: finding, neededFor: neededFor, advice: advice,
            isRequired: isRequired)
    }

    func ok(_ finding: String) -> DoctorCheck { check(.ok, finding, nil) }
    func limited(_ finding: String, advice: String) -> DoctorCheck { check(.limited, finding, advice) }
    func missing(_ finding: String, advice: String) -> DoctorCheck { check(.missing, finding, advice) }
}

/// All that was found out about a machine.
///
/// Encoded, it is the output of `rondo doctor --output json`.
public struct DoctorReport: Equatable, Sendable, Encodable {
    /// A name that no check has.
    public struct UnknownCheck: Error, Equatable, Sendable, CustomStringConvertible {
        /// As it was given.
        public let id: String

        /// What is wrong and what to do.
        public var description: String {
            "there is no check '\(id)'; the checks are \(HostDoctor.identifiers.joined(separator: ", "))"
        }
    }

    /// In the order of the table.
    public let checks: [DoctorCheck]
    /// Whether the process had the rights of the administrator.
    public let isRoot: Bool

    /// Whether everything that containers need is ok.
    public var isReady: Bool { unmet.isEmpty }
    /// The checks for which it is not.
    public var unmet: [DoctorCheck] { checks.filter { $0.isRequired && $0.state != .ok } }

    /// The report with some of the checks.
    ///
    /// - Parameter ids: names of checks; none means all.
    /// - Returns: those checks, in the order of the table.
    /// - Throws: the first name that is none.
    public func only(_ ids: [String]) throws(UnknownCheck) -> DoctorReport {
        if ids.isEmpty { return self }
        for id in ids where !checks.contains(where: { $0.id == id }) { throw UnknownCheck(id: id) }
        return DoctorReport(checks: checks.filter { ids.contains($0.id) }, isRoot: isRoot)
    }

    private enum CodingKeys: String, CodingKey {
        case ready, root, counts, checks
    }

    /// Writes the document.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(isReady, forKey: .ready)
        try fields.encode(isRoot, forKey: .root)
        let counts = DoctorCheck.State.allCases.map { state in
            (state.rawValue, checks.count { $0.state == state })
        }
        try fields.encode(Dictionary(counts) { $1 }, forKey: .counts)
        try fields.encode(checks, forKey: .checks)
    }
}
