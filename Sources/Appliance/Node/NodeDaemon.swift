internal import AgentNode
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Logging
internal import MasterCore
internal import MasterNode
internal import StateStore
internal import Transport

/// What a node's process runs, stopped in the order in which one part needs the other.
struct NodeDaemon: Sendable {
    let files: NodeFiles
    let transport: Transport
    let events: NodeEvents
    let logger: Logger
    var master: MasterPart?
    var agent: RunningAgent?
    var gossip: GossipPart?
    /// What goes on beside, until the node ends.
    var keepers: [@Sendable () async -> Void] = []
    /// Tells the cluster that the node has left for good.
    var depart: @Sendable () async -> Void = {}

    /// Opens the door for local commands, waits for the end, and ends everything in order.
    func run(role: String, behind: LocalDoor.Behind) async throws {
        let door = LocalDoor(role: role, files: files, behind: behind) { [master, agent, events] wanted in
            if !wanted.force, let master { try await Self.refuseToAbandon(master, hasAgent: agent != nil) }
            events.post(.leave(purge: wanted.purge))
        }
        let server: HTTPServer
        do { server = try await door.open(transport, logger) } catch {
            await stopAll()
            throw error
        }
        let work = keepers.map { keeper in Task.detached { await keeper() } }
        ServiceNotice.ready.send()
        let result = await wait()
        ServiceNotice.stopping.send()
        var purges = false
        if case .success(.leave(let purge)) = result {
            purges = purge
            await agent?.leave()
            await gossip?.leave()
            for task in work { task.cancel() }
            await depart()
            if master == nil {
                // They keep what the master tells, such as that this node has left.
                for task in work { await task.value }
                files.removeIdentity()
            }
        } else {
            await gossip?.stop()
        }
        for task in work { task.cancel() }
        await agent?.stop()
        await master?.stop()
        await server.stop(grace: .seconds(1))
        if purges {
            do { try files.purge() } catch {
                throw ApplianceError(.failure, "left the cluster, but cannot remove \(files.root): \(error)")
            }
        } else {
            files.removeSocket()
        }
        _ = try result.get()
    }

    func stopAll() async {
        await gossip?.stop()
        await agent?.stop()
        await master?.stop()
    }

    private enum End { case stop, leave(purge: Bool) }

    private static let evicted = ApplianceError(
        .notPermitted,
        "this node was evicted from the cluster, and its tasks are ended; to have the machine back, remove its data "
            + "directory and join again with a fresh token")

    private func wait() async -> Result<End, any Error> {
        for await event in events.stream {
            switch event {
            case .signal:
                logger.notice("stopping; tasks go on")
                return .success(.stop)
            case .leave(let purge):
                logger.notice("leaving the cluster; tasks are ended")
                return .success(.leave(purge: purge))
            case .evicted:
                logger.error("this node was evicted from the cluster; tasks are ended")
                await agent?.leave()
                return .failure(Self.evicted)
            case .agentEnded(.success(.refused(let reason))):
                return .failure(ApplianceError(.failure, "the master does not take this node: \(reason)"))
            case .agentEnded(.success), .masterEnded(.success): return .success(.stop)
            case .agentEnded(.failure(let error)), .masterEnded(.failure(let error)): return .failure(error)
            }
        }
        return .success(.stop)
    }

    /// A master that leaves ends the cluster for everybody.
    private static func refuseToAbandon(_ master: MasterPart, hasAgent: Bool) async throws {
        let others = try await master.node.snapshot().agents.values.count { $0.isActive } - (hasAgent ? 1 : 0)
        guard others > 0 else { return }
        throw GatewayError(
            .conflict,
            "\(others) other nodes need this master; let them leave first, or end the cluster with --force")
    }
}

extension ExitCode {
    /// How the process ends because of an error that reached the command line.
    ///
    /// - Parameter error: any error.
    public init(_ error: any Error) {
        self =
            switch error {
            case let error as ApplianceError: error.exitCode
            case is ConfigurationError: .usage
            case let error as MasterNodeError: ExitCode(rawValue: error.exitCode) ?? .software
            case StoreError.outcomeUnknown: .outcomeUnknown
            case HTTPCallError.unreachable: .unavailable
            default: .failure
            }
    }
}
