import CLinux
import Glibc
import Testing

@testable import ImageStore

@Suite("Unpacking layers")
struct LayerUnpackTests {
    private static func attribute(_ path: String, _ name: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var value = [UInt8](repeating: 0, count: 1_024)
        let count = clinux_get_attribute(file, name, &value, value.count)
        return count < 0 ? nil : Array(value[..<count])
    }

    private static func isOpaque(_ scratch: Scratch, _ name: String) -> Bool {
        attribute(scratch.tree + "/" + name, LayerTree.opaqueAttribute) == Array("y".utf8)
    }

    private static let isRoot = geteuid() == 0

    @Test(arguments: ["plain", "gzip", "zstd", "gzip of two members", "zstd of two frames"])
    func `a layer is the same however it is compressed`(_ form: String) throws {
        let tar = TarBytes.make { tar in
            tar.directory("bin", mode: 0o750)
            tar.file("bin/tool", String(repeating: "0123456789", count: 100_000), mode: 0o4755)
            tar.link("bin/alias", to: "tool")
        }
        let half = tar.count / 2
        let archive =
            switch form {
            case "gzip": gzip(tar)
            case "zstd": zstd(tar)
            case "gzip of two members": gzip(Array(tar[..<half])) + gzip(Array(tar[half...]))
            case "zstd of two frames": zstd(Array(tar[..<half])) + zstd(Array(tar[half...]))
            default: tar
            }
        let scratch = try Scratch()
        let facts = try scratch.unpack(archive)
        #expect(facts.diffID == Digest(of: tar))
        #expect(facts.bytes == 1_000_000)
        #expect(facts.entries == 3)
        #expect(scratch.facts("bin/tool")?.st_size == 1_000_000)
        #expect(scratch.mode("bin/tool") == 0o4755)
        #expect(scratch.target("bin/alias") == "tool")
        if Self.isRoot { #expect(scratch.mode("bin") == 0o750) }
    }

    @Test func `owners, modes and times are those of the archive`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.directory("d", mode: 0o2755, time: 1_234)
                tar.file("d/a", mode: 0o600, user: 1_000, group: 2_000)
                tar.pax([("uid", "70000"), ("gid", "3000000"), ("mtime", "77.25")])
                tar.file("d/b")
                tar.header("d/l".utf8, type: "2", user: 5, group: 6, time: 99, link: "a".utf8)
            })
        if Self.isRoot {
            #expect(scratch.facts("d/a")?.st_uid == 1_000)
            #expect(scratch.facts("d/a")?.st_gid == 2_000)
            #expect(scratch.facts("d/b")?.st_uid == 70_000)
            #expect(scratch.facts("d/b")?.st_gid == 3_000_000)
            #expect(scratch.facts("d/l")?.st_uid == 5)
            #expect(scratch.mode("d") == 0o2755)
        }
        #expect(scratch.facts("d/b")?.st_mtim.tv_sec == 77)
        #expect(scratch.facts("d/b")?.st_mtim.tv_nsec == 250_000_000)
        #expect(scratch.facts("d/l")?.st_mtim.tv_sec == 99)
        // Making its entries must not have changed the directory's own.
        #expect(scratch.facts("d")?.st_mtim.tv_sec == 1_234)
    }

    @Test func `hard links share one file, also links to links`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.file("a", "text")
                tar.hardLink("deep/b", to: "a")
                tar.hardLink("c", to: "./deep/b")
                tar.link("l", to: "nowhere")
                tar.hardLink("m", to: "l")
            })
        #expect(scratch.facts("a")?.st_nlink == 3)
        #expect(scratch.facts("a")?.st_ino == scratch.facts("c")?.st_ino)
        #expect(scratch.text("deep/b") == "text")
        #expect(scratch.facts("l")?.st_ino == scratch.facts("m")?.st_ino)
    }

    @Test func `names longer than a header are taken from pax, from GNU and from the prefix`() throws {
        let long = String(repeating: "n", count: 200)
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.pax([("path", "pax/\(long)")])
                tar.file("short")
                tar.long("L", "gnu/\(long)".utf8)
                tar.file("short")
                tar.long("K", "target-\(long)".utf8)
                tar.long("L", "link-\(long)".utf8)
                tar.link("short", to: "short")
                tar.header(
                    "last".utf8,
                    change: { block in
                        for (index, byte) in "the/prefix".utf8.enumerated() { block[345 + index] = byte }
                    })
                // GNU's headers have times where POSIX has the prefix.
                tar.header(
                    "gnu-header".utf8,
                    change: { block in
                        for (index, byte) in "ustar  \u{0}".utf8.enumerated() { block[257 + index] = byte }
                        for (index, byte) in "13371337".utf8.enumerated() { block[345 + index] = byte }
                    })
            })
        #expect(scratch.text("pax/\(long)") == "x")
        #expect(scratch.text("gnu/\(long)") == "x")
        #expect(scratch.target("link-\(long)") == "target-\(long)")
        #expect(scratch.facts("the/prefix/last") != nil)
        #expect(scratch.facts("gnu-header") != nil)
    }

    @Test func `sizes and owners of base 256 are read`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.header(
                    "a".utf8,
                    change: { block in
                        for index in 124..<136 { block[index] = 0 }
                        block[124] = 0x80
                        block[135] = 3
                        for index in 108..<116 { block[index] = 0 }
                        block[108] = 0x80
                        block[113] = 1
                    })
                tar.content(Array("abc".utf8))
                tar.file("b")
            })
        #expect(scratch.text("a") == "abc")
        if Self.isRoot { #expect(scratch.facts("a")?.st_uid == 65_536) }
    }

    // MARK: - Whiteouts

    @Test func `a whiteout becomes overlay's device`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.directory("etc")
                tar.file("etc/.wh.passwd", "")
            })
        #expect(scratch.isWhiteout("etc/passwd"))
        #expect(scratch.entries("etc") == ["passwd"])
    }

    @Test(arguments: [true, false])
    func `an opaque directory gets overlay's attribute, whenever it is said`(first: Bool) throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.directory("etc")
                if first { tar.file("etc/.wh..wh..opq", "") }
                tar.file("etc/new")
                if !first { tar.file("etc/.wh..wh..opq", "") }
            })
        #expect(Self.isOpaque(scratch, "etc"))
        #expect(scratch.entries("etc") == ["new"])
    }

    @Test(arguments: [true, false])
    func `a directory that is hidden and made anew hides what is below`(whiteoutFirst: Bool) throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                if whiteoutFirst { tar.file(".wh.d", "") }
                tar.directory("d")
                tar.file("d/new")
                if !whiteoutFirst { tar.file(".wh.d", "") }
            })
        #expect(scratch.kind("d") == S_IFDIR)
        #expect(Self.isOpaque(scratch, "d"))
        #expect(scratch.text("d/new") == "x")
    }

    @Test(arguments: [true, false])
    func `a file that is hidden and made anew is the new one`(whiteoutFirst: Bool) throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                if whiteoutFirst { tar.file(".wh.f", "") }
                tar.file("f", "new")
                if !whiteoutFirst { tar.file(".wh.f", "") }
            })
        #expect(scratch.text("f") == "new")
    }

    @Test func `an ordinary directory is not opaque`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.directory("d")
                tar.directory("d")
                tar.file("implied/f")
            })
        #expect(!Self.isOpaque(scratch, "d"))
        #expect(!Self.isOpaque(scratch, "implied"))
    }

    @Test func `an opaque root is told, since overlay does not look there`() throws {
        let scratch = try Scratch()
        let facts = try scratch.unpack(TarBytes.make { $0.file(".wh..wh..opq", "") })
        #expect(facts.hidesAll)
    }

    // MARK: - Attributes and devices

    @Test func `attributes of users and capabilities are kept, others are counted`() throws {
        let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let scratch = try Scratch()
        let facts = try scratch.unpack(
            TarBytes.make { tar in
                tar.pax([
                    ("SCHILY.xattr.user.note", Array("hello".utf8)), ("SCHILY.xattr.security.capability", capability),
                    ("SCHILY.xattr.security.selinux", Array("label".utf8)),
                ])
                tar.file("ping", mode: 0o755, user: 7)
            })
        #expect(Self.attribute(scratch.tree + "/ping", "user.note") == Array("hello".utf8))
        if Self.isRoot {
            #expect(Self.attribute(scratch.tree + "/ping", "security.capability") == capability)
            #expect(facts.attributes == 1)
        }
    }

    @Test func `devices are left out and counted, fifos are made`() throws {
        let scratch = try Scratch()
        let facts = try scratch.unpack(
            TarBytes.make { tar in
                tar.header("dev/null".utf8, type: "3", mode: 0o666)
                tar.header("dev/sda".utf8, type: "4")
                tar.header("pipe".utf8, type: "6", mode: 0o622)
            })
        #expect(facts.devices == 2)
        #expect(scratch.facts("dev") == nil)
        #expect(scratch.kind("pipe") == S_IFIFO)
        #expect(scratch.mode("pipe") == 0o622)
    }

    @Test func `the root's own entry describes the root`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.directory("./", mode: 0o711, time: 4_242)
                tar.file("./a")
            })
        #expect(scratch.mode("") == 0o711)
        #expect(scratch.facts("")?.st_mtim.tv_sec == 4_242)
    }

    @Test func `an empty layer is an empty directory`() throws {
        let scratch = try Scratch()
        #expect(try scratch.unpack(TarBytes.make { _ in }).entries == 0)
        #expect(try scratch.unpack([]).diffID == Digest(of: []))
        #expect(scratch.entries().isEmpty)
    }

    @Test func `a tree with any names is removed whole`() throws {
        let scratch = try Scratch()
        try scratch.unpack(
            TarBytes.make { tar in
                tar.header([0xFF, 0xC0, 0x2F, 0xFE])
                tar.file("a/b/c/d/e")
                tar.link("a/link", to: "../../outside")
                for index in 0..<300 { tar.header("many/\(index)".utf8) }
            })
        let before = scratch.surroundings()
        try removeAll(scratch.tree)
        #expect(scratch.facts("") == nil)
        #expect(scratch.surroundings() == before.filter { $0 != "tree" })
    }
}
