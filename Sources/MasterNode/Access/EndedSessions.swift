internal import ClusterModel
internal import Crypto
internal import FoundationEssentials

/// Sessions that were ended before their time, by the SHA-256 of their text, until they would have ended by themselves.
struct EndedSessions: Hashable, Sendable, Codable {
    /// How many are kept; those that would end first are forgotten when there are more, which only somebody who logs in
    /// and out thousands of times within a few days can bring about.
    static let limit = 2_000

    private var ends: [String: UnixTime] = [:]

    func contains(_ text: String) -> Bool { !ends.isEmpty && ends[Self.digest(text)] != nil }

    mutating func add(_ text: String, until end: UnixTime, now: UnixTime) {
        ends = ends.filter { $0.value > now }
        if ends.count >= Self.limit, let first = ends.min(by: { $0.value < $1.value }) { ends[first.key] = nil }
        ends[Self.digest(text)] = end
    }

    private static func digest(_ text: String) -> String {
        Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString()
    }
}
