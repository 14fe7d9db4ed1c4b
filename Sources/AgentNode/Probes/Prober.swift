internal import AgentCore
internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Transport

/// Makes the probes of tasks' health checks and checks: connections to loopback in the container's network, and
/// commands in the container by `rondo oci exec`.
///
/// Each begins on a thread of its own, which may see another network and may wait: tasks that do not answer must not
/// take threads away from the rest of the agent.
struct Prober: Sendable {
    let files: AgentFiles
    let transport: Transport
    /// The program that has the container runtime.
    let program: String

    /// What stands for no limit, so that nothing is waited for for ever.
    private static let longest = Duration.seconds(3_600)
    /// A status line is short.
    private static let lineLimit = 4_096
    /// What is read of an answer that is told, and what is told of its body.
    private static let answerLimit = 16_384
    private static let bodyLimit = 1_024

    /// Makes a probe.
    func make(_ request: ProbeRequest) async -> ProbeFinding {
        let timeout = request.probe.timeout > .zero ? min(request.probe.timeout, Self.longest) : Self.longest
        switch request.probe.kind {
        case .command(let command): return await run(command, of: request.task, timeout)
        case .tcp(let port, let version):
            switch await connect(request.task, port, version, timeout) {
            case .success(let socket):
                close(socket)
                return ProbeFinding(.tcp(true), words: "port \(port) accepts connections")
            case .failure(let error):
                return ProbeFinding(.tcp(false), words: "port \(port): \(error)")
            }
        case .http(let scheme, let port, let path, _, let version):
            switch await connect(request.task, port, version, timeout) {
            case .success(let socket):
                let keepsAnswer =
                    request.role == .readiness && request.task.launch.task.readinessCheck?.keepsAnswer == true
                return await ask(scheme, port, path, version, socket, timeout, isWhole: keepsAnswer)
            case .failure(let error): return ProbeFinding(words: "\(scheme) on port \(port): \(error)")
            }
        }
    }

    // MARK: connections

    /// On a thread of its own.
    private func onOwnThread<Value: Sendable>(
        _ body: @escaping @Sendable () -> Result<Value, SystemError>
    ) async -> Result<Value, SystemError> {
        await withCheckedContinuation { waiting in
            if !OwnThread.start({ waiting.resume(returning: body()) }) {
                waiting.resume(returning: .failure(SystemError(call: "start a thread", errno: EAGAIN)))
            }
        }
    }

    private func connect(
        _ task: StoredTask, _ port: UInt16, _ version: TaskProbe.IPVersion, _ timeout: Duration
    ) async -> Result<CInt, SystemError> {
        let directory = files.monitor(task.containerID)
        let hasOwnNetwork = task.launch.network != .host
        let milliseconds = Int32(clamping: Int64(timeout.inSeconds * 1_000))
        return await onOwnThread {
            Result { () throws(SystemError) in
                if hasOwnNetwork {
                    guard let pid = (try? directory.readState())?.initProcess?.pid else {
                        throw SystemError(call: "find the container", errno: ESRCH)
                    }
                    try OwnThread.enterNetwork(of: pid)
                }
                return try OwnThread.connectLoopback(port, isVersion6: version == .v6, milliseconds: milliseconds)
                    .release()
            }
        }
    }

