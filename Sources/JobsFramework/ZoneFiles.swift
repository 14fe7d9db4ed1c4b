internal import CZones
internal import FoundationEssentials
internal import Schedules
internal import Synchronization

/// The rules of time zones: from the host's files, and where it has none from a copy in this program.
///
/// The copy knows what the clocks do from 2020 on, which is all that schedules ask.
struct ZoneFiles: Sendable {
    /// Directories of TZif files, in the order in which they are looked into.
    let directories: [String]

    static let host = ZoneFiles(directories: ["/usr/share/zoneinfo", "/usr/lib/zoneinfo"])

    /// The rules of a zone.
    ///
    /// - Returns: nil when there is none with this name.
    func rules(_ name: String) -> TimeZoneRules? {
        guard TimeZoneName.defect(of: name) == nil else { return nil }
        for directory in directories {
            if let bytes = Self.file(directory + "/" + name), let rules = try? TimeZoneRules(tzif: bytes) {
                return rules
            }
        }
        if let rules = Self.embedded(name) { return rules }
        return TimeZoneName.isUTC(name) ? .utc : nil
    }

    private static func file(_ path: String) -> [UInt8]? {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let size = attributes[.size] as? UInt64 ?? (attributes[.size] as? Int).map(UInt64.init),
            size <= UInt64(TimeZoneRules.fileLimit)
        else { return nil }
        return FileManager.default.contents(atPath: path).map(Array.init)
    }

    /// A zone of the copy: lines of a name and the number of its file, then the files; see
    /// Provisioning/make-time-zones.
    static func embedded(_ name: String) -> TimeZoneRules? {
        guard let (begin, end) = catalog[name] else { return nil }
        return try? TimeZoneRules(tzif: bytes(begin, end))
    }

    /// The names in the copy.
    static var embeddedNames: [String] { catalog.keys.sorted() }

    private static func bytes(_ begin: Int, _ end: Int) -> [UInt8] {
        let all = UnsafeBufferPointer(start: rondo_zones_bytes(), count: Int(rondo_zones_length()))
        guard begin >= 0, begin <= end, end <= all.count else { return [] }
        return Array(all[begin..<end])
    }

    /// Where each zone's file begins and ends.
    private static let catalog: [String: (Int, Int)] = {
        let all = bytes(0, Int(rondo_zones_length()))
        guard let blank = all.firstRange(of: Array("\n\n".utf8)) else { return [:] }
        var catalog: [String: (Int, Int)] = [:]
        for line in all[..<blank.lowerBound].split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 3, let begin = Int(words[1]), let length = Int(words[2]) else { continue }
            catalog[words[0]] = (blank.upperBound + begin, blank.upperBound + begin + length)
        }
        return catalog
    }()
}
