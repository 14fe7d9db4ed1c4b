// No-op task launches per second through the whole durable path, with simulated agents and real everything else.
//
//     launch-benchmark [DIRECTORY] [TASKS] [AGENTS] [FRAMEWORKS]
//     launch-benchmark services [DIRECTORY] [AGENTS] [APPS] [INSTANCES]     many services instead: ManyServices.swift
//     launch-benchmark console [DIRECTORY] [AGENTS] [APPS] [INSTANCES]      a cluster for Benchmarks/console.py
//
// The master is a process of its own with its SQLite store, reached over loopback HTTP. Frameworks accept offers and
// acknowledge every update. Each agent keeps a launch, and each update, on disk before it goes on, and reports
// STARTING, RUNNING and FINISHED, each held back until the one before it is acknowledged. A launch counts when the
// acknowledgement of its end was answered; the clock runs from the first ACCEPT to the last such answer. What the
// The same is done twice more in a secured cluster: TLS on every connection, certificates, a token, an audit log. What the
// machine can do at most (flushes, SQLite commits, empty HTTP calls) is measured before and after, in the same run.
import Glibc

let arguments = CommandLine.arguments
let work = Task.detached {
    do {
        switch arguments.dropFirst().first {
        case "master"?:
            try await ServingProcess.runMaster(
                directory: arguments.dropFirst(2).first ?? ".",
                securedAgents: arguments.dropFirst(3).first.flatMap { Int($0) },
                servesServices: arguments.dropFirst(3).first == "services")
        case "services"?: try await ManyServices(Array(arguments.dropFirst(2))).run()
        case "console"?: try await ConsoleCluster(Array(arguments.dropFirst(2))).run()
        case "empty"?: try await ServingProcess.runEmpty()
        default: try await Comparison(Array(arguments.dropFirst())).run()
        }
        exit(0)
    } catch {
        say("failed: \(error)", on: 2)
        exit(1)
    }
}
while true { pause() }
