/// The form of a package's definition.
public enum PackagingVersion: String, Hashable, Sendable, CaseIterable {
    case v2 = "2.0"
    case v3 = "3.0"
    case v4 = "4.0"
    case v5 = "5.0"

    /// The media type of a definition in this form, as Cosmos names it.
    public var mediaType: String {
        "application/vnd.dcos.universe.package+json;charset=utf-8;version=v\(rawValue.prefix(1))"
    }
}

/// Which versions may become another: one, or every one.
public enum VersionRange: Hashable, Sendable {
    case any
    case exactly(String)

    /// Reads `*` or a version.
    init(_ text: String) { self = text == "*" ? .any : .exactly(text) }

    /// Whether a version is meant.
    public func contains(_ version: String) -> Bool {
        switch self {
        case .any: true
        case .exactly(let only): only == version
        }
    }
}

/// A release of the cluster's software as packages ask for it: numbers with points between them. What follows a hyphen,
/// as in `1.10-dev`, plays no part.
public struct ReleaseNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    private let numbers: [Int]
    /// As it was written.
    public let description: String

    /// Reads a release; nil when it is none.
    public init?(_ text: String) {
        guard text.utf8.count <= PackageLimits.nameBytes else { return nil }
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        var numbers: [Int] = []
        for part in (halves.first ?? "").split(separator: ".", omittingEmptySubsequences: false) {
            guard let number = Int(part), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            numbers.append(number)
        }
        if halves.count > 1, halves[1].isEmpty { return nil }
        while numbers.count > 1, numbers.last == 0 { numbers.removeLast() }
        guard !numbers.isEmpty else { return nil }
        self.numbers = numbers
        description = text
    }

    /// The same when the numbers are; missing ones are zero.
    public static func == (left: Self, right: Self) -> Bool { left.numbers == right.numbers }
    /// Goes by the numbers.
    public func hash(into hasher: inout Hasher) { hasher.combine(numbers) }
    /// Orders by the numbers.
    public static func < (left: Self, right: Self) -> Bool {
        left.numbers.lexicographicallyPrecedes(right.numbers)
    }
}
