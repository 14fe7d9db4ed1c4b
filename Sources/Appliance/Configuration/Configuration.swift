public import ClusterModel
internal import LinuxSystem
public import Transport

/// The settings of one run of the program: a flag wins over the environment, that over the file, that over defaults.
public struct Configuration: Sendable {
    /// Where a value comes from.
    public enum Source: Hashable, Sendable, CustomStringConvertible {
        /// A flag of the command line.
        case flag(String)
        /// An environment variable.
        case environment(String)
        /// A line of the file.
        case file(String, line: Int)
        /// Nobody has set it.
        case builtIn

        /// As errors and `rondo config show` name it.
        public var description: String {
            switch self {
            case .flag(let name): name
            case .environment(let name): "environment variable \(name)"
            case .file(let path, let line): "\(path) line \(line)"
            case .builtIn: "default"
            }
        }
    }

    /// A value as it was written, with where.
    public struct Value: Hashable, Sendable {
        /// The text; it has been checked.
        public var text: String
        /// Where it stands.
        public var source: Source
    }

    /// The file that is read when no other is named; it need not be there.
    public static let usualFile = "/etc/rondo/config.yaml"

    /// The file that was named in place of the usual one.
    public let namedFile: String?
    private var values: [ConfigurationKey: Value] = [:]

