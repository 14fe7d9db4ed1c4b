internal import CZlib
internal import CZstd

/// Decompresses what an archive begins to be by its first bytes: gzip, zstd, or nothing.
///
/// gzip may be of several members and zstd of several frames, as parallel compressors write them. Bytes after the end
/// that are no further member are an error.
final class Inflater {
    private enum Kind {
        case plain
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    enum Compression: String, Sendable {
        case none
        case gzip
        case zstd

        /// By the first four bytes.
        init(_ start: UnsafeRawBufferPointer) {
            if start.starts(with: [0x1F, 0x8B]) {
                self = .gzip
            } else if start.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
                self = .zstd
            } else {
                self = .none
            }
        }
    }

    private let kind: Kind
    /// Whether the input may end here.
    private(set) var isAtEnd = true

    init(_ compression: Compression) throws(ImageError) {
        switch compression {
        case .none: kind = .plain
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            guard czlib_inflate_gzip(stream) == Z_OK else {
                stream.deallocate()
                throw ImageError(.system, "there is no memory to decompress with")
            }
            kind = .gzip(stream)
            isAtEnd = false
        case .zstd:
            guard let stream = ZSTD_createDStream() else {
                throw ImageError(.system, "there is no memory to decompress with")
            }
            // What zstd itself takes by default; a larger window would be memory that an archive asks for.
            _ = ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27)
            kind = .zstd(stream)
            isAtEnd = false
        }
    }

    deinit {
        switch kind {
        case .plain: break
        case .gzip(let stream):
            inflateEnd(stream)
            stream.deallocate()
        case .zstd(let stream): ZSTD_freeDStream(stream)
        }
    }

    /// Takes bytes from the front of the input and fills the output.
    ///
    /// - Returns: how many bytes the output has; 0 means that more input is needed.
    func inflate(
        _ input: inout UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(ImageError) -> Int {
        switch kind {
        case .plain:
            let count = min(input.count, output.count)
            output.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
            input = UnsafeRawBufferPointer(rebasing: input[count...])
            return count
        case .gzip(let stream): return try inflate(stream, &input, output)
        case .zstd(let stream):
            var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
            var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            while target.pos == 0, source.pos < source.size || !isAtEnd {
                let before = source.pos
                let rest = ZSTD_decompressStream(stream, &target, &source)
                guard ZSTD_isError(rest) == 0 else {
                    throw Self.broken(String(cString: ZSTD_getErrorName(rest)))
                }
                isAtEnd = rest == 0
                if target.pos == 0, source.pos == before { break }
            }
            input = UnsafeRawBufferPointer(rebasing: input[source.pos...])
            return target.pos
        }
    }

    private func inflate(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: inout UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(ImageError) -> Int {
        let target = output.bindMemory(to: UInt8.self)
        while true {
            if isAtEnd {
                guard !input.isEmpty else { return 0 }
                inflateReset(stream)
                isAtEnd = false
            }
            let source = input.bindMemory(to: UInt8.self)
            stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            stream.pointee.avail_in = UInt32(clamping: source.count)
            stream.pointee.next_out = target.baseAddress
            stream.pointee.avail_out = UInt32(clamping: target.count)
            let given = Int(stream.pointee.avail_in)
            let result = CZlib.inflate(stream, Z_NO_FLUSH)
            let used = given - Int(stream.pointee.avail_in)
            input = UnsafeRawBufferPointer(rebasing: input[used...])
            let made = min(target.count, Int(UInt32.max)) - Int(stream.pointee.avail_out)
            switch result {
            case Z_STREAM_END: isAtEnd = true
            case Z_OK, Z_BUF_ERROR: break
            default:
                throw Self.broken(stream.pointee.msg.map { String(cString: $0) } ?? "error \(result)")
            }
            if made > 0 { return made }
            if input.isEmpty || (used == 0 && !isAtEnd) { return 0 }
        }
    }

    private static func broken(_ reason: String) -> ImageError {
        ImageError(.invalidContent, "the compressed data is damaged: \(reason)")
    }
}
