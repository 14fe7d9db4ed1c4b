internal import Glibc

/// Carries bytes from one descriptor to another, in one direction.
///
/// What the other side does not take is kept here, and nothing more is read until it has: one block at most, so that
/// a flood of output makes the writer wait instead of this process grow.
final class StreamCopier {
    private var source: Int32
    private var sink: Int32
    /// Further descriptors that live as long as the copying.
    private var kept: [Int32]
    private var pending: [UInt8] = []
    private var sinkIsBroken = false
    /// Whether the rest is to be read and thrown away when the sink is broken: a container must not end because the
    /// disk that its output goes to is full.
    private let discards: Bool
    private let whenEnded: () -> Void

    /// Takes over the descriptors. Both ends must not block, the sink only if it is a file.
    init(source: Int32, sink: Int32, kept: [Int32], discards: Bool, whenEnded: @escaping () -> Void) {
        self.source = source
        self.sink = sink
        self.kept = kept
        self.discards = discards
        self.whenEnded = whenEnded
    }

    deinit { closeAll() }

    var isOpen: Bool { sink >= 0 }

    /// What to wait for.
    var interest: (descriptor: Int32, events: Int16)? {
        guard isOpen else { return nil }
        return pending.isEmpty ? (source, Int16(POLLIN)) : (sink, Int16(POLLOUT))
    }

    /// Does one step after `poll` said that it is possible.
    func step(_ buffer: UnsafeMutableRawBufferPointer) {
        guard isOpen else { return }
        if pending.isEmpty {
            let count = read(source, buffer.baseAddress, buffer.count)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
            // A terminal whose last process is gone gives EIO.
            guard count > 0 else { return end() }
            let rest = write(UnsafeRawBufferPointer(buffer)[..<count])
            if !rest.isEmpty { pending = Array(rest) }
        } else {
            pending = pending.withUnsafeBytes { Array(write($0[...])) }
        }
        if sinkIsBroken && !discards { return end() }
    }

    /// Writes what the sink takes; returns the rest.
    private func write(_ bytes: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        var rest = bytes
        while !rest.isEmpty && !sinkIsBroken {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(sink, part.baseAddress, part.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                return rest
            } else if errno != EINTR {
                sinkIsBroken = true
            }
        }
        return rest.suffix(0)
    }

    /// Ends the copying now; what was not carried over is lost.
    func end() {
        guard isOpen else { return }
        closeAll()
        whenEnded()
    }

    private func closeAll() {
        for descriptor in [source, sink] + kept where descriptor >= 0 { close(descriptor) }
        source = -1
        sink = -1
        kept = []
        pending = []
    }
}
