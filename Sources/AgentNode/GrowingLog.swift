internal import ClusterModel
internal import HTTPGateway
internal import NIOCore

/// Sends a file that grows and is rotated, until its task has ended and everything was sent.
struct GrowingLog: Sendable {
    /// How often a quiet file is looked at.
    private static let interval = TimeAmount.milliseconds(150)

    let path: String
    let container: ContainerID
    let files: WorkFiles
    let inbox: AgentInbox
    let loop: any EventLoop
    let start: LogReader.Start
    let follows: Bool

    func send(to writer: ResponseWriter) async throws {
        let reader = LogReader(path, files, from: start)
        while !Task.isCancelled {
            // Asked before the file is read to its end, or its last bytes could be missed.
            let mayGrow = follows ? await inbox.isLive(container) : false
            while true {
                let bytes = try reader.next()
                if bytes.isEmpty { break }
                try await writer.write(ByteBuffer(bytes: bytes))
            }
            if !mayGrow { return }
            await loop.pause(Self.interval)
        }
    }
}

extension EventLoop {
    /// Waits; not at all when the loop ends.
    func pause(_ time: TimeAmount) async {
        await withCheckedContinuation { waiting in
            // Completes also when the loop ends before its time.
            scheduleTask(in: time) {}.futureResult.whenComplete { _ in waiting.resume() }
        }
    }
}
