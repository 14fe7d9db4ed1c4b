internal import Dispatch
internal import Glibc
internal import LinuxSystem

/// Reads a descriptor that does not block, as long as its bytes are wanted. All on the queue that it is given.
final class SessionReader: @unchecked Sendable {
    private static let chunk = 32 << 10

    private let descriptor: Int32
    private let source: any DispatchSourceRead
    private let take: ([UInt8]) -> Bool
    private let whenOver: () -> Void
    private var isReading = false
    private(set) var isOver = false

    /// - Parameters:
    ///   - descriptor: is taken over.
    ///   - queue: where everything happens.
    ///   - take: gets bytes and says whether more may come at once.
    ///   - whenOver: called once at the end.
    init(
        _ descriptor: Int32, on queue: DispatchQueue, take: @escaping ([UInt8]) -> Bool,
        whenOver: @escaping () -> Void
    ) {
        self.descriptor = descriptor
        self.take = take
        self.whenOver = whenOver
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [unowned self] in read() }
        source.setCancelHandler { close(descriptor) }
    }

    /// Goes on reading.
    func resume() {
        guard !isReading, !isOver else { return }
        isReading = true
        source.resume()
    }

    /// Reads no more and closes the descriptor.
    func end() {
        guard !isOver else { return }
        isOver = true
        source.cancel()
        // A source that rests does not hear of its end.
        if !isReading { source.resume() }
        isReading = true
        whenOver()
    }

    private func read() {
        guard !isOver, isReading else { return }
        var bytes = [UInt8](repeating: 0, count: Self.chunk)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        // EIO is how a terminal says that nobody has its other side open.
        guard count > 0 else { return end() }
        if !take(Array(bytes.prefix(count))), !isOver {
            isReading = false
            source.suspend()
        }
    }
}

/// Writes to a descriptor that does not block. All on the queue that it is given.
final class SessionWriter: @unchecked Sendable {
    private let descriptor: Int32
    private let source: any DispatchSourceWrite
    private var waiting: [(bytes: ArraySlice<UInt8>, done: (Bool) -> Void)] = []
    private var isWatching = false
    private(set) var isOver = false
    private var endsWhenEmpty = false

    /// - Parameters:
    ///   - descriptor: is taken over.
    ///   - queue: where everything happens.
    init(_ descriptor: Int32, on queue: DispatchQueue) {
        self.descriptor = descriptor
        source = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [unowned self] in flush() }
        source.setCancelHandler { close(descriptor) }
    }

    /// Writes bytes; `done` is told when all are written, or false when nobody takes them.
    func write(_ bytes: [UInt8], _ done: @escaping (Bool) -> Void) {
        guard !isOver, !endsWhenEmpty else { return done(false) }
        waiting.append((bytes[...], done))
        flush()
    }

    /// Closes the descriptor when all that waits is written.
    func finish() {
        endsWhenEmpty = true
        flush()
    }

    /// Closes the descriptor; what waits is lost.
    func end() {
        guard !isOver else { return }
        isOver = true
        source.cancel()
        if !isWatching { source.resume() }
        isWatching = true
        let lost = waiting
        waiting = []
        for each in lost { each.done(false) }
    }

    private func flush() {
        while !isOver, let first = waiting.first {
            let count = first.bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return watch(true) }
            guard count >= 0 else { return end() }
            waiting[0].bytes = first.bytes.dropFirst(count)
            if waiting[0].bytes.isEmpty { waiting.removeFirst().done(true) }
        }
        if isOver { return }
        if endsWhenEmpty { return end() }
        watch(false)
    }

    private func watch(_ wanted: Bool) {
        guard isWatching != wanted else { return }
        isWatching = wanted
        if wanted { source.resume() } else { source.suspend() }
    }
}
