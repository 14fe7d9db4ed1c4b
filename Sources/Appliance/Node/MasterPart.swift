internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import LinuxSystem
internal import Logging
internal import MasterCore
internal import MasterNode
internal import StateStore
internal import Transport

/// A master with its store, as this process runs it.
struct MasterPart: Sendable {
    let node: MasterNode
    let store: SQLiteStore
    let credentials: StoredCredentials
    let administrator: String
    let task: Task<Void, any Error>

    /// How join tokens are printed and for how long they work.
    static let tokenLifetime = Duration.seconds(86_400)

    /// Opens the store, binds and starts.
    static func start(
        _ settings: MasterNode.Settings, store path: String, administrator: String, listeningOn endpoints: [Endpoint],
        transport: Transport, logger: Logger, events: NodeEvents
    ) async throws -> MasterPart {
        var settings = settings
        settings.catalogDirectory = path.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/catalog"
        settings.builtInCatalog = { BuiltInCatalog.document }
        let store = try SQLiteStore(path: path)
        let credentials = StoredCredentials(store: store, administrator: administrator)
        let node: MasterNode
        do {
            node = try await MasterNode.start(
                settings, listeningOn: endpoints, transport: transport, store: store, credentials: credentials,
                logger: logger)
        } catch {
            await store.close()
            throw error
        }
        let task = Task.detached {
            do {
                try await node.run()
                events.post(.masterEnded(.success(())))
            } catch {
                events.post(.masterEnded(.failure(error)))
                throw error
            }
        }
        return MasterPart(
            node: node, store: store, credentials: credentials, administrator: administrator, task: task)
    }

    /// The port of its first TCP listener.
    var port: UInt16 { node.endpoints.compactMap(\.port).first ?? 0 }

    /// Ends all streams, answers what is under way, closes the store.
    func stop() async {
        await node.stop()
        _ = await task.result
        await store.close()
    }

    /// A version-4 UUID in lower case.
    static func newClusterID() -> String {
        var generator = SystemRandomNumberGenerator()
        return StatusUUID(using: &generator).text
    }

    /// 256 random bits in hexadecimal: the administrator's credential.
    static func newSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension MasterNode.Settings {
    init(_ configuration: Configuration, address: IPAddress, port: UInt16) throws {
        self.init(
            hostname: try configuration.text(.hostname) ?? HostFacts.hostname(),
            advertisedAddress: address.description, advertisedPort: port, version: Program.version)
        clusterName = configuration.text(.name) ?? "rondo"
        if let time = configuration.duration(.unreachableAfter) {
            core.unreachableAfter = max(time, .milliseconds(300))
            core.agentHeartbeat = core.unreachableAfter / 3
        }
        servesJobs = configuration.isTrue(.jobs)
        servesServices = configuration.isTrue(.services)
        serviceDrain = configuration.duration(.drain)
        if let time = configuration.duration(.recoveryWindow) { core.recoveryWindow = time }
        for key in ConfigurationKey.allCases where key.kind != .secret {
            if let value = configuration.value(key), configuration.isSet(key) { flags[key.rawValue] = value.text }
        }
    }
}
