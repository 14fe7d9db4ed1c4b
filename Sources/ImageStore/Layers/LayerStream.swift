internal import Crypto
internal import Glibc

/// The bytes of an archive, decompressed while they are read, with their digest taken and their number bounded.
final class LayerStream {
    private let descriptor: Int32
    private let limits: LayerLimits
    private let input: UnsafeMutableRawBufferPointer
    private let output: UnsafeMutableRawBufferPointer
    private var waiting = UnsafeRawBufferPointer(start: nil, count: 0)
    private var ready = UnsafeRawBufferPointer(start: nil, count: 0)
    private var inflater: Inflater?
    private var hash = SHA256()
    private var hasEnded = false
    private(set) var compressedBytes: Int64 = 0
    private(set) var bytes: Int64 = 0
    private(set) var compression = Inflater.Compression.none

    /// Reads a file from where it stands; the descriptor stays the caller's.
    init(_ descriptor: Int32, _ limits: LayerLimits) {
        self.descriptor = descriptor
        self.limits = limits
        input = .allocate(byteCount: 256 << 10, alignment: 64)
        output = .allocate(byteCount: 512 << 10, alignment: 64)
    }

    deinit {
        input.deallocate()
        output.deallocate()
    }

    /// Some bytes, at most `most`, valid until the next call; empty at the end.
    func next(_ most: Int) throws(ImageError) -> UnsafeRawBufferPointer {
        if ready.isEmpty { try fill() }
        let count = min(most, ready.count)
        let piece = UnsafeRawBufferPointer(rebasing: ready[..<count])
        ready = UnsafeRawBufferPointer(rebasing: ready[count...])
        return piece
    }

    /// Copies bytes.
    ///
    /// - Returns: how many there were before the end.
    func read(into target: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        var done = 0
        while done < target.count {
            let piece = try next(target.count - done)
            if piece.isEmpty { break }
            UnsafeMutableRawBufferPointer(rebasing: target[done...]).copyMemory(from: piece)
            done += piece.count
        }
        return done
    }

    /// Reads what is left, and says what all of it was.
    func finish() throws(ImageError) -> Digest {
        while true { if try next(.max).isEmpty { break } }
        return Digest(hash.finalize())
    }

    private func fill() throws(ImageError) {
        while !hasEnded {
            if let inflater {
                let before = waiting.count
                let count = try inflater.inflate(&waiting, into: output)
                if count > 0 { return try deliver(count) }
                guard waiting.isEmpty || waiting.count < before else {
                    throw ImageError(.invalidContent, "the compressed data makes no sense")
                }
            }
            if waiting.isEmpty { try load() }
            if waiting.isEmpty {
                guard inflater?.isAtEnd ?? true else {
                    throw ImageError(.invalidContent, "the compressed data ends in the middle")
                }
                hasEnded = true
            }
        }
        ready = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    private func deliver(_ count: Int) throws(ImageError) {
        ready = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<count])
        hash.update(bufferPointer: ready)
        bytes += Int64(count)
        guard bytes <= limits.bytes else {
            throw ImageError(.tooLarge, "the layer has more than \(limits.bytes) bytes when it is decompressed")
        }
        guard bytes <= limits.freeBytes || bytes / limits.ratio <= compressedBytes else {
            throw ImageError(
                .tooLarge, "the layer becomes more than \(limits.ratio) times as large when it is decompressed: a bomb")
        }
    }

    private func load() throws(ImageError) {
        var filled = 0
        // The kind of compression shows in the first bytes, so they must be there.
        repeat {
            let count = Glibc.read(descriptor, input.baseAddress.map { $0 + filled }, input.count - filled)
            if count < 0 {
                guard errno == EINTR else { throw failure("read") }
                continue
            }
            if count == 0 { break }
            filled += count
        } while inflater == nil && filled < 4
        compressedBytes += Int64(filled)
        waiting = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(input)[..<filled])
        if inflater == nil, filled > 0 {
            compression = .init(waiting)
            inflater = try Inflater(compression)
        }
    }
}
