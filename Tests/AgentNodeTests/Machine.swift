import AgentCore
import AgentNode
import ClusterModel
import Foundation
import LinuxSystem
import Transport

/// An agent on this machine with a master of its own, and everything they leave removed at the end.
struct Machine {
    let transport: Transport
    let master: FakeMaster
    let directory: String
    private(set) var node: AgentNode
    private var running: Task<AgentNode.Outcome, any Error>

    init(_ change: (inout AgentNode.Settings) -> Void = { _ in }) async throws {
        guard geteuid() == 0 else { throw Needs("these tests start tasks in namespaces and need root") }
        transport = Transport(threads: 1)
        master = try await FakeMaster(transport: transport)
        directory = "/tmp/rondo-agent-test-\(UUID().uuidString)"
        var settings = AgentNode.Settings(dataDirectory: directory, masters: [master.endpoint])
        settings.monitorExecutable = try Self.executable()
        settings.credential = "secret"
        settings.resources = try Resources(text: "cpus:8;mem:1024;disk:1024;ports:[31000-31100]")
        change(&settings)
        self.settings = settings
        node = try AgentNode(settings: settings, transport: transport)
        running = Task { [node] in try await node.run() }
        await master.waitForSession(1)
    }

    private let settings: AgentNode.Settings

    struct Needs: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// The program that holds the monitor: `RONDO_EXECUTABLE`, or `rondo` beside the test bundle.
    static func executable() throws -> String {
        if let named = ProcessInfo.processInfo.environment["RONDO_EXECUTABLE"] { return named }
        let link = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        for place in CommandLine.arguments.filter({ $0.hasSuffix(".xctest") }) + [link] {
            let directory = place.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            let path = directory.joined(separator: "/") + "/rondo"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw Needs("no rondo executable beside the tests; build it first or set RONDO_EXECUTABLE")
    }

    func launch(
        _ id: String, _ command: String, uris: [CommandURI] = [], _ change: (inout TaskLaunch) -> Void = { _ in }
    ) -> TaskKey {
        let task = TaskInfo(
            name: id, taskID: TaskID(id), agentID: FakeMaster.agent,
            resources: try! Resources([.scalar("cpus", 0.1), .scalar("mem", 32)]),
            command: CommandInfo(value: command, uris: uris))
        var launch = TaskLaunch(
            frameworkID: FakeMaster.framework, frameworkName: "tests", user: "root", checkpoint: true,
            role: .everyone, wantsKillingState: false, task: task)
        change(&launch)
        master.send(.run(launch))
        return launch.key
    }

    /// Stops the agent's process part, as SIGTERM would; tasks go on.
    mutating func stopAgent() async throws -> AgentNode.Outcome {
        running.cancel()
        return try await running.value
    }

    /// Starts an agent on the same files.
    mutating func startAgent() async throws {
        let sessions = master.registrations.count
        node = try AgentNode(settings: settings, transport: transport)
        running = Task { [node] in try await node.run() }
        await master.waitForSession(sessions + 1)
    }

    mutating func leave() async throws -> AgentNode.Outcome {
        node.leave()
        return try await running.value
    }

    func runEntries() -> [String] { (try? listDirectory("\(directory)/run")) ?? [] }

    func remove() async throws {
        node.leave()
        _ = try await running.value
        await master.stop()
        await transport.shutDown()
        try removeTree(directory)
    }
}
