internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import NameService

/// Names: `/mesos_dns/v1/…` as Mesos-DNS has it, and `/rondo/v1/names`, where agents learn of changes.
struct NameFacade: Sendable {
    let node: MasterNode

    /// How long an agent's question is held.
    private static let holdTime = Duration.seconds(25)
    /// Changes that come together are told together.
    private static let gatherTime = Duration.milliseconds(20)

    /// `/mesos_dns` and what is below.
    func document(_ path: [String]) throws(GatewayError) -> GatewayResponse {
        let text = "/" + path.joined(separator: "/")
        guard let bytes = NameDocuments.document(text, table: node.names.table, version: node.settings.version) else {
            throw GatewayError(
                .notFound,
                "there is nothing at /mesos_dns\(text.prefix(200)); the documents are v1/hosts/NAME, v1/services/NAME, "
                    + "v1/enumerate, v1/axfr, v1/config and v1/version")
        }
        return .json(.ok, ByteBuffer(bytes: bytes))
    }

    /// `?epoch=E&revision=N&base=N`, as the last answer said; without them all is told. 204 when nothing has changed for
    /// a while.
    func changes(_ query: QueryParameters) async throws -> GatewayResponse {
        var mark: NameMark?
        if let epoch = query["epoch"], let revision = query["revision"].flatMap({ UInt64($0) }),
            let base = query["base"].flatMap({ UInt64($0) })
        {
            mark = NameMark(epoch: epoch, revision: revision, base: base)
        }
        let board = node.names
        let clock = node.clock
        if board.isKnown(mark) {
            await board.change(after: mark, within: Self.holdTime, clock)
            if board.isKnown(mark) { return .complete(.noContent) }
            try await clock.sleep(until: clock.now().elapsed + Self.gatherTime)
        }
        let bytes = try board.changes(after: mark) { Array(try JSONEncoder().encode($0)) }
        return .json(.ok, ByteBuffer(bytes: bytes))
    }
}
