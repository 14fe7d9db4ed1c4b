internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// What a task writes from now on, for `ATTACH_CONTAINER_OUTPUT`: read from the files that its monitor keeps.
///
/// So a reader who does not read holds nobody back, and does not find again what the files do not keep any more.
struct TaskOutput: Sendable {
    /// How often files are looked at when nobody says that they have changed, and whether the task has ended.
    private static let interval = TimeAmount.milliseconds(150)

    let directory: String
    let container: ContainerID
    let files: WorkFiles
    let inbox: AgentInbox
    let thread: DescriptorLoop
    let loop: any EventLoop

    /// Opens the files where they end now, and gives a response with what follows.
    func response() -> GatewayResponse {
        // Begun here, or what is written between an answer's head and its body would be lost.
        let readers = TaskOutputReaders(directory, files)
        return .stream(headers: [.contentType: "application/recordio"]) { writer in
            let changes = FileChanges(on: thread, loop)
            readers.watch(with: changes)
            defer { changes.end() }
            while !Task.isCancelled {
                // Asked before the files are read to their ends, or their last bytes could be missed.
                let isLive = await inbox.isLive(container)
                while let (bytes, isError) = try readers.next() {
                    try await writer.write(ByteBuffer(bytes: ContainerCall.output(bytes, isError: isError)))
                }
                if !isLive { return }
                await changes.wait(atMost: Self.interval)
            }
            try Task.checkCancellation()
        }
    }
}

/// A task's two files. Used by one after the other.
private final class TaskOutputReaders: @unchecked Sendable {
    private let readers: [LogReader]
    private var turn = 0

    init(_ directory: String, _ files: WorkFiles) {
        readers = ["stdout", "stderr"].map { LogReader("\(directory)/\($0)", files, from: .end) }
        for reader in readers { reader.open() }
    }

    func watch(with changes: FileChanges) {
        for reader in readers { reader.whenOpened = { changes.watch($0) } }
    }

    /// The next piece, from one and the other in turn.
    func next() throws(GatewayError) -> (bytes: [UInt8], isError: Bool)? {
        for _ in readers {
            turn = (turn + 1) % readers.count
            let bytes = try readers[turn].next()
            if !bytes.isEmpty { return (bytes, turn == 1) }
        }
        return nil
    }
}
