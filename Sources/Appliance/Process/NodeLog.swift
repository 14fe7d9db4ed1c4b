internal import Glibc
internal import LinuxSystem
public import Logging
internal import Synchronization

/// Writes what a node logs, one line each: time, level, what it is about, message. To standard error from the level on
/// that was asked for, and to the node's file, which `/master/log` shows, from notice on in any case.
public struct NodeLog: LogHandler {
    /// The least severe level that is written.
    public var logLevel: Logger.Level
    /// Facts that go with every message.
    public var metadata: Logger.Metadata = [:]
    private let label: String
    private let shown: Logger.Level
    private let file: NodeLogFile?

    init(label: String, level: Logger.Level, file: NodeLogFile?) {
        self.label = label
        self.file = file
        shown = level
        logLevel = file == nil ? level : min(level, .notice)
    }

    /// A logger for a part of the node.
    ///
    /// - Parameters:
    ///   - label: the part.
    ///   - level: the name of a level of swift-log.
    ///   - file: the file that gets the lines too.
    /// - Returns: a logger that writes to standard error.
    public static func logger(_ label: String, level: String?, file: String? = nil) -> Logger {
        let level = level.flatMap { Logger.Level(rawValue: $0) } ?? .notice
        let file = file.flatMap { NodeLogFile(path: $0) }
        return Logger(label: label) { NodeLog(label: $0, level: level, file: file) }
    }

    /// A fact that goes with every message.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one message.
    public func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }
        let tail =
            facts.isEmpty ? "" : " " + facts.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: " ")
        let line = "\(Self.time()) \(event.level) \(label): \(event.message)\(tail)"
        if event.level >= shown { Console.note(line) }
        file?.append(line)
    }

    private static func time() -> String {
        var now = time_t()
        Glibc.time(&now)
        var parts = tm()
        guard gmtime_r(&now, &parts) != nil else { return "-" }
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A log that is kept on disk, of bounded size: the file and the one before it.
final class NodeLogFile: Sendable {
    /// Bytes after which a new file is begun.
    private static let limit: Int = 8 << 20

    private let path: String
    private let state: Mutex<(descriptor: Int32, bytes: Int)>

    /// Opens it at its end; nil when it cannot be, which must not keep a node from running.
    init?(path: String) {
        guard let opened = Self.open(path) else { return nil }
        self.path = path
        state = Mutex(opened)
    }

    private static func open(_ path: String) -> (descriptor: Int32, bytes: Int)? {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC
        guard let file = try? FileDescriptor.open(path, flags: flags) else { return nil }
        let bytes = Int(max(0, lseek(file.raw, 0, SEEK_END)))
        return (file.release(), bytes)
    }

    func append(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        state.withLock { state in
            if state.bytes > Self.limit, rename(path, path + ".1") == 0, let next = Self.open(path) {
                close(state.descriptor)
                state = next
            }
            Console.write(bytes: bytes, to: state.descriptor)
            state.bytes += bytes.count
        }
    }

    deinit { state.withLock { _ = close($0.descriptor) } }
}
