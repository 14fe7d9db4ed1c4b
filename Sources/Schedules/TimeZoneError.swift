/// Why bytes or a text are no time zone.
public enum TimeZoneError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file is not what RFC 8536 describes; the text says where it goes wrong.
    case malformed(String)
    /// The rule for the time after the last transition is not understood.
    case badRule(String)
    /// The name is none that a time zone can have.
    case badName(String)

    /// What is wrong.
    public var description: String {
        switch self {
        case .malformed(let what): "not a time zone file: \(what)"
        case .badRule(let what): "not a time zone rule: \(what)"
        case .badName(let what): "not the name of a time zone: \(what)"
        }
    }
}
