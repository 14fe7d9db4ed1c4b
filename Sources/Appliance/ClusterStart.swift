/// `rondo cluster start`: runs the node that is in the data directory, whatever it is.
public struct ClusterStart: Sendable {
    private let configuration: Configuration

    /// Prepares to start.
    ///
    /// - Parameter configuration: what `init` and `join` take, but for the role.
    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// Runs the node until a signal comes or it leaves.
    ///
    /// - Parameter signals: from ``StopSignals/listen()``.
    /// - Throws: ``ApplianceError`` with exit code 69 when there is none, and what ``ClusterInit`` and ``ClusterJoin``
    ///   throw.
    public func run(until signals: AsyncStream<Int32>) async throws {
        let files = NodeFiles(configuration)
        guard let identity = try files.identity() else {
            throw ApplianceError(
                .unavailable,
                "there is no node in \(files.root) to start; `rondo cluster init` makes a cluster, `rondo cluster join` "
                    + "makes this machine part of one")
        }
        if identity.master == nil {
            try await ClusterInit(configuration).run(until: signals)
        } else {
            try await ClusterJoin(configuration, master: nil).run(until: signals)
        }
    }
}
