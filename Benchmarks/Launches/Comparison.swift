import Glibc
import HTTPGateway
import MesosWire
import Transport

/// All runs: floors, launches with JSON, launches with protobuf, floors.
struct Comparison {
    let directory: String
    let tasks: Int
    let agents: Int
    let frameworks: Int

    init(_ arguments: [String]) {
        func number(_ index: Int, _ standard: Int) -> Int {
            arguments.count > index ? max(1, Int(arguments[index]) ?? standard) : standard
        }
        directory = arguments.first ?? "."
        tasks = number(1, 20_000)
        agents = number(2, 50)
        frameworks = number(3, 4)
    }

    func run() async throws {
        let place = "\(directory)/launch-benchmark.\(getpid())"
        guard mkdir(place, 0o700) == 0 else {
            throw Failure("cannot make \(place): \(String(cString: strerror(errno)))")
        }
        defer { Self.remove(place) }
        let before = try await Floors.measure(in: place)
        var measured: [(String, Run.Result)] = []
        for (media, isSecured) in [(MediaType.json, false), (.protobuf, false), (.json, true), (.protobuf, true)] {
            let run = Run(
                directory: place, media: media, tasks: tasks, agents: agents, frameworks: frameworks,
                isSecured: isSecured)
            let name = (media == .json ? "json" : "protobuf") + (isSecured ? ", secured" : "")
            measured.append((name, try await run.measure()))
        }
        let after = try await Floors.measure(in: place)
        let floors = Floors(
            flushes: (before.flushes + after.flushes) / 2, commits: (before.commits + after.commits) / 2,
            calls: (before.calls + after.calls) / 2)
        say(floors.line)
        for (name, result) in measured { say(result.line(name, self, floors)) }
    }

    static func remove(_ place: String) {
        guard let entries = opendir(place) else { return }
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            if unlink(place + "/" + name) != 0 { remove(place + "/" + name) }
        }
        closedir(entries)
        rmdir(place)
    }
}

/// Why a benchmark cannot go on.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Seconds on the monotonic clock.
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// A number with two decimals.
func short(_ number: Double) -> String { "\((number * 100).rounded() / 100)" }

/// Writes a line at once; what prints through a buffer may lose it when the program ends.
func say(_ line: String, on file: Int32 = 1) {
    let bytes = Array((line + "\n").utf8)
    _ = write(file, bytes, bytes.count)
}
