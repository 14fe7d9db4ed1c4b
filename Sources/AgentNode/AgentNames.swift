internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import Logging
internal import NIOCore
internal import NameService
internal import Synchronization

/// Names on this node: learns what there is from the master, and answers questions of containers and of the node itself.
///
/// What is known stays when the master cannot be asked, and when it was restarted: see `NameReplica`. Nothing here can end
/// the agent: where it may not listen, tasks run without these names, and the log says so once.
final class AgentNames: Sendable {
    private struct State {
        var table = NameTable()
        var serial: UInt32 = 0
        /// By the place that they listen on.
        var servers: [String: NameServer] = [:]
        /// Where the node itself asks, when that is the usual port.
        var own: NetworkAddress?
        /// The question that is under way.
        var question: Task<HTTPCaller.Response, any Error>?
    }

    /// Longer than a master holds a question.
    private static let patience = Duration.seconds(35)
    private static let answerLimit = 16 << 20
    /// Changes of the table in between, at most; answers may be kept longer than this anyway.
    private static let leastPause = Duration.milliseconds(200)
    private static let longestPause = Duration.seconds(4)
    /// Several agents of one machine have one of these each.
    private static let loopbackAddresses = (1...32).map { NetworkAddress(ipv4: 0x7f52_6f00 + $0) }

    private let settings: AgentNode.Settings
    private let caller: HTTPCaller
    private let logger: Logger
    private let state = Mutex(State())
    /// Whether it was tried to listen there.
    private let bridge = Mutex(false)

    init(settings: AgentNode.Settings, caller: HTTPCaller, logger: Logger) {
        self.settings = settings
        self.caller = caller
        self.logger = logger
    }

    // MARK: learning

    /// Asks for changes until the calling task is cancelled, then stops answering.
    func run() async {
        listen()
        var replica = NameReplica()
        var failures = 0
        while !Task.isCancelled {
            let masters = settings.masters.endpoints
            let path = Self.path(replica.mark)
            let endpoint = masters[failures % masters.count]
            let question = Task { [caller, settings] in
                var headers = HTTPFields()
                if let credential = settings.credential { headers[.authorization] = "Bearer \(credential)" }
                return try await caller.call(
                    .get, endpoint, path, headers: headers, timeout: Self.patience, responseLimit: Self.answerLimit)
            }
            state.withLock { $0.question = question }
            let result = await withTaskCancellationHandler {
                await question.result
            } onCancel: {
                question.cancel()
            }
            let pause: Duration
            if question.isCancelled {
                // Somebody knows better than to wait for this answer.
                pause = .zero
            } else if let known = take(result, &replica) {
                failures = 0
                pause = known
            } else {
                failures += 1
                pause = min(Self.leastPause * (1 << min(failures, 5)), Self.longestPause)
            }
            if pause > .zero { try? await Task.sleep(for: pause) }
        }
        let servers = state.withLock { state in
            defer { state.servers = [:] }
            return state.servers.values
        }
        for server in servers { server.stop() }
    }

    /// The way to the master is another one than before: what was asked on the old one may never be answered.
    func refresh() { state.withLock { $0.question }?.cancel() }

    private static func path(_ mark: NameMark?) -> String {
        guard let mark else { return "/rondo/v1/names" }
        // An epoch is an id of a master; whatever else would be in it is no word of a query.
        let epoch = mark.epoch.utf8.filter { $0 > 0x20 && $0 < 0x7f && !"&#%+=?".utf8.contains($0) }
        return "/rondo/v1/names?epoch=\(String(decoding: epoch, as: UTF8.self))&revision=\(mark.revision)"
            + "&base=\(mark.base)"
    }

    /// Takes an answer.
    ///
    /// - Returns: how long to wait before the next question; nil when this was none.
    private func take(
        _ result: Result<HTTPCaller.Response, any Error>, _ replica: inout NameReplica
    ) -> Duration? {
        guard case .success(let response) = result else { return nil }
        if response.status == .noContent { return Self.leastPause }
        guard response.status == .ok,
            let changes = try? JSONDecoder().decode(NameChanges.self, from: Data(response.bytes.readableBytesView))
        else {
            logger.debug("the master tells no names: it answered \(response.status.code)")
            return nil
        }
        let before = AgentClock.now().elapsed
        if let source = replica.take(changes) { publish(source) }
        if changes.hasMore { return .zero }
        // A tenth of the time at most is spent on making tables.
        return max(Self.leastPause, (AgentClock.now().elapsed - before) * 9)
    }

    private func publish(_ source: NameSource) {
        let serial = state.withLock { state in
            state.serial &+= 1
            return state.serial
        }
        let table = NameTable(source, serial: serial)
        let servers = state.withLock { state in
            state.table = table
            return Array(state.servers.values)
        }
        for server in servers { server.update(table) }
    }

    // MARK: answering

    /// Where the node itself asks.
    private func listen() {
        let here = NetworkPrefix(NetworkAddress(ipv4: 127 << 24), length: 8)
        let here6 = NetworkPrefix(NetworkAddress(ipv6: 1), length: 128)
        let clients = [here, here6].compactMap { $0 }
        switch settings.names {
        case .off: return
        case .at(let address, let port):
            let settings = serverSettings([address], port: port, clients + Self.neighbours(address))
            start("own", settings) { self.logger.warning("\($0); set names.listen to another address, or to off") }
        case .auto:
            var isDone = false
            for address in Self.loopbackAddresses where !isDone {
                isDone = true
                start("own", serverSettings([address], port: 53, clients)) { error in
                    isDone = !error.isTaken
                    if isDone { self.logger.notice("\(error); this node has no names of its own, see names.listen") }
                }
            }
        }
    }

    /// Answers containers on the bridge as well.
    ///
    /// - Parameter gateways: the host's addresses there.
    /// - Returns: whether their questions are answered; if not, the log says why.
    func serve(bridge gateways: [NetworkPrefix]) -> Bool {
        bridge.withLock { isTried in
            if !isTried {
                isTried = true
                let settings = serverSettings(gateways.map(\.address), port: 53, gateways.map(\.network))
                start("bridge", settings) {
                    self.logger.warning(
                        "\($0); containers ask the host's own resolvers and know no names of the cluster")
                }
            }
            return state.withLock { $0.servers["bridge"] != nil }
        }
    }

    /// Where containers with the host's network ask; nil when nothing listens there, or not at the usual port.
    var own: NetworkAddress? { state.withLock { $0.own } }

    /// Who is asked on an address that is not loopback's is asked by this node with that address.
    private static func neighbours(_ address: NetworkAddress) -> [NetworkPrefix] {
        address.isLoopback ? [] : [NetworkPrefix(address, length: address.width)].compactMap { $0 }
    }

    private func serverSettings(
        _ addresses: [NetworkAddress], port: UInt16, _ clients: [NetworkPrefix]
    ) -> NameServerSettings {
        NameServerSettings(addresses: addresses, port: port, clients: clients, resolverFile: settings.resolverFile)
    }

    private func start(_ place: String, _ settings: NameServerSettings, failed: (NameServerError) -> Void) {
        do throws(NameServerError) {
            let server = try NameServer(settings, table: state.withLock { $0.table })
            let table = state.withLock { state in
                state.servers[place] = server
                if place == "own", server.port == 53 { state.own = settings.addresses.first }
                return state.table
            }
            server.update(table)
            let places = settings.addresses.map(\.description).joined(separator: " and ")
            logger.notice("names of the cluster are answered at \(places) port \(server.port)")
        } catch { failed(error) }
    }
}
