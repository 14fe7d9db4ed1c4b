import Glibc
import Transport

/// A cluster to look at: agents that run nothing, apps with instances, and a master that stays until the input is closed.
///
/// Says in one line of JSON where the master is, once all instances run.
struct ConsoleCluster {
    let directory: String
    let agents: Int
    let apps: Int
    let instances: Int

    init(_ arguments: [String]) {
        func number(_ index: Int, _ standard: Int) -> Int {
            arguments.count > index ? max(1, Int(arguments[index]) ?? standard) : standard
        }
        directory = arguments.first ?? "."
        agents = number(1, 1_000)
        apps = number(2, 1_000)
        instances = number(3, 10)
    }

    func run() async throws {
        let place = "\(directory)/console-cluster.\(getpid())"
        guard mkdir(place, 0o700) == 0 else {
            throw Failure("cannot make \(place): \(String(cString: strerror(errno)))")
        }
        defer { Comparison.remove(place) }
        let begun = now()
        let cluster = try await PlayedCluster.start(in: place, agents: agents)
        _ = try await cluster.post(apps: apps, instances: instances)
        try await cluster.wait(for: apps * instances, since: begun) { _ in }
        say(
            """
            {"benchmark":"console-cluster","port":\(cluster.master.endpoint.port ?? 0),"pid":\(cluster.master.pid),\
            "agents":\(agents),"apps":\(apps),"instances":\(apps * instances),"up_s":\(short(now() - begun)),\
            "credential":"\(ServingProcess.administrator)"}
            """)
        await ServingProcess.waitForEnd()
        try await cluster.stop()
    }
}