    /// Reads and checks all three places.
    ///
    /// - Parameters:
    ///   - flags: what the command line sets.
    ///   - environment: all variables of the process.
    ///   - file: the file named with `--config`, which must be there; nil reads the usual one if it is.
    /// - Throws: ``ConfigurationError`` naming the place of the first fault.
    public init(
        flags: [ConfigurationKey: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) throws(ConfigurationError) {
        let named = file ?? environment["RONDO_CONFIG"]
        namedFile = named
        if let text = try Self.read(named ?? Self.usualFile, mayBeMissing: named == nil) {
            try take(text, path: named ?? Self.usualFile)
        }
        for key in ConfigurationKey.allCases {
            if let text = environment[key.environment] {
                try set(key, text, .environment(key.environment))
            }
            if let text = flags[key] { try set(key, text, .flag(key.flag)) }
        }
    }

    private static func read(_ path: String, mayBeMissing: Bool) throws(ConfigurationError) -> [UInt8]? {
        do throws(SystemError) {
            return try readFile(path, limit: YAMLDocument.bytesMax)
        } catch {
            // Everybody may run a command; a file that only root may read is the daemon's.
            if mayBeMissing, error.isMissingOrForbidden { return nil }
            throw ConfigurationError("cannot read the configuration \(path): \(error.reason)")
        }
    }

    private mutating func take(_ bytes: [UInt8], path: String) throws(ConfigurationError) {
        let document: YAMLValue
        do throws(YAMLError) { document = try YAMLDocument.parse(bytes) } catch {
            throw ConfigurationError("\(path): \(error)")
        }
        switch document {
        case .mapping(let entries, _): try take(entries, prefix: "", path: path)
        // A file of comments only.
        case .scalar("", _, _): return
        case .scalar, .sequence:
            throw ConfigurationError("\(path) line \(document.line): settings are written as KEY: VALUE")
        }
    }

    private mutating func take(_ entries: [YAMLEntry], prefix: String, path: String) throws(ConfigurationError) {
        for entry in entries {
            let name = prefix + entry.key
            let place = Source.file(path, line: entry.line)
            if let key = ConfigurationKey(rawValue: name) {
                try set(key, try Self.text(of: entry.value, for: key, place), place)
            } else if ConfigurationKey.allCases.contains(where: { $0.rawValue.hasPrefix(name + ".") }) {
                guard case .mapping(let inner, _) = entry.value else {
                    throw ConfigurationError("\(place): '\(name)' holds further keys; write them below it, indented")
                }
                try take(inner, prefix: name + ".", path: path)
            } else {
                let near = Spelling.nearest(to: name, among: ConfigurationKey.allCases.map(\.rawValue))
                let hint = near.map { "; did you mean '\($0)'?" } ?? "; `rondo config` lists all keys"
                throw ConfigurationError("\(place): there is no key '\(name.prefix(80))'\(hint)")
            }
        }
    }

    private static func text(
        of value: YAMLValue, for key: ConfigurationKey, _ place: Source
    ) throws(ConfigurationError) -> String {
        switch value {
        case .scalar(let text, _, _): return text
        case .sequence(let items, _) where key.kind == .attributes || key.kind == .resources:
            var parts: [String] = []
            for item in items {
                guard case .scalar(let text, let line, _) = item else {
                    throw ConfigurationError("\(place): '\(key.rawValue)' takes a list of text, see line \(item.line)")
                }
                guard !text.contains(";") else {
                    throw ConfigurationError(
                        "\(place): write each of '\(key.rawValue)' on a line of its own, see line \(line)")
                }
                parts.append(text)
            }
            return parts.joined(separator: ";")
        case .sequence, .mapping:
            throw ConfigurationError("\(place): '\(key.rawValue)' takes one value")
        }
    }

    private mutating func set(_ key: ConfigurationKey, _ text: String, _ source: Source) throws(ConfigurationError) {
        if let problem = key.kind.problem(with: text) {
            let shown = key.kind == .secret ? "the value" : "'\(text.prefix(80))'"
            let place = source == .flag(key.flag) ? "\(source)" : "\(source), \(key.rawValue)"
            throw ConfigurationError("\(place): \(shown) \(problem)")
        }
        values[key] = Value(text: text, source: source)
    }

    // MARK: Values

    /// The value with its source; nil when it is not set and has no default.
    ///
    /// - Parameter key: what is asked for.
    /// - Returns: the text as written, checked.
    public func value(_ key: ConfigurationKey) -> Value? {
        values[key] ?? key.defaultText.map { Value(text: $0, source: .builtIn) }
    }

    /// Whether somebody has set it.
    ///
    /// - Parameter key: what is asked for.
    /// - Returns: false when the default counts.
    public func isSet(_ key: ConfigurationKey) -> Bool { values[key] != nil }

    /// The text of a value.
    public func text(_ key: ConfigurationKey) -> String? { value(key)?.text }

    /// The text of a value that has a default.
    public func path(_ key: ConfigurationKey) -> String {
        var path = text(key) ?? "/"
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// A whole number; 0 when it is not set and has no default.
    public func integer(_ key: ConfigurationKey) -> Int { text(key).flatMap { Int($0) } ?? 0 }

    /// A number; 0 when it is not set and has no default.
    public func number(_ key: ConfigurationKey) -> Double { text(key).flatMap { Double($0) } ?? 0 }

    /// A port.
    public func port(_ key: ConfigurationKey) -> UInt16 { text(key).flatMap { UInt16($0) } ?? 0 }

    /// Whether a flag is set to true.
    public func isTrue(_ key: ConfigurationKey) -> Bool { text(key) == "true" }

    /// A time.
    public func duration(_ key: ConfigurationKey) -> Duration? { text(key).flatMap { Duration(text: $0) } }

    /// An address with port, or a socket.
    public func endpoint(_ key: ConfigurationKey) -> Endpoint? { text(key).flatMap { try? Endpoint(parsing: $0) } }

    /// An address.
    public func address(_ key: ConfigurationKey) -> IPAddress? { text(key).flatMap { try? IPAddress(parsing: $0) } }

    /// The attributes of an agent.
    public var attributes: [Attribute] { text(.attributes).flatMap { ValueKind.attributes($0) } ?? [] }

    /// The resources that an agent was told to offer.
    public var resources: Resources? { text(.resources).flatMap { try? Resources(text: $0) } }

    /// Where the agent stands, when region and zone are both set.
    public var domain: Domain? {
        guard let region = text(.region), let zone = text(.zone) else { return nil }
        return Domain(region: region, zone: zone)
    }
}

/// Why the configuration cannot be used; the message names the place.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The place, what is wrong there, and what would be right.
    public let description: String

    init(_ description: String) { self.description = description }
}

extension SystemError {
    fileprivate var isMissingOrForbidden: Bool { errno == 2 || errno == 13 || errno == 20 }
}

/// Finds the word that somebody may have meant.
public enum Spelling {
    /// The nearest of some words, nil when none is near.
    ///
    /// - Parameters:
    ///   - word: what was written.
    ///   - words: what could have been meant.
    /// - Returns: one of `words`.
    public static func nearest(to word: String, among words: [String]) -> String? {
        let word = String(word.prefix(64))
        // The last part alone counts too: `agents` means `dev.agents`.
        let scored = words.map { candidate -> (String, Int) in
            let last = candidate.split(separator: ".").last.map(String.init) ?? candidate
            return (candidate, min(distance(word, candidate), distance(word, last) + 1))
        }
        guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= max(2, word.count / 3) else { return nil }
        return best.0
    }

    /// Levenshtein's distance.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let substituted = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, min(row[j], row[j + 1]) + 1)
            }
        }
        return row[right.count]
    }
}
