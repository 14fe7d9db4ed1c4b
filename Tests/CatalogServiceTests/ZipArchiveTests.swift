import CZlib
import Packages
import Testing

@testable import CatalogService

/// Writes zip archives, right ones and wrong ones.
struct ZipWriter {
    struct File {
        var path: String
        var content: [UInt8]
        var isDeflated = true
        var method: UInt16?
        var flags: UInt16 = 0
        var length: UInt32?
        var checksum: UInt32?
        /// Where the directory says it is, when that is not where it is.
        var offset: UInt32?
    }

    static func archive(_ files: [File], remark: [UInt8] = []) -> [UInt8] {
        var bytes: [UInt8] = []
        var directory: [UInt8] = []
        for file in files {
            let offset = UInt32(bytes.count)
            let packed = file.isDeflated ? deflated(file.content) : file.content
            let method = file.method ?? (file.isDeflated ? 8 : 0)
            let sum = file.checksum ?? UInt32(crc32(0, file.content, UInt32(file.content.count)))
            let facts: [UInt8] =
                little(file.flags) + little(method) + little(UInt32(0)) + little(sum) + little(UInt32(packed.count))
                + little(file.length ?? UInt32(file.content.count)) + little(UInt16(file.path.utf8.count))
                + little(UInt16(0))
            bytes += little(UInt32(0x0403_4b50)) + little(UInt16(20)) + facts + Array(file.path.utf8) + packed
            directory += little(UInt32(0x0201_4b50)) + little(UInt16(20)) + little(UInt16(20)) + facts
            directory += [UInt8](repeating: 0, count: 10) + little(file.offset ?? offset) + Array(file.path.utf8)
        }
        let start = UInt32(bytes.count)
        bytes += directory + little(UInt32(0x0605_4b50)) + little(UInt32(0)) + little(UInt16(files.count))
        bytes += little(UInt16(files.count)) + little(UInt32(directory.count)) + little(start)
        return bytes + little(UInt16(remark.count)) + remark
    }

    private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func deflated(_ content: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        #expect(
            deflateInit2_(&stream, 9, Z_DEFLATED, -15, 8, 0, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == 0)
        defer { deflateEnd(&stream) }
        var input = content
        return input.withUnsafeMutableBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: content.count + 64) { output, count in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                #expect(deflate(&stream, Z_FINISH) == Z_STREAM_END)
                count = output.count - Int(stream.avail_out)
            }
        }
    }
}

@Suite("Zip archives of repositories")
struct ZipArchiveTests {
    private static let place = "universe-3/repo/packages/A/a/0/package.json"
    private static let package = Array(
        #"{"packagingVersion":"2.0","name":"a","version":"1","maintainer":"m","description":"d","tags":[]}"#.utf8)

    private func file(_ path: String = place, _ content: [UInt8] = package) -> ZipWriter.File {
        ZipWriter.File(path: path, content: content)
    }

    private func repository(_ files: [ZipWriter.File], remark: [UInt8] = []) throws -> PackageRepository {
        PackageRepository(try ZipArchive(ZipWriter.archive(files, remark: remark)).tree(), source: "test")
    }

    @Test func `stored and deflated files are read, others passed over`() throws {
        var stored = file(
            "packages/B/b/3/package.json",
            Array(
                String(decoding: Self.package, as: UTF8.self)
                    .replacing(#""name":"a""#, with: #""name":"b""#).utf8))
        stored.isDeflated = false
        let found = try repository([file(), stored, file("README.md", [1, 2, 3])], remark: Array("PK\u{5}\u{6}".utf8))
        #expect(found.names == ["a", "b"] && found.refusals.isEmpty)
    }

    @Test func `an archive begins as one`() {
        #expect(ZipArchive.isArchive(ZipWriter.archive([file()])))
        #expect(!ZipArchive.isArchive(Array(#"{"packages":[]}"#.utf8)) && !ZipArchive.isArchive([]))
    }

    @Test func `what lies about its files is refused`() {
        var cases: [(String, ZipWriter.File)] = []
        func add(_ name: String, _ change: (inout ZipWriter.File) -> Void) {
            var file = file()
            change(&file)
            cases.append((name, file))
        }
        add("a longer one than it says") { $0.length = 3 }
        add("a shorter one than it says") { $0.length = 4_000 }
        add("a bomb") { $0.content = [UInt8](repeating: 32, count: 20 << 20) }
        add("a length beyond everything") { $0.length = 0xFFFF_FFFE }
        add("another checksum") { $0.checksum = 7 }
        add("an unknown method") { $0.method = 99 }
        add("no deflate stream") {
            $0.isDeflated = false; $0.method = 8
        }
        add("encrypted") { $0.flags = 1 }
        add("elsewhere") { $0.offset = 0x00FF_FFFF }
        add("a place that is not its own") { $0.offset = 1 }
        add("a way up") { $0.path = "packages/A/../../etc/passwd" }
        add("an absolute name") { $0.path = "/packages/A/a/0/package.json" }
        add("a name of another system") { $0.path = "packages\\A\\a\\0\\package.json" }
        add("a name with a zero") { $0.path = "packages/A/a/0/\u{0}package.json" }
        for (name, file) in cases { #expect(throws: RepositoryFailure.self, "\(name)") { try repository([file]) } }
    }

    @Test func `files that lie over each other are refused`() {
        var second = file("packages/B/b/0/package.json")
        second.offset = 0
        // The directory says that both are at the front; their names differ in length, so their bytes overlap.
        #expect(throws: RepositoryFailure.self) { try repository([file(), second]) }
    }

    @Test(arguments: 0..<40)
    func `a broken archive is an error and nothing else`(seed: Int) {
        var generator = SplitMix(seed: UInt64(seed))
        var bytes = ZipWriter.archive([file(), file("packages/B/b/0/package.json")])
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.removeLast(Int.random(in: 0..<bytes.count / 4, using: &generator))
            default: bytes.insert(0xFF, at: Int.random(in: bytes.indices, using: &generator))
            }
        }
        _ = try? ZipArchive(bytes).tree()
    }
}

/// Random numbers that are the same each time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
