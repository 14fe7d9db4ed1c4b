import Glibc
import HTTPGateway
import MesosWire
import NIOPosix
import Transport

/// One measured run: a new master, its agents and its frameworks.
struct Run {
    let directory: String
    let media: MediaType
    let tasks: Int
    let agents: Int
    let frameworks: Int

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
        let master = try ServingProcess(["master", directory])
        defer { master.stop() }
        let transport = Transport(threads: 1)
        let caller = HTTPCaller(transport: transport)
        let disks = NIOThreadPool(numberOfThreads: 8)
        disks.start()
        let shared = Shared(caller: caller, endpoint: master.endpoint, tasks: tasks)
        let begun = (master: master.processorSeconds, own: Self.processorSeconds())
        var journals: [Journal] = []
        for number in 0..<agents { journals.append(try Journal(path: "\(directory)/agent-\(number)", pool: disks)) }
        let span = try await withThrowingTaskGroup(of: (Double, Double)?.self) { group in
            for (number, journal) in journals.enumerated() {
                group.addTask {
                    try await SimulatedAgent(number: number, shared: shared, journal: journal).run()
                    return nil
                }
            }
            for number in 0..<frameworks {
                let share = tasks / frameworks + (number < tasks % frameworks ? 1 : 0)
                group.addTask {
                    try await SimulatedFramework(number: number, shared: shared, media: media, tasks: share).run()
                    return nil
                }
            }
            group.addTask { await shared.progress.span() }
            while let ended = try await group.next() {
                guard let span = ended else { throw Failure("a stream ended before all tasks had") }
                group.cancelAll()
                return span
            }
            throw Failure("nothing ran")
        }
        let master2 = master.processorSeconds - begun.master
        let own = Self.processorSeconds() - begun.own
        let peak = master.peakMemory
        await caller.shutDown()
        try await disks.shutdownGracefully()
        await transport.shutDown()
        return Result(
            launchesPerSecond: Double(tasks) / (span.1 - span.0), masterMicroseconds: master2 * 1e6 / Double(tasks),
            clientMicroseconds: own * 1e6 / Double(tasks), masterPeak: peak,
            flushes: journals.reduce(0) { $0 + $1.flushes })
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
