internal import Console
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes

/// `/ui/audit`
extension ConsoleDesk {
    /// Rows of a page.
    private static let rowLimit = 50
    /// Bytes that are looked through for one page.
    private static let scanLimit = 512 << 10

    func audit() async throws -> GatewayResponse {
        let filter = AuditFilter { request.query[$0] }
        guard let log = filter.log == "work" ? node.trail.work : node.trail.audit else {
            return page(
                AuditPage(
                    filter: filter, rows: [],
                    problem: "This master keeps no audit log. One that was made with `rondo cluster init` does."))
        }
        if let place = request.query["entry"].flatMap({ Self.place($0) }) {
            guard let row = Self.row(at: place, in: log) else {
                throw GatewayError(.notFound, "the log has no such entry, or not any more")
            }
            return page(AuditEntryPage(row: row, filter: filter))
        }
        let start = request.query["before"].flatMap { Self.place($0) }
        var found: [AuditRow] = []
        var place = start
        var scanned = 0
        var isOldest = false
        search: while scanned < Self.scanLimit {
            let lines = log.lines(before: place)
            if lines.isEmpty {
                isOldest = true
                break
            }
            for line in lines.reversed() {
                place = line.place
                scanned += line.bytes.count + 1
                guard let row = Self.row(line.bytes, at: line.place) else { continue }
                if !filter.since.isEmpty, row.time < filter.since {
                    isOldest = true
                    break search
                }
                if row.matches(filter) { found.append(row) }
                if found.count == Self.rowLimit { break search }
            }
        }
        if !isOldest, log.lines(before: place).isEmpty { isOldest = true }
        return page(
            AuditPage(
                filter: filter, rows: found, older: isOldest ? nil : place.map { Self.text(of: $0) },
                isPast: start != nil,
                isCut: found.count < Self.rowLimit && !isOldest))
    }

    private static func text(of place: AuditLog.Position) -> String { "\(place.segment)-\(place.offset)" }

    private static func place(_ text: String) -> AuditLog.Position? {
        let parts = text.split(separator: "-")
        guard parts.count == 2, let segment = UInt64(parts[0]), let offset = Int(parts[1]), offset >= 0,
            offset < 1 << 40
        else { return nil }
        return AuditLog.Position(segment: segment, offset: offset)
    }

    private static func row(at place: AuditLog.Position, in log: AuditLog) -> AuditRow? {
        guard let (bytes, next) = log.read(at: place), next.segment == place.segment,
            let line = bytes.split(separator: 10, omittingEmptySubsequences: false).first
        else { return nil }
        return row(line, at: place)
    }

    private static func row(_ line: ArraySlice<UInt8>, at place: AuditLog.Position) -> AuditRow? {
        struct Line: Decodable {
            var time: String
            var who: String
            var from: String
            var action: String
            var object: String
            var result: String
            var reason: String?
        }
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(line)) else { return nil }
        return AuditRow(
            place: text(of: place), time: line.time, who: line.who, from: line.from, action: line.action,
            object: line.object, result: line.result, reason: line.reason)
    }
}

extension ConsoleChanges {
    /// Differs when the page of the audit log differs.
    func audit() async -> Int? { node.trail.audit?.end.hashValue }
}
