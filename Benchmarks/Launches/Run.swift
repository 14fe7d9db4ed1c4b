import Glibc
import MesosWire
import NIOCore
import NIOPosix
import Transport

/// One measured run: a new master, its agents and its frameworks.
struct Run {
    let directory: String
    let media: MediaType
    let tasks: Int
    let agents: Int
    let frameworks: Int
    let isSecured: Bool

    /// Connections of one framework for its calls; each carries one call at a time.
    private static let callsAtOnce = 16

    struct Result {
        var launchesPerSecond: Double
        var masterMicroseconds: Double
        var clientMicroseconds: Double
        var masterPeak: Int
        var flushes: Int

        func line(_ encoding: String, _ setup: Comparison, _ floors: Floors) -> String {
            // Six calls about updates for each launch; those that accept offers are few.
            """
            {"benchmark":"launches","what":"\(encoding)","launches_per_s":\(Int(launchesPerSecond)),\
            "tasks":\(setup.tasks),"agents":\(setup.agents),"frameworks":\(setup.frameworks),\
            "of_http_floor":\(short(launchesPerSecond * 6 / floors.calls)),\
            "of_sqlite_floor":\(short(launchesPerSecond / floors.commits)),\
            "master_cpu_us_per_launch":\(Int(masterMicroseconds)),\
            "clients_cpu_us_per_launch":\(Int(clientMicroseconds)),\
            "agent_flushes":\(flushes),"master_peak_kib":\(masterPeak)}
            """
        }
    }

    func measure() async throws -> Result {
        for name in ["state.db", "state.db-wal", "state.db-shm", "state.db.lock"] { unlink(directory + "/" + name) }
        let master = try ServingProcess(["master", directory] + (isSecured ? ["\(agents)"] : []))
        defer { master.stop() }
        let transport = Transport(threads: 1)
        let loop = transport.eventLoops.any()
        let disks = NIOThreadPool(numberOfThreads: 8)
        disks.start()
        let shared = Shared(transport: transport, endpoint: master.endpoint, tasks: tasks)
        let begun = (master: master.processorSeconds, own: Self.processorSeconds())
        var parties: [NIOLoopBound<SimulatedAgent>] = []
        for number in 0..<agents {
            let security = isSecured ? try SecuredCluster.agent(number, in: directory) : nil
            let (calls, events) = (try await shared.connect(security), try await shared.connect(security))
            parties.append(
                try await loop.submit {
                    let journal = try Journal(path: "\(directory)/agent-\(number)", pool: disks, loop: loop)
                    let agent = SimulatedAgent(
                        number: number, journal: journal, calls: calls.value, events: events.value, loop: loop,
                        credential: isSecured ? nil : ServingProcess.administrator)
                    try agent.start()
                    return NIOLoopBound(agent, eventLoop: loop)
                }.get())
        }
        let security = isSecured ? try SecuredCluster.framework() : nil
        let token = isSecured ? try SecuredCluster.token(in: directory) : nil
        var schedulers: [NIOLoopBound<SimulatedFramework>] = []
        for number in 0..<frameworks {
            let share = tasks / frameworks + (number < tasks % frameworks ? 1 : 0)
            let events = try await shared.connect(security)
            var calls: [NIOLoopBound<LeanConnection>] = []
            for _ in 0..<Self.callsAtOnce { calls.append(try await shared.connect(security)) }
            schedulers.append(
                try await loop.submit { [calls] in
                    let scheduler = SimulatedFramework(
                        number: number, media: media, tasks: share, progress: shared.progress, events: events.value,
                        calls: calls.map(\.value), credential: token)
                    try scheduler.start()
                    return NIOLoopBound(scheduler, eventLoop: loop)
                }.get())
        }
        let span = await shared.progress.span()
        let master2 = master.processorSeconds - begun.master
        let own = Self.processorSeconds() - begun.own
        let peak = master.peakMemory
        let flushes = try await loop.submit { [parties, schedulers] in
            for each in parties { each.value.stop() }
            for each in schedulers { each.value.stop() }
            return parties.reduce(0) { $0 + $1.value.flushes }
        }.get()
        try await disks.shutdownGracefully()
        await transport.shutDown()
        return Result(
            launchesPerSecond: Double(tasks) / (span.1 - span.0), masterMicroseconds: master2 * 1e6 / Double(tasks),
            clientMicroseconds: own * 1e6 / Double(tasks), masterPeak: peak,
            flushes: flushes)
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
