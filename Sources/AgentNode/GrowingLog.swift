internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import LinuxSystem
internal import NIOCore

/// Sends a file that grows and is rotated, until its task has ended and everything was sent.
///
/// A monitor rotates `stdout` to `stdout.1`, `stdout.1` to `stdout.2` and so on. The reader holds the file open and
/// recognises it by its inode under its new name, so that nothing is skipped as long as the file is kept at all.
struct GrowingLog: Sendable {
    private static let chunk = 64 << 10
    /// How often a quiet file is looked at.
    private static let interval = TimeAmount.milliseconds(150)

    let path: String
    let container: ContainerID
    let files: WorkFiles
    let inbox: AgentInbox
    let loop: any EventLoop
    var offset: Int64
    let follows: Bool

    private struct Place {
        var name: String
        var inode: ino_t
    }

    init(
        path: String, container: ContainerID, files: WorkFiles, inbox: AgentInbox, loop: any EventLoop,
        offset: Int64, follows: Bool
    ) {
        self.path = path
        self.container = container
        self.files = files
        self.inbox = inbox
        self.loop = loop
        self.offset = offset
        self.follows = follows
    }

    mutating func send(to writer: ResponseWriter) async throws {
        var name = path
        while !Task.isCancelled {
            // Asked before the file is read to its end, or its last bytes could be missed.
            let mayGrow = follows ? await inbox.isLive(container) : false
            guard let file = try? files.openFile(name) else {
                if !mayGrow { return }
                await pause()
                continue
            }
            guard let next = try await sendFile(file, to: writer, mayGrow: mayGrow) else { return }
            name = next
            offset = 0
        }
    }

    /// Sends one file to its end. Returns the name of the file after it, nil when there is none and will be none.
    private mutating func sendFile(
        _ file: borrowing LinuxSystem.FileDescriptor, to writer: ResponseWriter, mayGrow: Bool
    ) async throws -> String? {
        var mayGrow = mayGrow
        guard let inode = WorkFiles.facts(file)?.st_ino else { return nil }
        while true {
            // A file that is not the live one any more does not grow after this was seen.
            let next = nameAfter(inode)
            try await sendRest(file, to: writer)
            if let next { return next }
            if !mayGrow { return nil }
            try Task.checkCancellation()
            await pause()
            mayGrow = await inbox.isLive(container)
        }
    }

    private mutating func sendRest(_ file: borrowing LinuxSystem.FileDescriptor, to writer: ResponseWriter) async throws
    {
        while true {
            let bytes = try readChunk(file, at: offset, count: Self.chunk)
            if bytes.isEmpty { return }
            offset += Int64(bytes.count)
            try await writer.write(ByteBuffer(bytes: bytes))
        }
    }

    /// The name of the file that was begun after the one with this inode; nil when that one is the live file.
    private func nameAfter(_ inode: ino_t) -> String? {
        if self.inode(path) == inode { return nil }
        for number in 1...1_000 {
            let name = "\(path).\(number)"
            guard let found = self.inode(name) else { break }
            if found == inode { return number == 1 ? path : "\(path).\(number - 1)" }
        }
        // It was rotated away for good, or this is the moment between two renames: the oldest one that is there.
        return self.inode(path) == nil ? nil : path
    }

    private func inode(_ name: String) -> ino_t? {
        guard let file = try? files.openFile(name) else { return nil }
        return WorkFiles.facts(file)?.st_ino
    }

    private func pause() async {
        await withCheckedContinuation { waiting in
            // Completes also when the loop ends before its time.
            loop.scheduleTask(in: Self.interval) {}.futureResult.whenComplete { _ in waiting.resume() }
        }
    }
}
