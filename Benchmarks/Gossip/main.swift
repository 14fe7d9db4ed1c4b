// Members of the gossip in one process, each with sockets of its own on 127.1.x.y, as `Benchmarks/peers/memberlist.go`
// has them. Prints one JSON object per line. `Benchmarks/gossip.py` runs both in turns.
//
//     gossip-peer --members N [--preset lan|loopback] [--base-port P] [--idle SECONDS] [--only join]
//
// join_all_s: the first join until every member knows all. update_*: a member changes its record until the others know.
// detect_*: a member falls silent until the others believe it dead. All packets are sealed and all records signed; as
// the members share the machine, a signature is checked once for all of them, which on machines of their own each would
// do for itself, at the same time.
import Glibc
import Membership

var options: [String: String] = [:]
var words = Array(CommandLine.arguments.dropFirst())
while words.count >= 2 {
    options[words[0]] = words[1]
    words.removeFirst(2)
}
guard words.isEmpty, let members = Int(options["--members"] ?? "64"), (4...5_000).contains(members),
    let port = UInt16(options["--base-port"] ?? "7946"), let idle = Int(options["--idle"] ?? "5")
else {
    print("usage: gossip-peer --members N [--preset lan|loopback] [--base-port P] [--idle SECONDS] [--only join]")
    exit(64)
}
let timing: MembershipSettings = options["--preset"] == "loopback" ? .loopback : .lan
let isShort = options["--only"] == "join"

let work = Task.detached {
    do {
        try await Comparison(members: members, port: port, timing: timing).run(idle: idle, isShort: isShort)
        exit(0)
    } catch {
        print("failed: \(error)")
        exit(1)
    }
}
while true { pause() }
