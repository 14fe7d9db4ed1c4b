import FoundationEssentials
import Glibc
import HTTPGateway
import HTTPTypes
import NIOCore
import NIOPosix
import Synchronization
import Transport

/// A master with its services in a process of its own, with its store on disk, and agents in this one that run nothing.
struct PlayedCluster {
    let master: ServingProcess
    let client: ServiceClient
    private let running: Counter
    private let agents: [NIOLoopBound<SimulatedAgent>]
    private let loop: any EventLoop
    private let disks: NIOThreadPool
    private let transports: [Transport]

    private final class Counter: Sendable {
        let value = Atomic(0)
    }

    /// Starts the master and has all agents register.
    ///
    /// - Parameters:
    ///   - place: a directory that is there, for the store and the agents' journals.
    ///   - count: how many agents.
    /// - Returns: the cluster.
    /// - Throws: ``Failure`` when the master does not start, and what connections and journals throw.
    static func start(in place: String, agents count: Int) async throws -> PlayedCluster {
        let master = try ServingProcess(["master", place, "services"])
        let transport = Transport(threads: 1)
        let loop = transport.eventLoops.any()
        let disks = NIOThreadPool(numberOfThreads: 8)
        disks.start()
        let shared = Shared(transport: transport, endpoint: master.endpoint, tasks: 0)
        let running = Counter()
        var agents: [NIOLoopBound<SimulatedAgent>] = []
        for number in 0..<count {
            let (calls, events) = (try await shared.connect(nil), try await shared.connect(nil))
            agents.append(
                try await loop.submit {
                    let journal = try Journal(path: "\(place)/agent-\(number)", pool: disks, loop: loop)
                    let agent = SimulatedAgent(
                        number: number, journal: journal, calls: calls.value, events: events.value, loop: loop,
                        credential: ServingProcess.administrator,
                        whenRunning: { running.value.add(1, ordering: .relaxed) })
                    try agent.start()
                    return NIOLoopBound(agent, eventLoop: loop)
                }.get())
        }
        let own = Transport(threads: 1)
        return PlayedCluster(
            master: master, client: ServiceClient(endpoint: master.endpoint, transport: own), running: running,
            agents: agents, loop: loop, disks: disks, transports: [own, transport])
    }

    /// How many instances have been started so far.
    var runningCount: Int { running.value.load(ordering: .relaxed) }

    // Deploys apps `/app-0` and so on; returns how long each call took, in seconds.
    func post(apps: Int, instances: Int) async throws -> [Double] {
        var times: [Double] = []
        for number in 0..<apps {
            let app =
                "{\"id\":\"/app-\(number)\",\"cmd\":\"sleep 1000\",\"cpus\":0.01,\"mem\":8,\"instances\":\(instances)}"
            times.append(try await client.call(.post, "/service/marathon/v2/apps", app))
        }
        return times
    }

    // Waits until so many instances run, and has something done again and again meanwhile.
    func wait(for wanted: Int, since begun: Double, doing work: (ServiceClient) async throws -> Void) async throws {
        while runningCount < wanted {
            guard now() - begun < 300 else {
                throw Failure("\(runningCount) of \(wanted) instances run after 300 s")
            }
            try await work(client)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func stop() async throws {
        await client.stop()
        try await loop.submit { [agents] in for each in agents { each.value.stop() } }.get()
        try await disks.shutdownGracefully()
        for each in transports { await each.shutDown() }
        master.stop()
    }
}

/// One caller of the services' interface, that takes the time.
struct ServiceClient {
    private let endpoint: Endpoint
    private let caller: HTTPCaller

    init(endpoint: Endpoint, transport: Transport) {
        self.endpoint = endpoint
        caller = HTTPCaller(transport: transport)
    }

    /// Seconds until the whole answer was there.
    func call(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> Double {
        let start = now()
        let answer = try await caller.call(
            method, endpoint, path, headers: [.contentType: "application/json"],
            body: body.map { ByteBuffer(string: $0) }, responseLimit: 256 << 20)
        guard (200..<300).contains(answer.status.code) else {
            throw Failure("\(method) \(path) was answered with \(answer.status): \(String(buffer: answer.bytes))")
        }
        return now() - start
    }

    func stop() async { await caller.shutDown() }
}