    private func ask(
        _ scheme: String, _ port: UInt16, _ path: String, _ version: TaskProbe.IPVersion, _ socket: CInt,
        _ timeout: Duration, isWhole: Bool
    ) async -> ProbeFinding {
        let host = version == .v6 ? "[::1]" : "127.0.0.1"
        // An answer in the older form is as it is, without chunks.
        let question =
            "GET \(path) HTTP/1.\(isWhole ? 0 : 1)\r\nHost: \(host):\(port)\r\nUser-Agent: rondo-health-check\r\nAccept: */*\r\n"
            + "Connection: close\r\n\r\n"
        do {
            let answer = try await transport.ask(
                over: socket, isProtected: scheme == "https", question: Array(question.utf8),
                limit: isWhole ? Self.answerLimit : Self.lineLimit, isWhole: isWhole, timeout: timeout)
            guard let status = Self.status(of: answer) else {
                return ProbeFinding(words: "\(scheme) on port \(port): no answer in HTTP")
            }
            return ProbeFinding(
                .http(status), words: "\(scheme) on port \(port) answers \(status)",
                answer: isWhole ? Self.kept(of: answer) : nil)
        } catch {
            return ProbeFinding(words: "\(scheme) on port \(port): \(TransportError.reason(for: error))")
        }
    }

    /// The number in `HTTP/1.1 200 OK`.
    static func status(of answer: [UInt8]) -> UInt16? {
        let words = answer.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            .split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true)
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8), words[1].count == 3 else { return nil }
        return UInt16(String(decoding: words[1], as: UTF8.self)).flatMap { (100...999).contains($0) ? $0 : nil }
    }

    /// The kind and the beginning of an answer's body.
    static func kept(of answer: [UInt8]) -> TaskReadiness.Answer {
        let text = String(decoding: answer, as: UTF8.self)
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).dropFirst()
        var kept = TaskReadiness.Answer(contentType: "", body: "")
        while let line = lines.popFirst(), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == "content-type" else { continue }
            kept.contentType = String(line[line.index(after: colon)...].drop { $0 == " " }.prefix(128))
        }
        let body = lines.joined(separator: "\r\n").utf8.prefix(Self.bodyLimit)
        kept.body = String(decoding: withoutTornCharacter(Array(body)), as: UTF8.self)
        return kept
    }

    // MARK: commands

    private func run(_ command: CommandInfo, of task: StoredTask, _ timeout: Duration) async -> ProbeFinding {
        let directory = files.monitor(task.containerID)
        let id = task.containerID.value
        let pidPath = "\(directory.path)/probe.pid"
        var words = [program, "oci", "--root", directory.runtimePath, "exec", "--pid-file", pidPath]
        if task.launch.task.container?.image == nil { words += ["--cwd", task.directory] }
        for variable in command.environment { words += ["--env", "\(variable.name)=\(variable.value)"] }
        let value = command.value ?? ""
        words += [id] + (command.isShell ? ["/bin/sh", "-c", value] : [value] + command.arguments.dropFirst())
        let call = words
        let seconds = max(Int(timeout.inSeconds.rounded(.up)), 1)
        let outcome = await onOwnThread { () -> Result<HostProgram.Result, SystemError> in
            unlink(pidPath)
            let result = HostProgram.run(call, seconds: seconds)
            // The runtime was ended, and what it ran goes on.
            if result.status == 128 + SIGKILL { Self.kill(pidPath, in: id) }
            unlink(pidPath)
            return .success(result)
        }
        guard case .success(let result) = outcome else { return ProbeFinding(words: "the command cannot be started") }
        let last = result.output.split(whereSeparator: \.isNewline).last.map { ": \($0.prefix(200))" } ?? ""
        switch result.status {
        case 128 + SIGKILL: return ProbeFinding(words: "the command did not end within \(seconds) s")
        case 255: return ProbeFinding(.command(255), words: "the command ended with status 255\(last)")
        default:
            return ProbeFinding(
                .command(result.status), words: "the command ended with status \(result.status)\(last)")
        }
    }

    /// Ends a process if it still is one of the container.
    private static func kill(_ pidPath: String, in container: String) {
        guard let text = try? readFile(pidPath, limit: 64), let pid = Int32(String(decoding: text, as: UTF8.self)),
            pid > 1, let groups = try? readFile("/proc/\(pid)/cgroup", limit: 65_536),
            String(decoding: groups, as: UTF8.self).contains(container)
        else { return }
        Glibc.kill(pid, SIGKILL)
    }
}
