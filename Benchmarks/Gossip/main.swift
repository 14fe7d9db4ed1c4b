// Members of the gossip in one process, each with sockets of its own on 127.1.x.y, as `Benchmarks/peers/memberlist.go`
// has them. Prints one JSON object per line. `Benchmarks/gossip.py` runs both in turns.
//
//     gossip-peer --members N [--preset lan|memberlist|loopback] [--base-port P] [--idle SECONDS] [--only join]
//     gossip-peer --member I --members N [--preset …] [--base-port P]        one of them: see LoneMember.swift
//
// join_all_s: the first join until every member knows all. update_*: a member changes its record until the others know.
// detect_*: a member falls silent until the others believe it dead. All packets are sealed and all records signed; as
// the members share the machine, a signature is checked once for all of them, which on machines of their own each would
// do for itself, at the same time. `--preset memberlist` is `.lan` with the timers of memberlist's DefaultLANConfig.
import Glibc
import Membership

let usage = """
    usage: gossip-peer --members N [--member I] [--preset lan|memberlist|loopback] [--base-port P] [--idle SECONDS]
                       [--only join]
    """

/// What memberlist waits and tries, under its own names: GossipInterval 200 ms, SuspicionMult 4, and two confirmations
/// of a suspicion (SuspicionMult - 2). All else in `.lan` is as there.
func timersOfMemberlist() -> MembershipSettings {
    var timers = MembershipSettings.lan
    timers.gossipInterval = .milliseconds(200)
    timers.suspicionFactor = 4
    timers.suspicionConfirmations = 2
    return timers
}

var options: [String: String] = [:]
var words = Array(CommandLine.arguments.dropFirst())
while words.count >= 2 {
    options[words[0]] = words[1]
    words.removeFirst(2)
}
let presets: [String: MembershipSettings] = [
    "lan": .lan, "loopback": .loopback, "memberlist": timersOfMemberlist(),
]
guard words.isEmpty, let members = Int(options["--members"] ?? "64"), (4...5_000).contains(members),
    let port = UInt16(options["--base-port"] ?? "7946"), let idle = Int(options["--idle"] ?? "5"),
    let timing = presets[options["--preset"] ?? "lan"]
else {
    print(usage)
    exit(64)
}
let isShort = options["--only"] == "join"

/// Runs the work on other threads and ends the program with it.
func begin(_ work: @escaping @Sendable () async throws -> Void) {
    Task.detached {
        do {
            try await work()
            exit(0)
        } catch {
            print("failed: \(error)")
            exit(1)
        }
    }
}

if let word = options["--member"] {
    guard let index = Int(word), (0..<members).contains(index) else {
        print(usage)
        exit(64)
    }
    let (orders, inbox) = AsyncStream<String>.makeStream()
    let member = LoneMember(index: index, members: members, port: port, timing: timing)
    begin { try await member.run(orders: orders) }
    while let line = readLine() { inbox.yield(line) }
    inbox.finish()
} else {
    let comparison = Comparison(members: members, port: port, timing: timing)
    let (idle, isShort) = (idle, isShort)
    begin { try await comparison.run(idle: idle, isShort: isShort) }
}
while true { pause() }
