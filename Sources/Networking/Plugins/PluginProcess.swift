internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Runs a plugin's program: input from memory, output bounded, ended with all its children when its time is over.
struct PluginProcess {
    struct Outcome {
        /// As of waitpid(2).
        var status: Int32
        var output: [UInt8]
        var errors: [UInt8]

        var isSuccess: Bool { status == 0 }
    }

    private static let mostOutput = 1 << 20

    var path: String
    var environment: [String]
    var patience: Duration

    func run(_ input: [UInt8]) throws(NetworkError) -> Outcome {
        let raw = clinux_secret_memory()
        guard raw >= 0 else { throw .last("call the plugin \(path)") }
        let memory = FileDescriptor(owning: raw)
        do {
            try memory.writeAll(input)
        } catch {
            throw .system("call the plugin \(path)", error.errno)
        }
        lseek(memory.raw, 0, SEEK_SET)
        var ends: [FileDescriptorBox] = []
        for _ in 0..<2 {
            var (reading, writing): (Int32, Int32) = (-1, -1)
            guard clinux_pipe(&reading, &writing) == 0 else { throw .last("call the plugin \(path)") }
            ends += [FileDescriptorBox(reading), FileDescriptorBox(writing)]
            _ = clinux_set_nonblocking(reading)
        }
        let pid = try start(input: memory.raw, output: ends[1].raw, errors: ends[3].raw)
        ends[1].close()
        ends[3].close()
        return collect(pid, ends[0], ends[2])
    }

    private func start(input: Int32, output: Int32, errors: Int32) throws(NetworkError) -> pid_t {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        for (number, descriptor) in [input, output, errors].enumerated() {
            posix_spawn_file_actions_adddup2(&files, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, so that what it starts ends with it; signals as a program expects them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var usual = sigset_t()
        sigemptyset(&usual)
        sigaddset(&usual, SIGPIPE)
        sigaddset(&usual, SIGHUP)
        posix_spawnattr_setsigdefault(&attributes, &usual)
        posix_spawnattr_setpgroup(&attributes, 0)
        let (group, defaults, mask): (Int16, Int16, Int16) = (0x02, 0x04, 0x08)
        posix_spawnattr_setflags(&attributes, group | defaults | mask)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
        variables.append(nil)
        defer { (arguments + variables).forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, path, &files, &attributes, &arguments, &variables)
        guard failure == 0 else { throw .system("call the plugin \(path)", failure) }
        return pid
    }

    private func collect(_ pid: pid_t, _ output: FileDescriptorBox, _ errors: FileDescriptorBox) -> Outcome {
        let (seconds, fraction) = patience.components
        let end = HostFacts.monotonicMilliseconds() + seconds * 1000 + fraction / 1_000_000_000_000_000
        let ended = FileDescriptorBox(clinux_pidfd_open(pid))
        var outcome = Outcome(status: -1, output: [], errors: [])
        var isOver = false
        while !isOver {
            var entries = [output.raw, errors.raw, ended.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let left = end - HostFacts.monotonicMilliseconds()
            // Where the kernel has no descriptors of processes, one looks.
            _ = poll(&entries, 3, Int32(clamping: ended.raw >= 0 ? max(0, left) : 20))
            Self.drain(output, into: &outcome.output)
            Self.drain(errors, into: &outcome.errors)
            let hasSaidTooMuch = max(outcome.output.count, outcome.errors.count) > Self.mostOutput
            if left <= 0 || hasSaidTooMuch {
                kill(-pid, SIGKILL)
                var status: Int32 = 0
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                outcome.errors = Array((hasSaidTooMuch ? "it said more than 1 MiB" : "it took too long").utf8)
                outcome.output = []
                return outcome
            }
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                outcome.status = status
                isOver = true
            }
        }
        Self.drain(output, into: &outcome.output)
        Self.drain(errors, into: &outcome.errors)
        // What it has left running in its group has no business here.
        kill(-pid, SIGKILL)
        return outcome
    }

    private static func drain(_ file: FileDescriptorBox, into bytes: inout [UInt8]) {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while file.raw >= 0, bytes.count <= mostOutput {
            let count = read(file.raw, &chunk, chunk.count)
            if count > 0 {
                bytes += chunk.prefix(count)
            } else {
                if count == 0 { file.close() }
                if count < 0, errno == EINTR { continue }
                return
            }
        }
    }
}

/// A descriptor that can be closed early.
private final class FileDescriptorBox {
    private(set) var raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    func close() {
        if raw >= 0 { Glibc.close(raw) }
        raw = -1
    }

    deinit { close() }
}
