/// Reads a tar archive from its stream, entry by entry: ustar, pax, and GNU's long names.
///
/// Sparse files, multi-volume archives and other rarities are refused: what two programs read differently must not be
/// in an image. Global headers of pax are not heeded, as other readers of images do not either.
final class TarReader {
    private let stream: LayerStream
    private let limits: LayerLimits
    /// Bytes of the current entry that nobody has read, and what fills its last block.
    private var left: Int64 = 0
    private var padding = 0
    private var headers = 0

    init(_ stream: LayerStream, _ limits: LayerLimits) {
        self.stream = stream
        self.limits = limits
    }

    /// The next entry; what is unread of the last one is skipped. `nil` at the end.
    func next() throws(ImageError) -> TarEntry? {
        try skip()
        var extended = PaxRecords()
        var longName: [UInt8]?
        var longLink: [UInt8]?
        var described = 0
        while let header = try nextHeader() {
            switch header.type {
            case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
                let bytes = try content(of: header, &described)
                switch header.type {
                case UInt8(ascii: "x"): try extended.read(bytes, limits)
                case UInt8(ascii: "L"): longName = Array(bytes.prefix { $0 != 0 })
                case UInt8(ascii: "K"): longLink = Array(bytes.prefix { $0 != 0 })
                default: break
                }
            default:
                return try entry(header, extended, longName, longLink)
            }
        }
        guard described == 0 else { throw Self.damaged("it ends behind a header that describes an entry") }
        return nil
    }

    /// Bytes of the current entry's content, valid until the next call; empty at its end.
    func nextContent() throws(ImageError) -> UnsafeRawBufferPointer {
        guard left > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let piece = try stream.next(Int(min(left, Int64(Int.max))))
        guard !piece.isEmpty else { throw Self.damaged("it ends in the middle of an entry") }
        left -= Int64(piece.count)
        return piece
    }

    private func skip() throws(ImageError) {
        while left > 0 { _ = try nextContent() }
        while padding > 0 {
            let piece = try stream.next(padding)
            // Nothing is lost, and there are programs that leave out what follows the last entry's content.
            if piece.isEmpty { padding = 0 }
            padding -= piece.count
        }
    }

    private func nextHeader() throws(ImageError) -> TarHeader? {
        try skip()
        guard let block = try nextBlock() else { return nil }
        if block.allSatisfy({ $0 == 0 }) {
            // Two such blocks are the end, and a stream that ends behind the first is taken for that.
            guard let second = try nextBlock() else { return nil }
            guard second.allSatisfy({ $0 == 0 }) else { throw Self.damaged("something follows an empty block") }
            return nil
        }
        headers += 1
        guard headers <= limits.entries else {
            throw ImageError(.tooLarge, "the layer has more than \(limits.entries) entries")
        }
        let header = try TarHeader(block)
        left = 0
        return header
    }

    private func nextBlock() throws(ImageError) -> [UInt8]? {
        var block = [UInt8](repeating: 0, count: TarHeader.size)
        var count = 0
        var problem: ImageError?
        block.withUnsafeMutableBytes { bytes in
            do throws(ImageError) { count = try stream.read(into: bytes) } catch { problem = error }
        }
        if let problem { throw problem }
        if count == 0 { return nil }
        guard count == TarHeader.size else { throw Self.damaged("it ends in the middle of a header") }
        return block
    }

    private func begin(_ size: Int64) throws(ImageError) {
        guard size >= 0, size <= limits.bytes else { throw Self.damaged("an entry has the impossible size \(size)") }
        left = size
        padding = Int((512 - size % 512) % 512)
    }

    /// The content of an entry that only describes the next one.
    private func content(of header: TarHeader, _ described: inout Int) throws(ImageError) -> [UInt8] {
        let size = try header.size()
        guard size >= 0, size <= limits.headerBytes - described else {
            throw ImageError(.tooLarge, "the headers of an entry have more than \(limits.headerBytes) bytes")
        }
        described += Int(size) + 1
        try begin(size)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        while true {
            let piece = try nextContent()
            if piece.isEmpty { break }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }

    private func entry(
        _ header: TarHeader, _ extended: PaxRecords, _ longName: [UInt8]?, _ longLink: [UInt8]?
    ) throws(ImageError) -> TarEntry {
        let path = extended.path ?? longName ?? header.name
        let target = extended.target ?? longLink ?? header.link
        let kind = try Self.kind(header.type, path)
        // What the extended header replaces may not fit into the plain one and is not looked at there.
        let size = if let size = extended.size { size } else { try header.size() }
        let user = if let user = extended.user { user } else { try header.user() }
        let group = if let group = extended.group { group } else { try header.group() }
        let time = if let time = extended.time { time } else { (seconds: try header.time(), nanoseconds: 0) }
        try begin(kind == .file ? size : 0)
        return TarEntry(
            kind: kind, path: path, target: target, size: kind == .file ? size : 0, mode: try header.mode(),
            user: try Self.account(user), group: try Self.account(group), seconds: time.seconds,
            nanoseconds: time.nanoseconds, attributes: extended.attributes)
    }

    private static func kind(_ type: UInt8, _ path: [UInt8]) throws(ImageError) -> TarEntry.Kind {
        switch type {
        // Before there was a type for directories, a slash at the end said so.
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): path.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symbolicLink
        case UInt8(ascii: "3"), UInt8(ascii: "4"): .device
        case UInt8(ascii: "5"): .directory
        case UInt8(ascii: "6"): .fifo
        case UInt8(ascii: "S"):
            throw ImageError(.unsupported, "the archive has sparse files; pack it without them")
        default:
            throw ImageError(
                .unsupported, "\(TarEntry.shown(path)) is of a kind that images do not have (type \(type))")
        }
    }

    /// An account's number; the last one means nobody in particular and cannot own anything.
    private static func account(_ number: Int64) throws(ImageError) -> UInt32 {
        guard let account = UInt32(exactly: number), account != .max else {
            throw damaged("\(number) cannot be the number of an account")
        }
        return account
    }

    private static func damaged(_ reason: String) -> ImageError {
        ImageError(.invalidContent, "the archive is damaged: \(reason)")
    }
}
