internal import CLinux
internal import Glibc

/// Programs that run at points of a container's life (OCI runtime-spec, config.md, POSIX-platform hooks).
enum Hooks {
    /// Runs hooks in order; the first that fails ends it.
    ///
    /// `environment`: of hooks that name none of their own; the runtime's, unless they run in the container.
    static func run(
        _ hooks: [HookConfig], _ kind: String, state: JSONValue, environment: [String]? = nil
    ) throws(RuntimeFailure) {
        guard !hooks.isEmpty else { return }
        let input = Array(state.text().utf8)
        for (number, hook) in hooks.enumerated() { try run(hook, kind, number, input, environment) }
    }

    /// Runs all hooks in order, whether they fail or not; `warn` is told of each failure.
    static func runAll(_ hooks: [HookConfig], _ kind: String, state: JSONValue, warn: (String) -> Void) {
        let input = Array(state.text().utf8)
        for (number, hook) in hooks.enumerated() {
            do throws(RuntimeFailure) { try run(hook, kind, number, input, nil) } catch { warn(error.message) }
        }
    }

    private static func run(
        _ hook: HookConfig, _ kind: String, _ number: Int, _ input: [UInt8], _ environment: [String]?
    ) throws(RuntimeFailure) {
        let result = try Programs.run(
            hook.path, arguments: hook.args.isEmpty ? [hook.path] : hook.args,
            environment: hook.env.isEmpty ? environment ?? Programs.ownEnvironment : hook.env, input: input,
            timeout: hook.timeout)
        guard result.code != 0 else { return }
        let said = result.output.isEmpty ? "" : ": " + result.output
        let how =
            result.code == Programs.timedOut
            ? "took longer than \(hook.timeout ?? 0) s" : result.signal ?? "exit status \(result.code)"
        throw RuntimeFailure("error running \(kind) hook #\(number): \(hook.path): \(how)\(said)")
    }
}

/// Other programs, run to their end.
enum Programs {
    static let timedOut: Int32 = -1

    struct Result {
        /// The exit status, 128 + n for signal n, or ``timedOut``.
        var code: Int32
        /// What ended it, such as `signal: killed`, where that was a signal.
        var signal: String?
        /// The last of what it said on both outputs, in one line.
        var output: String
    }

    private static let outputLimit = 4_096

    static var ownEnvironment: [String] {
        var list: [String] = []
        var next = environ
        while let entry = next.pointee {
            list.append(String(cString: entry))
            next += 1
        }
        return list
    }

    /// `timeout`: seconds; nil waits for ever.
    static func run(
        _ path: String, arguments: [String], environment: [String], input: [UInt8]?, timeout: Int?
    ) throws(RuntimeFailure) -> Result {
        var toChild: (Int32, Int32) = (-1, -1)
        var fromChild: (Int32, Int32) = (-1, -1)
        guard clinux_pipe(&toChild.0, &toChild.1) == 0 else { throw RuntimeFailure("cannot make a pipe", errno: errno) }
        guard clinux_pipe(&fromChild.0, &fromChild.1) == 0 else {
            throw RuntimeFailure("cannot make a pipe", errno: errno)
        }
        let child = clinux_fork()
        if child == 0 {
            Signals.reset()
            _ = Kernel.call(SYS_setsid)
            _ = Kernel.call(SYS_dup3, Int(toChild.0), 0, 0)
            _ = Kernel.call(SYS_dup3, Int(fromChild.1), 1, 0)
            _ = Kernel.call(SYS_dup3, Int(fromChild.1), 2, 0)
            _ = clinux_close_on_exec_from(3)
            let code = CStrings.with(arguments) { arguments in
                CStrings.with(environment) { environment in
                    Kernel.withPath(path) {
                        Kernel.call(SYS_execve, $0, Int(bitPattern: arguments), Int(bitPattern: environment))
                    }
                }
            }
            _ = Kernel.write("cannot execute \(path): error \(-code)\n", to: 2)
            _exit(127)
        }
        Kernel.close(toChild.0)
        Kernel.close(fromChild.1)
        let outlet = OpenFile(fromChild.0)
        guard child > 0 else { throw RuntimeFailure("cannot fork", errno: errno) }
        feed(input ?? [], to: toChild.1)
        return wait(for: child, outlet, seconds: timeout)
    }

    /// A state fits into a pipe's buffer; what does not is dropped once the reader has gone.
    private static func feed(_ bytes: [UInt8], to descriptor: Int32) {
        let before = signal(SIGPIPE, SIG_IGN)
        bytes.withUnsafeBytes {
            _ = Kernel.call(SYS_write, Int(descriptor), Int(bitPattern: $0.baseAddress), $0.count)
        }
        signal(SIGPIPE, before)
        Kernel.close(descriptor)
    }

    private static func wait(for child: Int32, _ outlet: OpenFile, seconds: Int?) -> Result {
        let deadline = seconds.map { monotonicMilliseconds() + $0 * 1_000 }
        let process = clinux_pidfd_open(child)
        defer { if process >= 0 { Kernel.close(process) } }
        var said: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var isOpen = true
        while true {
            var waits = [
                pollfd(fd: process, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isOpen ? outlet.raw : -1, events: Int16(POLLIN), revents: 0),
            ]
            let left = deadline.map { max(0, $0 - monotonicMilliseconds()) } ?? -1
            let ready = poll(&waits, 2, Int32(clamping: left))
            if ready == 0, deadline != nil {
                // Its whole group: a hook's children must not outlive its time either.
                kill(-child, SIGKILL)
                Launcher.discard(child)
                return Result(code: timedOut, output: line(said))
            }
            if waits[1].revents != 0 {
                let count = buffer.withUnsafeMutableBytes {
                    Kernel.call(SYS_read, Int(outlet.raw), Int(bitPattern: $0.baseAddress), $0.count)
                }
                if count > 0 {
                    said += buffer[..<count]
                    if said.count > outputLimit { said.removeFirst(said.count - outputLimit) }
                } else {
                    isOpen = false
                }
                continue
            }
            if waits[0].revents != 0 { break }
        }
        let status = Launcher.reap(child) ?? 0
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
        return Result(code: code, signal: death(status), output: line(said))
    }

    private static func death(_ status: Int32) -> String? {
        guard status & 0x7f != 0, let name = strsignal(status & 0x7f) else { return nil }
        return "signal: " + String(cString: name).lowercased()
    }

    private static func line(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.split(separator: "\n").joined(separator: "; ")
    }

    static func monotonicMilliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}
