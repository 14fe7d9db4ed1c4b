internal import Glibc
internal import LinuxSystem

/// The methods of `containerd.task.v2.Task`, which are those of `v3` too.
extension ShimSession {
    func answer(_ request: TTRPCRequest) {
        let reply = request.reply
        do throws(ShimFailure) {
            guard ["containerd.task.v2.Task", "containerd.task.v3.Task"].contains(request.service) else {
                throw .unimplemented("service \(request.service) is not offered")
            }
            let message = try ProtobufMessage(request.payload)
            switch request.method {
            case "Create": try create(message, reply)
            case "Start": try start(message, reply)
            case "Exec": try addProcess(message, reply)
            case "Delete": try delete(message, reply)
            case "Kill": try kill(message, reply)
            case "Pause": try pause(message, reply)
            case "Resume": try resume(message, reply)
            case "Update": try update(message, reply)
            case "State": server.send(reply, try state(message))
            case "Pids": try pids(message, reply)
            case "Wait": try wait(message, reply)
            case "Stats": server.send(reply, try stats(message))
            case "ResizePty":
                let process = try process(message).process
                try process.streams.resize(width: try message.small(3), height: try message.small(4))
                server.send(reply)
            case "CloseIO":
                let process = try process(message).process
                process.streams.closeInput()
                server.send(reply)
            case "Connect": server.send(reply, try connect(message))
            case "Shutdown":
                server.send(reply)
                if containers.isEmpty && reserved.isEmpty { end() }
            case "Checkpoint": throw .unimplemented("checkpoints are not supported by this runtime")
            default: throw .unimplemented("method \(request.method) is not offered")
            }
        } catch {
            server.send(reply, error)
        }
    }

    /// The container that a request is about.
    func container(_ message: ProtobufMessage) throws(ShimFailure) -> ShimContainer {
        let id = try message.text(1)
        guard let container = containers[id] else { throw .notFound("container \(id) is not created") }
        guard !container.first.isOverloaded else { throw .exhausted("too many requests for container \(id) wait") }
        return container
    }

    /// The process that a request is about.
    func process(
        _ message: ProtobufMessage
    ) throws(ShimFailure) -> (container: ShimContainer, process: ShimProcess) {
        let container = try container(message)
        let process = try container.process(try message.text(2))
        guard !process.isOverloaded else { throw .exhausted("too many requests for container \(container.id) wait") }
        return (container, process)
    }

    private func state(_ message: ProtobufMessage) throws(ShimFailure) -> ProtobufWriter {
        let (container, process) = try process(message)
        let containerStatus = container.first.status
        let status = [.paused, .pausing].contains(containerStatus) ? containerStatus : process.status
        var state = ProtobufWriter()
        state.put(1, process.execID.isEmpty ? container.id : process.execID)
        state.put(2, container.bundle)
        state.put(3, process.pid)
        state.put(4, status.rawValue)
        state.put(5, process.streams.input)
        state.put(6, process.streams.output)
        state.put(7, process.streams.errors)
        state.put(8, process.streams.isTerminal)
        state.put(9, process.exitStatus)
        state.put(10, process.exitedAt)
        state.put(11, process.execID)
        return state
    }

    private func connect(_ message: ProtobufMessage) throws(ShimFailure) -> ProtobufWriter {
        var answer = ProtobufWriter()
        answer.put(1, getpid())
        answer.put(2, containers[try message.text(1)]?.first.pid ?? 0)
        return answer
    }

    private func wait(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let process = try process(message).process
        if process.hasEnded { server.send(reply, exit(of: process)) } else { process.waiters.append(reply) }
    }

    /// `WaitResponse`.
    func exit(of process: ShimProcess) -> ProtobufWriter {
        var exit = ProtobufWriter()
        exit.put(1, process.exitStatus)
        exit.put(2, process.exitedAt)
        return exit
    }

    private func stats(_ message: ProtobufMessage) throws(ShimFailure) -> ProtobufWriter {
        let container = try container(message)
        guard let groups = container.groups else { throw .notFound("container \(container.id) has no control group") }
        let (type, metrics) = groups.metrics()
        var answer = ProtobufWriter()
        answer.put(1, type: type, metrics.bytes[...])
        return answer
    }

    private func pids(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let (container, process) = try process(message)
        process.exclusively { [self] done in
            guard let file = OutputFile() else {
                server.send(reply, ShimFailure.unknown("no file in memory can be made"))
                return done()
            }
            let words = ["ps", "--format", "json", container.id]
            command(words, for: container, streams: file.streams()) { [self] outcome in
                defer { done() }
                guard outcome.status == 0 else {
                    return server.send(reply, .unknown("OCI runtime ps failed: \(outcome.complaint ?? "")"))
                }
                var answer = ProtobufWriter()
                let numbers = file.content().split { !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0) }
                for pid in numbers.compactMap({ Int32(String(decoding: $0, as: UTF8.self)) }) {
                    var info = ProtobufWriter()
                    info.put(1, pid)
                    if let added = container.added.values.first(where: { $0.pid == pid && !$0.isReaped }) {
                        var details = ProtobufWriter()
                        details.put(1, added.execID)
                        info.put(2, type: "containerd.runc.v1.ProcessDetails", details.bytes[...])
                    }
                    answer.put(1, info)
                }
                server.send(reply, answer)
            }
        }
    }

    /// Publishes an event about a container.
    func publish(
        _ topic: String, _ type: String, of container: ShimContainer, _ fill: (inout ProtobufWriter) -> Void
    ) {
        var event = ProtobufWriter()
        event.put(1, container.id)
        fill(&event)
        publisher?.publish("/tasks/\(topic)", type: "containerd.events.\(type)", event)
    }
}
