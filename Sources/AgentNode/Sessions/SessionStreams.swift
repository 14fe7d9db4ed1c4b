internal import Glibc
internal import LinuxSystem

/// Reads a descriptor that does not block, as long as its bytes are wanted. All on the thread of the loop.
final class SessionReader: @unchecked Sendable {
    private static let chunk = 32 << 10
    /// The most that a pipe holds, by the kernel's own limit for users.
    private static let restLimit = 1 << 20

    private let descriptor: Int32
    private let loop: DescriptorLoop
    private let take: ([UInt8]) -> Bool
    private let whenOver: () -> Void
    private var watch: UInt64?
    private(set) var isOver = false

    /// - Parameters:
    ///   - descriptor: is taken over.
    ///   - loop: where everything happens.
    ///   - take: gets bytes and says whether more may come at once.
    ///   - whenOver: called once at the end.
    init(
        _ descriptor: Int32, on loop: DescriptorLoop, take: @escaping ([UInt8]) -> Bool,
        whenOver: @escaping () -> Void
    ) {
        self.descriptor = descriptor
        self.loop = loop
        self.take = take
        self.whenOver = whenOver
    }

    /// Goes on reading.
    func resume() {
        guard watch == nil, !isOver else { return }
        watch = loop.watch(descriptor, for: .reading) { [self] in _ = read() }
        if watch == nil { end() }
    }

    private func rest() {
        if let watch { loop.forget(watch, at: descriptor) }
        watch = nil
    }

    /// Whether its bytes are not wanted at present.
    var isHeld: Bool { watch == nil && !isOver }

    /// Takes what is there already, whether it is wanted or not, and ends.
    func finish() {
        var count = 0
        while !isOver, count < Self.restLimit, let more = read() { count += more }
        end()
    }

    /// Reads no more and closes the descriptor.
    func end() {
        guard !isOver else { return }
        isOver = true
        rest()
        close(descriptor)
        whenOver()
    }

    /// Returns how many bytes came; nil when there were none.
    @discardableResult
    private func read() -> Int? {
        guard !isOver else { return nil }
        var bytes = [UInt8](repeating: 0, count: Self.chunk)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EAGAIN || errno == EINTR { return nil }
        // EIO is how a terminal says that nobody has its other side open.
        guard count > 0 else {
            end()
            return nil
        }
        if !take(Array(bytes.prefix(count))) { rest() }
        return count
    }
}

/// Writes to a descriptor that does not block. All on the thread of the loop.
final class SessionWriter: @unchecked Sendable {
    private let descriptor: Int32
    private let loop: DescriptorLoop
    private var waiting: [(bytes: ArraySlice<UInt8>, done: (Bool) -> Void)] = []
    private var watch: UInt64?
    private var endsWhenEmpty = false
    private(set) var isOver = false

    /// - Parameters:
    ///   - descriptor: is taken over.
    ///   - loop: where everything happens.
    init(_ descriptor: Int32, on loop: DescriptorLoop) {
        self.descriptor = descriptor
        self.loop = loop
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
        rest()
        close(descriptor)
        let lost = waiting
        waiting = []
        for each in lost { each.done(false) }
    }

    private func rest() {
        if let watch { loop.forget(watch, at: descriptor) }
        watch = nil
    }

    private func flush() {
        while !isOver, let first = waiting.first {
            let count = first.bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                if watch == nil { watch = loop.watch(descriptor, for: .writing) { [self] in flush() } }
                return watch == nil ? end() : ()
            }
            guard count >= 0 else { return end() }
            waiting[0].bytes = first.bytes.dropFirst(count)
            if waiting[0].bytes.isEmpty { waiting.removeFirst().done(true) }
        }
        if isOver { return }
        rest()
        if endsWhenEmpty { end() }
    }
}
