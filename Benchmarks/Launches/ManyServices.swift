import FoundationEssentials
import Glibc
import HTTPGateway
import HTTPTypes
import NIOCore
import NIOPosix
import Synchronization
import Transport

/// Whether services stay responsive: a thousand apps with ten instances each on a hundred agents that run nothing.
///
/// The master is a process of its own with its store on disk. While the instances come up, and again when all are there,
/// a client makes the calls that people and their tools make, and writes down how long each took.
struct ManyServices {
    let directory: String
    let agents: Int
    let apps: Int
    let instances: Int

    private static let path = "/service/marathon/v2"

    init(_ arguments: [String]) {
        func number(_ index: Int, _ standard: Int) -> Int {
            arguments.count > index ? max(1, Int(arguments[index]) ?? standard) : standard
        }
        directory = arguments.first ?? "."
        agents = number(1, 100)
        apps = number(2, 1_000)
        instances = number(3, 10)
    }

    func run() async throws {
        let place = "\(directory)/many-services.\(getpid())"
        guard mkdir(place, 0o700) == 0 else {
            throw Failure("cannot make \(place): \(String(cString: strerror(errno)))")
        }
        defer { Comparison.remove(place) }
        let master = try ServingProcess(["master", place, "services"])
        defer { master.stop() }
        let transport = Transport(threads: 1)
        let loop = transport.eventLoops.any()
        let disks = NIOThreadPool(numberOfThreads: 8)
        disks.start()
        let shared = Shared(transport: transport, endpoint: master.endpoint, tasks: 0)
        let running = Atomic(0)
        var parties: [NIOLoopBound<SimulatedAgent>] = []
        for number in 0..<agents {
            let (calls, events) = (try await shared.connect(nil), try await shared.connect(nil))
            parties.append(
                try await loop.submit {
                    let journal = try Journal(path: "\(place)/agent-\(number)", pool: disks, loop: loop)
                    let agent = SimulatedAgent(
                        number: number, journal: journal, calls: calls.value, events: events.value, loop: loop,
                        credential: ServingProcess.administrator,
                        whenRunning: { running.add(1, ordering: .relaxed) })
                    try agent.start()
                    return NIOLoopBound(agent, eventLoop: loop)
                }.get())
        }
        let own = Transport(threads: 1)
        let client = ServiceClient(endpoint: master.endpoint, transport: own)
        let begun = now()
        var posts: [Double] = []
        for number in 0..<apps {
            let app =
                "{\"id\":\"/app-\(number)\",\"cmd\":\"sleep 1000\",\"cpus\":0.01,\"mem\":8,\"instances\":\(instances)}"
            posts.append(try await client.call(.post, "\(Self.path)/apps", app))
        }
        let posted = now() - begun
        let wanted = apps * instances
        var one: [Double] = []
        var all: [Double] = []
        while running.load(ordering: .relaxed) < wanted {
            guard now() - begun < 300 else {
                throw Failure("\(running.load(ordering: .relaxed)) of \(wanted) instances run after 300 s")
            }
            one.append(try await client.call(.get, "\(Self.path)/apps//app-\(one.count % apps)"))
            if one.count % 100 == 1 { all.append(try await client.call(.get, "\(Self.path)/apps")) }
            try await Task.sleep(for: .milliseconds(5))
        }
        let up = now() - begun
        tell("while instances start", ["POST app": posts, "GET app": one, "GET apps": all])
        say(
            """
            {"benchmark":"many-services","apps":\(apps),"instances":\(wanted),"agents":\(agents),\
            "posted_s":\(short(posted)),"all_running_s":\(short(up)),\
            "instances_per_s":\(Int(Double(wanted) / up)),"master_cpu_s":\(short(master.processorSeconds)),\
            "master_peak_kib":\(master.peakMemory)}
            """)
        try await atRest(client, running)
        await client.stop()
        await own.shutDown()
        try await loop.submit { [parties] in for each in parties { each.value.stop() } }.get()
        try await disks.shutdownGracefully()
        await transport.shutDown()
    }

    /// The same calls when all is there, and how long one more instance takes from the call to its start.
    private func atRest(_ client: ServiceClient, _ running: borrowing Atomic<Int>) async throws {
        var times: [String: [Double]] = [:]
        for number in 0..<min(200, apps) {
            times["GET app", default: []].append(try await client.call(.get, "\(Self.path)/apps//app-\(number)"))
            if number % 20 == 0 {
                times["GET apps", default: []].append(try await client.call(.get, "\(Self.path)/apps"))
                times["GET tasks", default: []].append(try await client.call(.get, "\(Self.path)/tasks"))
            }
            let before = running.load(ordering: .relaxed)
            let start = now()
            times["PUT app", default: []].append(
                try await client.call(.put, "\(Self.path)/apps//app-\(number)", "{\"instances\":\(instances + 1)}"))
            while running.load(ordering: .relaxed) == before {
                guard now() - start < 60 else { throw Failure("one more instance of app-\(number) does not start") }
                try await Task.sleep(for: .milliseconds(2))
            }
            times["one more instance runs", default: []].append(now() - start)
        }
        tell("all instances run", times)
    }

    private func tell(_ phase: String, _ times: [String: [Double]]) {
        for (what, values) in times.sorted(by: { $0.key < $1.key }) where !values.isEmpty {
            let sorted = values.sorted()
            func part(_ share: Double) -> String {
                short(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] * 1_000)
            }
            say(
                """
                {"benchmark":"many-services","phase":"\(phase)","call":"\(what)","count":\(sorted.count),\
                "median_ms":\(part(0.5)),"p99_ms":\(part(0.99)),"worst_ms":\(short((sorted.last ?? 0) * 1_000))}
                """)
        }
    }
}

/// One caller of the services' interface, that takes the time.
private struct ServiceClient {
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
