internal import CLinux
internal import Glibc
internal import LinuxSystem

/// `containerd-shim-rondo-v2`: containerd's way to run containers with this program.
///
/// containerd executes it under this name, with `start` for a container that is to be made and with `delete` when a
/// shim is gone. `start` leaves a process behind that owns the container's streams and tells its end: one for each
/// container, or for each pod. Like the monitor it is one thread without a concurrency runtime, and it holds no
/// container logic of its own: all that is done to containers is done by the runtime's own commands.
public enum ContainerdShim {
    /// Name of the link to the program.
    public static let programName = "containerd-shim-rondo-v2"

    /// Runs one command of the shim protocol.
    ///
    /// - Parameters:
    ///   - arguments: what follows the program's name.
    ///   - runtime: the container runtime's command line: arguments in, exit status out.
    /// - Returns: the exit status; the reason of a failure is on stderr.
    public static func run(_ arguments: [String], runtime: @escaping ([String]) -> Int32) -> Int32 {
        do throws(ShimFailure) {
            let options = try ShimArguments(arguments)
            if options.isVersionAsked { return runtime(["--version"]) }
            if options.isInfoAsked { return try ShimInfo.write(runtime) }
            switch options.action {
            case "start": return try ShimStart(options, runtime: runtime).run()
            case "delete": return try ShimRemoval(options, runtime: runtime).run()
            case "" where !options.socket.isEmpty: return try ShimStart(options, runtime: runtime).serve()
            default: throw .invalid("the action must be start or delete; containerd gives it")
            }
        } catch {
            TaskMonitor.complain("\(programName): \(error.message)")
            return 1
        }
    }

    /// Writes all of an answer to standard output.
    static func answer(_ bytes: [UInt8]) throws(ShimFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw .unknown("cannot answer: \(SystemError.text(of: errno))") }
            rest = rest.dropFirst(max(count, 0))
        }
    }

    /// Reads what containerd has put on standard input; nothing when that is a terminal.
    static func readInput() throws(ShimFailure) -> [UInt8] {
        guard isatty(0) == 0 else { return [] }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(0, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return content }
            content += chunk.prefix(count)
            guard content.count <= TTRPCFrames.limit else { throw .exhausted("standard input is too long") }
        }
    }
}

/// The command line of the shim protocol: flags as the Go programs of this protocol take them, then the action.
struct ShimArguments {
    private(set) var namespace = ""
    private(set) var id = ""
    private(set) var address = ""
    private(set) var publishProgram = ""
    private(set) var bundle = ""
    private(set) var socket = ""
    private(set) var isVersionAsked = false
    private(set) var isInfoAsked = false
    private(set) var action = ""

    init(_ arguments: [String]) throws(ShimFailure) {
        var rest = arguments[...]
        while let word = rest.first, word.hasPrefix("-"), word != "-" {
            rest = rest.dropFirst()
            if word == "--" { break }
            let text = word.drop { $0 == "-" }
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let inline = parts.count == 2 ? String(parts[1]) : nil
            if try set(switch: parts[0], inline) { continue }
            guard let value = inline ?? rest.popFirst() else { throw .invalid("-\(parts[0]) needs a value") }
            try set(parts[0], value)
        }
        action = rest.first ?? ""
        if !isVersionAsked && !isInfoAsked { try check() }
    }

    private mutating func set(switch name: Substring, _ value: String?) throws(ShimFailure) -> Bool {
        let isOn = value.map { ["1", "t", "true"].contains($0.lowercased()) } ?? true
        switch name {
        case "debug": break
        case "v", "version": isVersionAsked = isOn
        case "info": isInfoAsked = isOn
        default: return false
        }
        return true
    }

    private mutating func set(_ name: Substring, _ value: String) throws(ShimFailure) {
        switch name {
        case "namespace": namespace = value
        case "id": id = value
        case "address": address = value
        case "publish-binary": publishProgram = value
        case "bundle": bundle = value
        case "socket": socket = value
        case "debug-socket": break
        default: throw .invalid("there is no flag -\(name)")
        }
    }

    private func check() throws(ShimFailure) {
        guard ShimContainer.isName(namespace) else { throw .invalid("-namespace must be a plain name") }
        guard id.isEmpty || ShimContainer.isName(id) else { throw .invalid("-id must be a plain name") }
    }
}
