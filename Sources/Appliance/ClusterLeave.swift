internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import MasterNode
internal import NIOCore
public import Transport

/// `rondo cluster leave`: has the node on this machine end its tasks and leave, and waits until it is gone.
public struct ClusterLeave: Sendable {
    private let files: NodeFiles
    private let purge: Bool
    private let force: Bool
    private let service: NodeService?

    /// Prepares to leave.
    ///
    /// - Parameters:
    ///   - configuration: data and runtime say which node.
    ///   - purge: whether the node's files are removed too.
    ///   - force: whether a master leaves although others need it.
    public init(_ configuration: Configuration, purge: Bool, force: Bool) {
        files = NodeFiles(configuration)
        self.purge = purge
        self.force = force
        service = NodeService.isWanted(configuration, foreground: false) ? NodeService(configuration) : nil
    }

    /// Leaves; returns when the node's process is gone.
    ///
    /// - Parameter transport: opens the connection.
    /// - Throws: ``ApplianceError`` when there is no node, or it does not let go.
    public func run(_ transport: Transport) async throws {
        let known = service?.state
        let caller = HTTPCaller(transport: transport)
        let result: Result<HTTPCaller.Response, HTTPCallError>
        do throws(HTTPCallError) {
            let socket = (try? Endpoint(unixPath: files.socketPath)) ?? .unix(path: "/dev/null")
            result = .success(
                try await caller.call(
                    .post, socket, "/rondo/v1/local/leave?purge=\(purge)&force=\(force)", timeout: .seconds(30)))
        } catch { result = .failure(error) }
        await caller.shutDown()
        switch result {
        case .success(let response):
            let pid = try await finish(response)
            // What ran the node would find none at the next boot.
            if let known, known.pid == pid || purge { service?.retire(known) }
        case .failure: try withoutNode(known)
        }
        if purge, let known { try service?.remove(known) }
    }

    private func finish(_ response: HTTPCaller.Response) async throws -> Int32 {
        let bytes = Data(response.bytes.readableBytesView)
        guard response.status.code == 202,
            let answer = try? JSONDecoder().decode(LocalNode.Answer.self, from: bytes)
        else {
            let text = String(decoding: bytes.prefix(500), as: UTF8.self)
            throw ApplianceError(.failure, "cannot leave: " + text.split(separator: "\n").joined(separator: " "))
        }
        guard let process = ProcessIdentity.current(pid: answer.pid) else { return answer.pid }
        let clock = SystemClock()
        let deadline = clock.now().elapsed + .seconds(60)
        while process.isAlive {
            guard clock.now().elapsed < deadline else {
                throw ApplianceError(.failure, "process \(answer.pid) still ends its tasks; look at its log")
            }
            try await clock.sleep(until: clock.now().elapsed + .milliseconds(30))
        }
        return answer.pid
    }

    /// No process runs; with `--purge`, what it left is removed all the same.
    private func withoutNode(_ known: Systemd.State?) throws {
        guard let identity = try files.identity() else {
            // A first start that failed half-way left files and no node.
            if purge, files.hasRemains || known != nil && !ServiceRecord().entries.isEmpty {
                if let known { service?.retire(known) }
                return try files.purge()
            }
            throw ApplianceError(
                .unavailable, "no node in \(files.root); name its directory with --data if it has another")
        }
        guard purge else {
            throw ApplianceError(
                .unavailable,
                "the \(identity.role) node in \(files.root) does not run; start it to leave in good order, or remove "
                    + "what it left with --purge")
        }
        // It may be about to start the node again.
        if let known { service?.retire(known) }
        try files.destroyRemains()
        try files.purge()
    }
}
