import Glibc
import HTTPTypes

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
        let cluster = try await PlayedCluster.start(in: place, agents: agents)
        let begun = now()
        let posts = try await cluster.post(apps: apps, instances: instances)
        let posted = now() - begun
        let wanted = apps * instances
        var one: [Double] = []
        var all: [Double] = []
        try await cluster.wait(for: wanted, since: begun) { client in
            one.append(try await client.call(.get, "\(Self.path)/apps//app-\(one.count % apps)"))
            if one.count % 100 == 1 { all.append(try await client.call(.get, "\(Self.path)/apps")) }
        }
        let up = now() - begun
        tell("while instances start", ["POST app": posts, "GET app": one, "GET apps": all])
        say(
            """
            {"benchmark":"many-services","apps":\(apps),"instances":\(wanted),"agents":\(agents),\
            "posted_s":\(short(posted)),"all_running_s":\(short(up)),\
            "instances_per_s":\(Int(Double(wanted) / up)),"master_cpu_s":\(short(cluster.master.processorSeconds)),\
            "master_peak_kib":\(cluster.master.peakMemory)}
            """)
        try await atRest(cluster)
        try await cluster.stop()
    }

    /// The same calls when all is there, and how long one more instance takes from the call to its start.
    private func atRest(_ cluster: PlayedCluster) async throws {
        let client = cluster.client
        var times: [String: [Double]] = [:]
        for number in 0..<min(200, apps) {
            times["GET app", default: []].append(try await client.call(.get, "\(Self.path)/apps//app-\(number)"))
            if number % 20 == 0 {
                times["GET apps", default: []].append(try await client.call(.get, "\(Self.path)/apps"))
                times["GET tasks", default: []].append(try await client.call(.get, "\(Self.path)/tasks"))
            }
            let before = cluster.runningCount
            let start = now()
            times["PUT app", default: []].append(
                try await client.call(.put, "\(Self.path)/apps//app-\(number)", "{\"instances\":\(instances + 1)}"))
            while cluster.runningCount == before {
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
