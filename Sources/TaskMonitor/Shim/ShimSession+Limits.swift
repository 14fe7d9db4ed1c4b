internal import Glibc
internal import LinuxSystem

/// Pausing and limits.
extension ShimSession {
    func pause(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let container = try container(message)
        change(container, reply, "pause", from: .running, meanwhile: .pausing, to: .paused, event: "TaskPaused")
    }

    func resume(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let container = try container(message)
        change(container, reply, "resume", from: .paused, meanwhile: .paused, to: .running, event: "TaskResumed")
    }

    private func change(
        _ container: ShimContainer, _ reply: TTRPCReply, _ verb: String, from: ShimProcess.Status,
        meanwhile: ShimProcess.Status, to: ShimProcess.Status, event: String
    ) {
        let process = container.first
        process.exclusively { [self] done in
            guard process.status == from else {
                server.send(reply, .precondition("container \(container.id) is not \(from)"))
                return done()
            }
            process.status = meanwhile
            command([verb, container.id], for: container) { [self] outcome in
                defer { done() }
                // It may have ended meanwhile.
                if process.status == meanwhile { process.status = outcome.status == 0 ? to : from }
                if let complaint = outcome.complaint {
                    return server.send(reply, .unknown("OCI runtime \(verb) failed: \(complaint)"))
                }
                publish("\(to == .paused ? "paused" : "resumed")", event, of: container) { _ in }
                server.send(reply)
            }
        }
    }

    func update(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let container = try container(message)
        let resources = Array(try message.message(2).bytes(2))
        guard resources.first == UInt8(ascii: "{") else { throw .invalid("the resources are no JSON object") }
        container.first.exclusively { [self] done in
            let path = container.bundle + "/resources.json"
            do throws(SystemError) {
                try writeFileAtomically(path, resources, durable: false)
            } catch {
                server.send(reply, .unknown("\(error)"))
                return done()
            }
            command(["update", "--resources", path, container.id], for: container) { [self] outcome in
                unlink(path)
                server.send(reply, outcome: outcome.complaint.map { .unknown("OCI runtime update failed: \($0)") })
                done()
            }
        }
    }
}

extension TTRPCServer {
    /// An empty answer, or a refusal.
    func send(_ reply: TTRPCReply, outcome failure: ShimFailure?) {
        if let failure { send(reply, failure) } else { send(reply) }
    }
}
