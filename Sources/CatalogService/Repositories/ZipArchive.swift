internal import CZlib
internal import Packages

/// A zip archive of a repository, as PKWARE's APPNOTE 6.3 describes it: stored and deflated files, no encryption, no
/// zip64, one disk.
///
/// Only files that a repository is made of are inflated, each no further than the length that it says; entries that lie
/// over each other, by which a small archive becomes a huge one, are refused.
struct ZipArchive {
    private let bytes: [UInt8]

    private static let endMark: UInt32 = 0x0605_4b50
    private static let entryMark: UInt32 = 0x0201_4b50
    private static let localMark: UInt32 = 0x0403_4b50
    private static let entryLimit = 200_000

    /// Whether bytes begin as an archive does.
    static func isArchive(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x50, 0x4b, 0x03, 0x04]) }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private struct Entry {
        var path: String
        var method: Int
        var checksum: UInt32
        var compressed: Int
        var length: Int
        var offset: Int
    }

    /// The repository that the archive holds.
    func tree() throws(RepositoryFailure) -> PackageTree {
        var tree = PackageTree()
        var ranges: [Range<Int>] = []
        for entry in try entries() where PackageTree.place(of: entry.path) != nil {
            guard entry.length <= RepositoryFolder.fileLimit else {
                throw RepositoryFailure("\(entry.path) is longer than \(RepositoryFolder.fileLimit >> 20) MiB")
            }
            let range = try content(entry)
            ranges.append(range)
            guard tree.add(entry.path, try inflate(entry, range)) else { throw .tooLarge }
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        for (one, next) in zip(ranges, ranges.dropFirst()) where one.upperBound > next.lowerBound {
            throw RepositoryFailure("files in the archive lie over each other")
        }
        return tree
    }

    // MARK: the directory at the end

    private func number<Value: FixedWidthInteger & UnsignedInteger>(_ offset: Int, as type: Value.Type) -> Int? {
        let size = MemoryLayout<Value>.size
        guard offset >= 0, offset <= bytes.count - size else { return nil }
        var value = 0
        for index in (0..<size).reversed() { value = value << 8 | Int(bytes[offset + index]) }
        return value
    }

    private func short(_ offset: Int) -> Int? { number(offset, as: UInt16.self) }
    private func long(_ offset: Int) -> Int? { number(offset, as: UInt32.self) }

    private func end() -> Int? {
        // A remark of at most 64 KiB may follow.
        let last = bytes.count - 22
        guard last >= 0 else { return nil }
        for offset in stride(from: last, through: max(0, last - 0xFFFF), by: -1) {
            if long(offset) == Int(Self.endMark), let remark = short(offset + 20), offset + 22 + remark == bytes.count {
                return offset
            }
        }
        return nil
    }

    private func entries() throws(RepositoryFailure) -> [Entry] {
        let broken = RepositoryFailure("the archive's directory is broken")
        guard let end = end(), let disk = short(end + 4), let count = short(end + 10), let total = short(end + 8),
            let size = long(end + 12), let start = long(end + 16)
        else { throw RepositoryFailure("it is no zip archive, or its end is missing") }
        guard count != 0xFFFF, start != 0xFFFF_FFFF else {
            throw RepositoryFailure("archives in zip64 are not read; a repository is far smaller")
        }
        guard disk == 0, count == total, start <= end, size <= end - start else { throw broken }
        guard count <= Self.entryLimit else { throw broken }
        var entries: [Entry] = []
        var offset = start
        for _ in 0..<count {
            guard offset < start + size, long(offset) == Int(Self.entryMark), let flags = short(offset + 8),
                let method = short(offset + 10), let checksum = long(offset + 16), let compressed = long(offset + 20),
                let length = long(offset + 24), let nameLength = short(offset + 28), let extra = short(offset + 30),
                let remark = short(offset + 32), let place = long(offset + 42),
                offset + 46 + nameLength + extra + remark <= end
            else { throw broken }
            let name = bytes[offset + 46..<offset + 46 + nameLength]
            guard let path = String(validating: name, as: UTF8.self), !path.utf8.contains(0) else {
                throw RepositoryFailure("a name in the archive is not UTF-8")
            }
            guard !path.hasPrefix("/"), !path.split(separator: "/").contains(".."), !path.contains("\\") else {
                throw RepositoryFailure("a name in the archive leads out of it: \(path.prefix(100))")
            }
            guard flags & 1 == 0 else { throw RepositoryFailure("\(path.prefix(100)) is encrypted") }
            entries.append(
                Entry(
                    path: path, method: method, checksum: UInt32(truncatingIfNeeded: checksum), compressed: compressed,
                    length: length, offset: place))
            offset += 46 + nameLength + extra + remark
        }
        return entries
    }

    // MARK: files

    private func content(_ entry: Entry) throws(RepositoryFailure) -> Range<Int> {
        guard long(entry.offset) == Int(Self.localMark), let name = short(entry.offset + 26),
            let extra = short(entry.offset + 28)
        else { throw RepositoryFailure("\(entry.path) is not where the archive says") }
        let start = entry.offset + 30 + name + extra
        guard start <= bytes.count, entry.compressed <= bytes.count - start else {
            throw RepositoryFailure("\(entry.path) is cut off")
        }
        return start..<start + entry.compressed
    }

    private func inflate(_ entry: Entry, _ range: Range<Int>) throws(RepositoryFailure) -> [UInt8] {
        let content: [UInt8]?
        switch entry.method {
        case 0: content = entry.length == entry.compressed ? Array(bytes[range]) : nil
        case 8: content = bytes[range].withUnsafeBytes { RawDeflate.inflate($0, length: entry.length) }
        default: throw RepositoryFailure("\(entry.path) is compressed by method \(entry.method), which is not read")
        }
        guard let content else { throw RepositoryFailure("\(entry.path) is not what the archive says of it") }
        let checksum = content.withUnsafeBytes { buffer in
            crc32(0, buffer.bindMemory(to: UInt8.self).baseAddress, UInt32(buffer.count))
        }
        guard content.isEmpty || checksum == UInt(entry.checksum) else {
            throw RepositoryFailure("\(entry.path) has another checksum than the archive says")
        }
        return content
    }
}

/// Deflated bytes without a header.
private enum RawDeflate {
    /// Nil when it is not exactly `length` bytes.
    static func inflate(_ input: UnsafeRawBufferPointer, length: Int) -> [UInt8]? {
        var stream = z_stream()
        guard czlib_inflate_raw(&stream) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        // One byte more shows that there is more.
        let output = [UInt8](unsafeUninitializedCapacity: length + 1) { buffer, count in
            stream.next_in = UnsafeMutablePointer(
                mutating: input.bindMemory(to: UInt8.self).baseAddress ?? UnsafePointer(buffer.baseAddress))
            stream.avail_in = UInt32(input.count)
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(buffer.count)
            let result = CZlib.inflate(&stream, Z_FINISH)
            count = result == Z_STREAM_END ? buffer.count - Int(stream.avail_out) : 0
        }
        return output.count == length ? output : nil
    }
}
