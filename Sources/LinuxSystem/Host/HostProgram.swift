internal import CLinux
import Glibc

/// Another program of this machine, run to its end.
public enum HostProgram {
    /// How it ended.
    public struct Result: Equatable, Sendable {
        /// Its exit status; 128 and more for a signal, 127 when it could not be started.
        public var status: Int32
        /// What it wrote, output and errors together, or why it did not start.
        public var output: String
    }

    private static let outputMax = 1 << 20

    /// Runs it, with no input, and with none of this process's variables but `PATH`: others may be secret.
    ///
    /// Blocks. It has a process group of its own, so that Ctrl-C is for this process alone to answer.
    /// - Parameters:
    ///   - words: its name, looked for in `PATH`, and its arguments.
    ///   - seconds: after these it is killed.
    /// - Returns: how it ended, also when it could not be started.
    public static func run(_ words: [String], seconds: Int) -> Result {
        var reading: Int32 = -1
        var writing: Int32 = -1
        guard clinux_pipe(&reading, &writing) == 0 else {
            return Result(status: 127, output: SystemError.text(of: errno))
        }
        let input = FileDescriptor(owning: reading)
        var pid: pid_t = 0
        let failure = start(words, output: writing, &pid)
        close(writing)
        guard failure == 0 else {
            return Result(status: 127, output: "\(words[0]) cannot be started: \(SystemError.text(of: failure))")
        }
        let output = collect(input.raw, seconds: seconds) { kill(pid, SIGKILL) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return Result(
            status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: String(decoding: output, as: UTF8.self))
    }

    private static func start(_ words: [String], output: Int32, _ pid: inout pid_t) -> Int32 {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        let vector = CStringVector(words)
        let environment = CStringVector(["PATH=\(path)", "LC_ALL=C"])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for number in Int32(1)...2 { posix_spawn_file_actions_adddup2(&actions, output, number) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This process blocks and ignores some; a program begins without that.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        return posix_spawnp(&pid, words[0], &actions, &attributes, vector.pointers, environment.pointers)
    }

    private static func collect(_ descriptor: Int32, seconds: Int, late: () -> Void) -> [UInt8] {
        let end = ContinuousClock.now + .seconds(seconds)
        var found: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 8_192)
        while true {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let left = (end - ContinuousClock.now).components.seconds
            guard left >= 0 else {
                late()
                return found
            }
            guard poll(&waiting, 1, 1_000) > 0 else { continue }
            let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return found }
            guard count > 0 else { continue }
            if found.count < outputMax { found.append(contentsOf: chunk[..<count]) }
        }
    }
}
