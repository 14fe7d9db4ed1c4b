import Glibc
import HTTPGateway
import HTTPTypes
import Logging
import MasterNode
import StateStore
import Transport

/// A server in a process of its own, so that what it costs can be told from what its clients cost.
///
/// It is this program again. It says its port on its output and ends when its input is closed.
final class ServingProcess {
    let pid: pid_t
    let endpoint: Endpoint
    private let input: Int32

    /// Starts the program again in a mode of its own.
    init(_ arguments: [String]) throws {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { throw Failure("no pipe") }
        for file in toChild + fromChild { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var argv: [UnsafeMutablePointer<CChar>?] = (["launch-benchmark"] + arguments).map { strdup($0) }
        argv.append(nil)
        defer { for each in argv { free(each) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, argv, environ)
        close(toChild[0])
        close(fromChild[1])
        guard code == 0 else { throw Failure("cannot start the server: \(String(cString: strerror(code)))") }
        pid = child
        input = toChild[1]
        var text: [UInt8] = []
        var byte: UInt8 = 0
        while read(fromChild[0], &byte, 1) == 1, byte != 10 { text.append(byte) }
        close(fromChild[0])
        guard let port = UInt16(String(decoding: text, as: UTF8.self)) else { throw Failure("the server has no port") }
        endpoint = .tcp(.loopback, port: port)
    }

    /// Ends the process and waits for it.
    func stop() {
        close(input)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// Processor seconds it has used.
    var processorSeconds: Double {
        let fields = Self.text("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The most memory it has had, in KiB.
    var peakMemory: Int {
        let line = Self.text("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    private static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    // MARK: in the process

    static func runMaster(directory: String, securedAgents: Int?, servesServices: Bool) async throws {
        let transport = Transport()
        let store = try SQLiteStore(path: directory + "/state.db")
        var logger = Logger(label: "master")
        logger.logLevel = .error
        var settings = MasterNode.Settings(
            hostname: "localhost", advertisedAddress: "127.0.0.1", advertisedPort: 0, version: "0.0.0")
        settings.servesServices = servesServices
        let office = securedAgents == nil ? nil : try SecuredCluster.Office()
        try office?.apply(to: &settings, audit: directory + "/audit")
        let node = try await MasterNode.start(
            settings, listeningOn: [.tcp(.loopback, port: 0)], transport: transport, store: store,
            credentials: StoredCredentials(store: store, administrator: administrator), logger: logger)
        if let securedAgents { try await office?.write(node, agents: securedAgents, to: directory) }
        try announce(node.endpoints.first)
        await waitForEnd()
        await node.stop()
        await store.close()
        await transport.shutDown()
    }

    static func runEmpty() async throws {
        let transport = Transport()
        var settings = HTTPServerSettings()
        settings.handlersRunOnLoop = true
        let server = try await HTTPServer.start(
            on: .tcp(.loopback, port: 0), transport: transport, settings: settings
        ) { request in
            _ = try await request.body.collect(upTo: 65_536)
            return .complete(.accepted)
        }
        try announce(server.endpoint)
        await waitForEnd()
        await server.stop()
        await transport.shutDown()
    }

    /// The credential that agents show.
    static let administrator = "launch-benchmark-launch-benchmark-0001"

    /// Returns when the input is closed; waits on a thread of its own, as the pool's are few.
    static func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let waiting = Unmanaged.passRetained(Waiting(continuation))
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { argument in
                    var byte: UInt8 = 0
                    while read(0, &byte, 1) > 0 {}
                    if let argument {
                        Unmanaged<Waiting>.fromOpaque(argument).takeRetainedValue().continuation.resume()
                    }
                    return nil
                }, waiting.toOpaque())
            if code != 0 { waiting.takeRetainedValue().continuation.resume() }
        }
    }

    private final class Waiting: Sendable {
        let continuation: CheckedContinuation<Void, Never>

        init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }
    }

    private static func announce(_ endpoint: Endpoint?) throws {
        guard let port = endpoint?.port else { throw Failure("no port was bound") }
        say("\(port)")
    }
}
