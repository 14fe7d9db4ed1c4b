import Dispatch
import Glibc

/// Runs a program that may be on this machine, for at most 30 seconds.
enum ChildProcess {
    struct Outcome: Sendable {
        var status: Int32
        var output: String
    }

    static func exists(_ name: String) -> Bool {
        ["/usr/bin/", "/bin/", "/usr/local/bin/"].contains { access($0 + name, X_OK) == 0 }
    }

    /// Runs it with standard input from a text, and reads what it writes to both outputs.
    static func run(_ arguments: [String], input: String = "") async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "child").async { continuation.resume(with: Result { try wait(arguments, input) }) }
        }
    }

    private static func wait(_ arguments: [String], _ input: String) throws -> Outcome {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        // Not pipes: those could not be made closed for other children in one step.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &toChild) == 0, socketpair(AF_UNIX, type, 0, &fromChild) == 0 else {
            throw CancellationError()
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 2)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var child: pid_t = 0
        var strings = (["timeout", "30"] + arguments).map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        let result = posix_spawnp(&child, "timeout", &actions, nil, &strings, environ)
        close(toChild[0])
        close(fromChild[1])
        guard result == 0 else { throw CancellationError() }
        _ = Array(input.utf8).withUnsafeBytes { write(toChild[1], $0.baseAddress, $0.count) }
        close(toChild[1])
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(fromChild[0], &buffer, buffer.count)
            guard count > 0 else { break }
            output += buffer[..<count]
        }
        close(fromChild[0])
        var status: Int32 = 0
        waitpid(child, &status, 0)
        return Outcome(status: (status >> 8) & 0xFF, output: String(decoding: output, as: UTF8.self))
    }
}
