internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore

/// `GET /rondo/v1/audit?log=audit|work&lines=N&follow=true`: the audit log as lines of JSON, oldest first.
struct AuditFacade: Sendable {
    let trail: AuditTrail

    /// The most lines of the past in one answer.
    static let lineLimit = 10_000

    func respond(_ query: QueryParameters) throws -> GatewayResponse {
        let name = query["log"] ?? "audit"
        guard name == "audit" || name == "work" else {
            throw GatewayError(.badRequest, "parameter 'log' is '\(name.prefix(20))'; send audit or work")
        }
        let lines = try ReadFacade.number(query["lines"], "lines", least: 0) ?? 100
        guard lines <= Self.lineLimit else {
            throw GatewayError(.badRequest, "parameter 'lines' must be at most \(Self.lineLimit)")
        }
        guard let log = name == "audit" ? trail.audit : trail.work else {
            throw GatewayError(.notFound, "this master keeps no audit log")
        }
        let follows = query["follow"] == "true"
        return .stream(.ok, headers: [.contentType: "application/x-ndjson"]) { writer in
            // Asked for changes before reading, so that nothing falls in between.
            var changes = log.changes().makeAsyncIterator()
            var position = log.start(ofLast: lines)
            while true {
                while let (bytes, next) = log.read(at: position) {
                    try await writer.write(ByteBuffer(bytes: bytes))
                    position = next
                }
                guard follows, await changes.next() != nil else { return }
            }
        }
    }
}
