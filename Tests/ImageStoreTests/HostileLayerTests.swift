import Glibc
import Testing

@testable import ImageStore

/// What has to become of a hostile layer.
enum Outcome: Sendable {
    /// It is refused for one of these reasons.
    case refused([ImageError.Code])
    /// It is unpacked, and what it has done is only inside.
    case contained(@Sendable (Scratch) -> Bool)

    static var hostile: Outcome { .refused([.hostileLayer]) }
    static var invalid: Outcome { .refused([.invalidContent]) }
    static var tooLarge: Outcome { .refused([.tooLarge]) }
    static var unsupported: Outcome { .refused([.unsupported]) }
}

struct HostileCase: Sendable, CustomTestStringConvertible {
    var name: String
    var archive: [UInt8]
    var outcome: Outcome
    var testDescription: String { name }

    init(_ name: String, _ outcome: Outcome, _ body: (inout TarBytes) -> Void) {
        self.init(name, outcome, archive: TarBytes.make(body))
    }

    init(_ name: String, _ outcome: Outcome, archive: [UInt8]) {
        self.name = name
        self.outcome = outcome
        self.archive = archive
    }
}

@Suite("Hostile layers")
struct HostileLayerTests {
    static let all =
        HostileCases.names + HostileCases.links + HostileCases.whiteouts + HostileCases.headers
        + HostileCases.numbers + HostileCases.extended + HostileCases.amounts + HostileCases.compression

    @Test(arguments: all)
    func `nothing is written outside, and the layer is refused or contained`(_ hostile: HostileCase) throws {
        let scratch = try Scratch()
        let before = scratch.surroundings()
        var problem: ImageError?
        do throws(ImageError) {
            let result = Result { try scratch.unpack(hostile.archive) }
            if case .failure(let error) = result { throw ImageError(wrapping: error) }
        } catch {
            problem = error
        }
        #expect(scratch.surroundings() == before)
        switch hostile.outcome {
        case .refused(let codes):
            let code = try #require(problem?.code, "it was not refused")
            #expect(codes.contains(code), "\(problem?.message ?? "")")
        case .contained(let check):
            #expect(problem == nil, "\(problem?.message ?? "")")
            #expect(check(scratch))
        }
    }

    @Test func `there are at least a hundred, each with a name of its own`() {
        #expect(Self.all.count >= 100)
        #expect(Set(Self.all.map(\.name)).count == Self.all.count)
    }

    @Test func `a layer that stops anywhere is refused or ends where an entry ends`() throws {
        let whole = TarBytes.make { tar in
            tar.pax([("path", "a/long/name"), ("mtime", "12.5")])
            tar.file("a", "0123456789")
            tar.long("L", Array("b".utf8))
            tar.header("short".utf8, type: "5")
        }
        for count in stride(from: 0, to: whole.count, by: 37) {
            let scratch = try Scratch()
            let before = scratch.surroundings()
            do { try scratch.unpack(Array(whole[..<count])) } catch let error as ImageError {
                #expect(error.code == .invalidContent, "at \(count): \(error)")
            }
            #expect(scratch.surroundings() == before)
        }
    }

    @Test(arguments: 0..<UInt64(300))
    func `a layer with flipped bytes writes nothing outside`(seed: UInt64) throws {
        var bytes = TarBytes.make { tar in
            tar.directory("etc")
            tar.link("etc/link", to: "../../outside")
            tar.pax([("path", "etc/link/file"), ("SCHILY.xattr.user.a", "b")])
            tar.file("x", "content")
            tar.hardLink("hard", to: "etc/link")
            tar.file("etc/.wh.gone", "")
        }
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        for _ in 0..<(1 + seed % 6) {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            let place = Int(state >> 8) % bytes.count
            bytes[abs(place)] = UInt8(truncatingIfNeeded: state)
            Self.mend(&bytes, abs(place) / 512)
        }
        let scratch = try Scratch()
        let before = scratch.surroundings()
        _ = try? scratch.unpack(bytes)
        #expect(scratch.surroundings() == before)
    }

    /// Gives a block the right checksum, so that the change is not found by that alone.
    private static func mend(_ bytes: inout [UInt8], _ block: Int) {
        let start = block * 512
        guard bytes[(start + 257)..<(start + 262)].elementsEqual("ustar".utf8) else { return }
        for index in 148..<156 { bytes[start + index] = 0x20 }
        let sum = String(bytes[start..<(start + 512)].reduce(0) { $0 + Int($1) }, radix: 8)
        for (index, digit) in (String(repeating: "0", count: 6 - sum.count) + sum).utf8.enumerated() {
            bytes[start + 148 + index] = digit
        }
        bytes[start + 154] = 0
    }
}
