import Glibc

@testable import ImageStore

extension HostileCases {
    private static func number(_ text: String, at offset: Int) -> (inout [UInt8]) -> Void {
        { block in for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte } }
    }

    static let headers: [HostileCase] = [
        HostileCase(
            "a wrong checksum", .invalid,
            archive: {
                var bytes = TarBytes.make { $0.file("a") }
                bytes[0] = 0x62
                return bytes
            }()),
        HostileCase(
            "random bytes", .invalid, archive: (0..<4_096).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 3) }),
        HostileCase("text", .invalid, archive: Array(String(repeating: "this is no archive\n", count: 100).utf8)),
        HostileCase("an unknown type", .unsupported) { $0.header("a".utf8, type: "Q") },
        HostileCase("a sparse file of GNU", .unsupported) { $0.header("a".utf8, type: "S") },
        HostileCase("a sparse file of pax", .unsupported) {
            $0.pax([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")])
            $0.file("a")
        },
        HostileCase("a multi-volume archive", .unsupported) { $0.header("a".utf8, type: "M") },
        HostileCase("a volume label", .unsupported) { $0.header("a".utf8, type: "V") },
        HostileCase(
            "an end in the middle of a header", .invalid, archive: Array(TarBytes.make { $0.file("a") }[..<300])),
        HostileCase(
            "an end in the middle of a file", .invalid,
            archive: {
                var tar = TarBytes()
                tar.header("a".utf8, size: 10_000)
                tar.raw([UInt8](repeating: 1, count: 5_000))
                return tar.bytes
            }()),
        HostileCase(
            "an end behind a long name", .invalid,
            archive: {
                var tar = TarBytes()
                tar.long("L", "name".utf8)
                return tar.bytes
            }()),
        HostileCase(
            "something behind one empty block", .invalid,
            archive: {
                var tar = TarBytes()
                tar.raw([UInt8](repeating: 0, count: 512))
                tar.file("a")
                return tar.bytes
            }()),
        HostileCase(
            "an entry behind the end", .contained { $0.entries() == ["a"] },
            archive: {
                var tar = TarBytes()
                tar.file("a")
                tar.end()
                tar.file("b")
                return tar.bytes
            }()),
        HostileCase("a global header with a path", .contained { $0.entries() == ["a"] }) {
            $0.pax([("path", "../outside/new")], type: "g")
            $0.file("a")
        },
        HostileCase("a file with a slash at its end", .contained { $0.kind("a") == S_IFDIR }) { $0.header("a/".utf8) },
        HostileCase("a directory with content", .contained { $0.kind("a") == S_IFDIR }) {
            $0.header("a".utf8, type: "5", size: 0)
        },
    ]

    static let numbers: [HostileCase] = [
        HostileCase("a size that is no number", .invalid) { $0.header("a".utf8, change: number("hello", at: 124)) },
        HostileCase("a size with a 9", .invalid) { $0.header("a".utf8, change: number("00000000009", at: 124)) },
        HostileCase("a negative size", .invalid) {
            $0.header("a".utf8, change: { block in for index in 124..<136 { block[index] = 0xFF } })
        },
        HostileCase("a size beyond 64 bits", .invalid) {
            $0.header(
                "a".utf8, change: { block in for index in 124..<136 { block[index] = index == 124 ? 0xBF : 0xFF } })
        },
        HostileCase("a size of 2^62", .invalid) {
            $0.header(
                "a".utf8,
                change: { block in
                    for index in 124..<136 { block[index] = 0 }
                    block[124] = 0x80
                    block[128] = 0x40
                })
        },
        HostileCase("a size of 8 GiB and no content", .invalid) {
            $0.header("a".utf8, change: number("77777777777", at: 124))
        },
        HostileCase("a pax size of 2^62", .invalid) {
            $0.pax([("size", "4611686018427387904")])
            $0.file("a")
        },
        HostileCase("a pax size that is larger than the content", .invalid) {
            $0.pax([("size", "100000")])
            $0.file("a")
        },
        HostileCase("a pax size with a sign", .invalid) {
            $0.pax([("size", "-1")])
            $0.file("a")
        },
        HostileCase("a pax size of letters", .invalid) {
            $0.pax([("size", "1e9")])
            $0.file("a")
        },
        HostileCase("an owner beyond 32 bits", .invalid) {
            $0.pax([("uid", "4294967296")])
            $0.file("a")
        },
        HostileCase("the owner that means none", .invalid) {
            $0.pax([("uid", "4294967295")])
            $0.file("a")
        },
        HostileCase("a negative group", .invalid) {
            $0.header("a".utf8, change: { block in for index in 116..<124 { block[index] = 0xFF } })
        },
        HostileCase("a mode of more than 12 bits", .contained { ($0.mode("a") ?? 0) & 0o7777 == 0o777 }) {
            $0.header("a".utf8, mode: 0o170777)
        },
        HostileCase("a time before 1970", .contained { $0.facts("a")?.st_mtim.tv_sec ?? 1 <= 0 }) {
            $0.pax([("mtime", "-100.5")])
            $0.file("a")
        },
        HostileCase("a time far in the future", .contained { $0.facts("a") != nil }) {
            $0.pax([("mtime", "99999999999999999")])
            $0.file("a")
        },
        HostileCase("a time with a long fraction", .contained { $0.facts("a")?.st_mtim.tv_sec == 5 }) {
            $0.pax([("mtime", "5." + String(repeating: "9", count: 60))])
            $0.file("a")
        },
        HostileCase("a time of letters", .invalid) {
            $0.pax([("mtime", "now")])
            $0.file("a")
        },
        HostileCase("a time with two points", .invalid) {
            $0.pax([("mtime", "1.2.3")])
            $0.file("a")
        },
    ]

    private static func pax(_ text: String) -> (inout TarBytes) -> Void {
        { tar in
            tar.header("pax".utf8, type: "x", size: text.utf8.count)
            tar.content(Array(text.utf8))
            tar.file("a")
        }
    }

    static let extended: [HostileCase] = [
        HostileCase("a pax record of length 0", .invalid, pax("0 path=b\n")),
        HostileCase("a pax record that is too long", .invalid, pax("99 path=b\n")),
        HostileCase("a pax record that is too short", .invalid, pax("5 path=b\n")),
        HostileCase("a pax record without a line end", .invalid, pax("9 path=bc")),
        HostileCase("a pax record without a key", .invalid, pax("5 =b\n")),
        HostileCase("a pax record without an equals sign", .invalid, pax("7 path\n")),
        HostileCase("a pax record without a length", .invalid, pax("path=b\n")),
        HostileCase("a pax record with a sign", .invalid, pax("+9 path=b\n")),
        HostileCase("a pax record with a huge length", .invalid, pax("99999999999999999999 path=b\n")),
        HostileCase("an attribute that steers overlay", .hostile) {
            $0.pax([("SCHILY.xattr.trusted.overlay.redirect", "/outside")])
            $0.directory("a")
        },
        HostileCase("an attribute that marks opaque", .hostile) {
            $0.pax([("SCHILY.xattr.trusted.overlay.opaque", "y")])
            $0.directory("a")
        },
        HostileCase("any trusted attribute", .hostile) {
            $0.pax([("SCHILY.xattr.trusted.anything", "y")])
            $0.file("a")
        },
        HostileCase("an attribute of an unprivileged overlay", .hostile) {
            $0.pax([("SCHILY.xattr.user.overlay.opaque", "y")])
            $0.directory("a")
        },
        HostileCase("a label of SELinux", .contained { $0.text("a") == "x" }) {
            $0.pax([("SCHILY.xattr.security.selinux", "system_u:object_r:etc_t:s0")])
            $0.file("a")
        },
        HostileCase("a list of rights of POSIX", .contained { $0.text("a") == "x" }) {
            $0.pax([("SCHILY.xattr.system.posix_acl_access", "garbage")])
            $0.file("a")
        },
        HostileCase("a capability that is too short", .contained { $0.text("a") == "x" }) {
            $0.pax([("SCHILY.xattr.security.capability", "abc")])
            $0.file("a")
        },
        HostileCase("an attribute without a name", .invalid) {
            $0.pax([("SCHILY.xattr.", "a")])
            $0.file("a")
        },
        HostileCase("an attribute with a NUL in its name", .invalid) {
            $0.pax([("SCHILY.xattr.user.a\u{0}b", "a")])
            $0.file("a")
        },
        HostileCase("an attribute of 65 KiB", .refused([.tooLarge, .invalidContent])) {
            $0.pax([("SCHILY.xattr.user.a", [UInt8](repeating: 0x61, count: 66_000))])
            $0.file("a")
        },
        HostileCase("a hundred attributes of one file", .tooLarge) {
            $0.pax((0..<100).map { ("SCHILY.xattr.user.a\($0)", "b") })
            $0.file("a")
        },
    ]

    static let amounts: [HostileCase] = [
        HostileCase("more entries than may be", .tooLarge) { tar in
            for index in 0..<2_100 { tar.header("f\(index)".utf8) }
        },
        HostileCase("more headers of headers than may be", .tooLarge) { tar in
            for _ in 0..<2_100 { tar.pax([("comment", "a")], type: "g") }
        },
        HostileCase("many directories that are not described", .tooLarge) { tar in
            for index in 0..<60 { tar.file("\(index)" + String(repeating: "/a", count: 40)) }
        },
        HostileCase("a long name of a megabyte", .tooLarge) {
            $0.long("L", [UInt8](repeating: 0x61, count: 1 << 20))
            $0.file("a")
        },
        HostileCase("an extended header that says to have a gigabyte", .tooLarge) {
            $0.header("pax".utf8, type: "x", size: 1 << 30)
        },
        HostileCase("many long names for one file", .tooLarge) { tar in
            for _ in 0..<40 { tar.long("L", [UInt8](repeating: 0x61, count: 4_000)) }
            tar.file("a")
        },
        HostileCase("more bytes of attributes than may be", .tooLarge) { tar in
            for index in 0..<40 {
                tar.pax([("SCHILY.xattr.user.a", [UInt8](repeating: 0x61, count: 10_000))])
                tar.file("f\(index)")
            }
        },
    ]

    static let compression: [HostileCase] = {
        let zeros = TarBytes.make { tar in
            tar.header("zeros".utf8, size: 32 << 20)
            tar.raw([UInt8](repeating: 0, count: 32 << 20))
        }
        let good = TarBytes.make { $0.file("a", "content") }
        func broken(_ bytes: [UInt8], at place: Int) -> [UInt8] {
            var bytes = bytes
            bytes[place] ^= 0xFF
            return bytes
        }
        return [
            HostileCase("a bomb of gzip", .tooLarge, archive: gzip(zeros, level: 9)),
            HostileCase("a bomb of zstd", .tooLarge, archive: zstd(zeros)),
            HostileCase("a gzip that is cut", .invalid, archive: Array(gzip(good).dropLast(4))),
            HostileCase("a gzip with a wrong sum", .invalid, archive: broken(gzip(good), at: gzip(good).count - 6)),
            HostileCase("a gzip with broken data", .invalid, archive: broken(gzip(good), at: 14)),
            HostileCase("a gzip with garbage behind it", .invalid, archive: gzip(good) + Array("garbage".utf8)),
            HostileCase("a zstd that is cut", .invalid, archive: Array(zstd(good).dropLast(3))),
            HostileCase("a zstd with broken data", .invalid, archive: broken(zstd(good), at: 5)),
            HostileCase("a gzip in a gzip", .invalid, archive: gzip(gzip(good))),
            HostileCase("a gzip of nothing but a header", .invalid, archive: [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]),
        ]
    }()
}
