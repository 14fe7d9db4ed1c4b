internal import ClusterModel
internal import Transport

/// What a setting's text must look like.
public enum ValueKind: Equatable, Sendable {
    /// Text without control characters, not empty, at most 255 bytes.
    case text
    /// A secret: as text, but never shown.
    case secret
    /// An absolute path.
    case path
    /// An IP literal.
    case address
    /// `ADDRESS:PORT`, or `unix:PATH`.
    case endpoint
    /// One of a few words, or `ADDRESS:PORT`.
    case endpointOr([String])
    /// A port number; 0 takes a free one.
    case port
    /// A whole number within bounds.
    case integer(ClosedRange<Int>)
    /// A number within bounds.
    case number(ClosedRange<Double>)
    /// `true` or `false`.
    case flag
    /// A number with a unit: `500ms`, `15s`, `2m`, `1h`, `1d`.
    case duration
    /// One of a few words.
    case choice([String])
    /// Mesos' text form of resources, `cpus:4;mem:1024`.
    case resources
    /// Mesos' text form of attributes, `rack:a;zone:2`.
    case attributes
    /// The name of a Mesos role.
    case role

    /// What is wrong with a text; nil when nothing is.
    ///
    /// - Parameter text: the value as written.
    /// - Returns: words that follow the value, such as "must be a port".
    public func problem(with text: String) -> String? {
        switch self {
        case .text, .secret: Self.textProblem(text)
        case .path:
            text.hasPrefix("/") && text.utf8.count < 900 && !text.unicodeScalars.contains { $0.value < 0x20 }
                ? nil : "must be an absolute path of less than 900 bytes"
        case .address: Self.described { _ = try IPAddress(parsing: text) }
        case .endpoint: Self.described { _ = try Endpoint(parsing: text) }
        case .endpointOr(let words):
            if case .tcp? = try? Endpoint(parsing: text) {
                nil
            } else {
                words.contains(text)
                    ? nil : "must be \(words.joined(separator: ", ")) or an address with port, such as 127.0.0.1:53"
            }
        case .port: UInt16(digits: text) == nil ? "must be a port, a number from 0 to 65535" : nil
        case .integer(let range):
            Int(digits: text).map(range.contains) == true
                ? nil : "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            Double(text).map { $0.isFinite && range.contains($0) } == true
                ? nil : "must be a number from \(Self.short(range.lowerBound)) to \(Self.short(range.upperBound))"
        case .flag: ["true", "false"].contains(text) ? nil : "must be true or false"
        case .duration:
            Duration(text: text) == nil ? "must be a time with a unit, such as 500ms, 15s, 2m, 1h or 1d" : nil
        case .choice(let words): words.contains(text) ? nil : "must be one of \(words.joined(separator: ", "))"
        case .resources: Self.described { _ = try Resources(text: text) }
        case .attributes:
            Self.attributes(text) == nil ? "must be attributes such as rack:a;zone:2" : nil
        case .role: RoleName(text).defect.map { "names a role that \($0)" }
        }
    }

    static func attributes(_ text: String) -> [Attribute]? {
        var all: [Attribute] = []
        for part in text.split(separator: ";") {
            guard let attribute = Attribute(text: String(part)) else { return nil }
            all.append(attribute)
        }
        return all
    }

    private static func textProblem(_ text: String) -> String? {
        if text.isEmpty || text.utf8.count > 255 { return "must have 1 to 255 bytes" }
        return text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
            ? "must not contain control characters" : nil
    }

    private static func described(_ check: () throws -> Void) -> String? {
        do {
            try check()
            return nil
        } catch { return "cannot be used: \(error)" }
    }

    private static func short(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
    }
}

extension FixedWidthInteger {
    /// Digits only: the standard initializer alone would also take a plus sign.
    init?(digits: String) {
        let isNegative = digits.hasPrefix("-")
        guard !digits.isEmpty, digits.dropFirst(isNegative ? 1 : 0).utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            return nil
        }
        self.init(digits)
    }
}

extension Duration {
    /// Reads `500ms`, `15s`, `1.5m`, `1h` or `1d`; nil for anything else and for negative times.
    ///
    /// - Parameter text: a number with a unit.
    public init?(text: String) {
        let units: [(suffix: String, seconds: Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400),
        ]
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }) else { return nil }
        let digits = text.dropLast(unit.suffix.count)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
            let number = Double(digits), number.isFinite, number * unit.seconds <= 366 * 86_400
        else { return nil }
        self = .milliseconds(Int64(number * unit.seconds * 1_000))
    }
}
