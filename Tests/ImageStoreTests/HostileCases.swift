import Glibc

@testable import ImageStore

/// Layers that try something, made byte by byte.
enum HostileCases {
    private static func has(_ name: String) -> @Sendable (Scratch) -> Bool { { $0.facts(name) != nil } }
    private static func isEmpty(_ scratch: Scratch) -> Bool { scratch.entries().isEmpty }

    static let names: [HostileCase] = [
        HostileCase("a file above the root", .hostile) { $0.file("../outside/new") },
        HostileCase("a file far above the root", .hostile) { $0.file("../../../../../../../../etc/rondo-was-here") },
        HostileCase("two dots in the middle", .hostile) { $0.file("a/../../outside/new") },
        HostileCase("two dots that stay inside", .hostile) { $0.file("a/../b") },
        HostileCase("two dots at the end", .hostile) { $0.directory("a/..") },
        HostileCase("nothing but two dots", .hostile) { $0.directory("..") },
        HostileCase("two dots behind many slashes", .hostile) { $0.file("a//..///../outside/new") },
        HostileCase("two dots behind a dot", .hostile) { $0.file("./../outside/new") },
        HostileCase("a link above the root", .hostile) { $0.link("../outside/link", to: "/") },
        HostileCase("a directory above the root", .hostile) { $0.directory("../outside/sub") },
        HostileCase("a fifo above the root", .hostile) { $0.header("../outside/fifo".utf8, type: "6") },
        HostileCase("a device above the root", .hostile) { $0.header("../outside/null".utf8, type: "3") },
        HostileCase("two dots in a pax path", .hostile) {
            $0.pax([("path", "../outside/new")])
            $0.file("harmless")
        },
        HostileCase("two dots in a long name", .hostile) {
            $0.long("L", "../outside/new".utf8)
            $0.file("harmless")
        },
        HostileCase("two dots in a prefix", .hostile) {
            $0.header(
                "new".utf8, change: { block in for (i, b) in "../outside".utf8.enumerated() { block[345 + i] = b } })
        },
        HostileCase("an absolute name", .contained(has("tmp/rondo-absolute"))) { $0.file("/tmp/rondo-absolute") },
        HostileCase("an absolute name with many slashes", .contained(has("tmp/rondo-absolute"))) {
            $0.file("////tmp/rondo-absolute")
        },
        HostileCase("an absolute directory", .contained(has("root/sub"))) { $0.directory("/root/sub") },
        HostileCase("a name of backslashes", .contained(has("..\\..\\outside"))) { $0.file("..\\..\\outside") },
        HostileCase("three dots", .contained(has(".../a"))) { $0.file(".../a") },
        HostileCase("a name with a line feed and an escape", .contained(has("a\n\u{1B}[2Jb"))) {
            $0.file("a\n\u{1B}[2Jb")
        },
        HostileCase("a name that is not UTF-8", .contained { $0.entries().count == 1 }) {
            $0.header([0xFF, 0xFE, 0x2F, 0x80])
        },
        HostileCase("an empty name of a file", .hostile) { $0.header([UInt8]()) },
        HostileCase("a dot as a file", .hostile) { $0.file(".") },
        HostileCase("a slash as a link", .hostile) { $0.link("/", to: "/etc") },
        HostileCase("a slash as a file", .contained { $0.entries().isEmpty }) { $0.header("/".utf8) },
        HostileCase("a name of 256 bytes", .hostile) {
            $0.long("L", [UInt8](repeating: 0x61, count: 256))
            $0.file("x")
        },
        HostileCase("a path of 5000 bytes", .hostile) {
            $0.long("L", (0..<1_000).flatMap { _ in Array("aaaa/".utf8) })
            $0.file("x")
        },
        HostileCase("a path of 200 directories", .tooLarge) {
            $0.long("L", (0..<200).flatMap { _ in Array("a/".utf8) })
            $0.file("x")
        },
        HostileCase("a NUL in a pax path", .hostile) {
            $0.pax([("path", [0x61, 0, 0x62])])
            $0.file("x")
        },
        HostileCase("the same file twice", .contained { $0.text("a") == "second" }) {
            $0.file("a", "first")
            $0.file("a", "second")
        },
        HostileCase(
            "names that differ in case only", .contained { $0.text("Passwd") == "1" && $0.text("passwd") == "2" }
        ) {
            $0.file("Passwd", "1")
            $0.file("passwd", "2")
        },
        HostileCase("a file in place of a full directory", .contained { $0.text("d") == "file" }) {
            $0.directory("d/e/f")
            $0.file("d/e/f/g")
            $0.file("d", "file")
        },
        HostileCase("a directory in place of a file", .contained { $0.kind("d") == S_IFDIR }) {
            $0.file("d")
            $0.directory("d")
        },
        HostileCase("a file below a file", .hostile) {
            $0.file("a")
            $0.file("a/b")
        },
        HostileCase("a file below a fifo", .hostile) {
            $0.header("a".utf8, type: "6")
            $0.file("a/b")
        },
        HostileCase("a link in place of the root", .hostile) { $0.link("./", to: "../outside") },
    ]

    static let links: [HostileCase] = [
        HostileCase("a link outside, then a file through it", .hostile) {
            $0.link("l", to: "../outside")
            $0.file("l/new")
        },
        HostileCase("an absolute link, then a file through it", .hostile) {
            $0.link("l", to: "/tmp")
            $0.file("l/rondo-through-link")
        },
        HostileCase(
            "an absolute link to what is inside too",
            .contained { $0.text("etc/new") == "x" && $0.target("l") == "/etc" }
        ) {
            $0.directory("etc")
            $0.link("l", to: "/etc")
            $0.file("l/new")
        },
        HostileCase("a link upwards to what is inside too", .contained { $0.text("etc/new") == "x" }) {
            $0.directory("etc")
            $0.link("l", to: "../../../../etc")
            $0.file("l/new")
        },
        HostileCase("a link to the root, then a file through it", .contained(has("new"))) {
            $0.link("l", to: "/")
            $0.file("l/new")
        },
        HostileCase("a link to above the root, then a file through it", .contained(has("new"))) {
            $0.link("l", to: "..")
            $0.file("l/new")
        },
        HostileCase("a chain of links, then a file through it", .hostile) {
            $0.link("a", to: "b")
            $0.link("b", to: "c")
            $0.link("c", to: "../outside")
            $0.file("a/new")
        },
        HostileCase("links in a circle, then a file through them", .hostile) {
            $0.link("a", to: "b")
            $0.link("b", to: "a")
            $0.file("a/new")
        },
        HostileCase("a link to itself, then a file through it", .hostile) {
            $0.link("a", to: "a")
            $0.file("a/new")
        },
        HostileCase("a link to procfs, then a file through it", .hostile) {
            $0.link("p", to: "/proc/self/cwd")
            $0.file("p/new")
        },
        HostileCase("a file in place of a link outside", .contained { $0.kind("secret") == S_IFREG }) {
            $0.link("secret", to: "../outside/secret")
            $0.file("secret", "changed")
        },
        HostileCase("a directory in place of a link outside", .contained { $0.kind("l") == S_IFDIR }) {
            $0.link("l", to: "../outside/directory")
            $0.directory("l", mode: 0o777)
        },
        HostileCase("a fifo in place of a link outside", .contained { $0.kind("l") == S_IFIFO }) {
            $0.link("l", to: "../outside/secret")
            $0.header("l".utf8, type: "6", mode: 0o777)
        },
        HostileCase("a link in place of a directory, then a file through it", .hostile) {
            $0.directory("d")
            $0.file("d/one")
            $0.link("d", to: "../outside")
            $0.file("d/two")
        },
        HostileCase("a hard link to a file outside", .hostile) { $0.hardLink("h", to: "../outside/secret") },
        HostileCase("a hard link to an absolute file", .hostile) { $0.hardLink("h", to: "/etc/passwd") },
        HostileCase("a hard link through a link", .hostile) {
            $0.link("l", to: "../outside")
            $0.hardLink("h", to: "l/secret")
        },
        HostileCase("a hard link to a link outside", .contained { $0.kind("h") == S_IFLNK }) {
            $0.link("l", to: "../outside/secret")
            $0.hardLink("h", to: "l")
        },
        HostileCase("a hard link to a link outside, then a file over it", .contained { $0.text("h") == "changed" }) {
            $0.link("l", to: "../outside/secret")
            $0.hardLink("h", to: "l")
            $0.file("h", "changed")
        },
        HostileCase("a hard link above the root", .hostile) {
            $0.file("a")
            $0.hardLink("../outside/hard", to: "a")
        },
        HostileCase("a hard link to a directory", .hostile) {
            $0.directory("d")
            $0.hardLink("h", to: "d")
        },
        HostileCase("a hard link to the root", .hostile) { $0.hardLink("h", to: "/") },
        HostileCase("a hard link as the root", .hostile) { $0.hardLink("/", to: "h") },
        HostileCase("a hard link to what is not there", .hostile) { $0.hardLink("h", to: "nothing") },
        HostileCase("a hard link to itself", .contained(has("a"))) {
            $0.file("a")
            $0.hardLink("a", to: "a")
        },
        HostileCase("a hard link to itself that is not there", .contained(isEmpty)) { $0.hardLink("a", to: "a") },
        HostileCase("a hard link to a whiteout", .hostile) {
            $0.file(".wh.a", "")
            $0.hardLink("b", to: "a")
        },
        HostileCase("a hard link with content", .contained { $0.text("h") == "one" && $0.text("b") == "two" }) {
            $0.file("a", "one")
            $0.hardLink("h", to: "a")
            $0.file("b", "two")
        },
        HostileCase("a hard link to two dots", .hostile) { $0.hardLink("h", to: "..") },
        HostileCase("a link to nothing", .hostile) { $0.link("l", to: "") },
        HostileCase("a link to 5000 bytes", .hostile) {
            $0.long("K", [UInt8](repeating: 0x61, count: 5_000))
            $0.link("l", to: "x")
        },
        HostileCase("a pax hard link outside", .hostile) {
            $0.pax([("linkpath", "../outside/secret")])
            $0.hardLink("h", to: "harmless")
        },
        HostileCase("a link with a NUL", .hostile) {
            $0.pax([("linkpath", [0x61, 0, 0x62])])
            $0.link("l", to: "x")
        },
    ]

    static let whiteouts: [HostileCase] = [
        HostileCase("a whiteout of the directory", .hostile) { $0.file(".wh..", "") },
        HostileCase("a whiteout of the directory above", .hostile) { $0.file(".wh...", "") },
        HostileCase("a whiteout of the directory above, below", .hostile) { $0.file("a/.wh...", "") },
        HostileCase("a whiteout of nothing", .hostile) { $0.file(".wh.", "") },
        HostileCase("a whiteout above the root", .hostile) { $0.file("../outside/.wh.secret", "") },
        HostileCase("a whiteout through a link", .contained { $0.entries() == ["l"] && $0.kind("l") == S_IFLNK }) {
            $0.link("l", to: "../outside")
            $0.file("l/.wh.secret", "")
        },
        HostileCase("a whiteout through a link to what is inside", .contained { $0.text("d/f") == "x" }) {
            $0.file("d/f")
            $0.link("l", to: "d")
            $0.file("l/.wh.f", "")
            $0.file("l/deeper/.wh.f", "")
        },
        HostileCase("an opaque mark through a link", .contained { $0.entries() == ["l"] && $0.kind("l") == S_IFLNK }) {
            $0.link("l", to: "../outside")
            $0.file("l/.wh..wh..opq", "")
        },
        HostileCase("an opaque mark of a file", .contained { $0.text("f") == "x" }) {
            $0.file("f")
            $0.file("f/.wh..wh..opq", "")
        },
        HostileCase("a whiteout below a file", .contained { $0.text("f") == "x" }) {
            $0.file("f")
            $0.file("f/.wh.a", "")
        },
        HostileCase("a file in place of whiteouts", .contained { $0.text("f") == "x" }) {
            $0.file("f/.wh.a", "")
            $0.file("f")
        },
        HostileCase("a whiteout below a whiteout", .contained { $0.isWhiteout("d") }) {
            $0.file(".wh.d", "")
            $0.file("d/.wh.a", "")
        },
        HostileCase("something below a whiteout", .hostile) { $0.file(".wh.a/b") },
        HostileCase(
            "a whiteout of a parent, then its child", .contained { $0.text("d/e") == "x" && $0.kind("d") == S_IFDIR }
        ) {
            $0.file(".wh.d", "")
            $0.file("d/e")
        },
        HostileCase("a child, then a whiteout of its parent", .contained { $0.text("d/e") == "x" }) {
            $0.file("d/e")
            $0.file(".wh.d", "")
        },
        HostileCase("a whiteout that is a directory", .contained { $0.isWhiteout("a") }) { $0.directory(".wh.a") },
        HostileCase("a whiteout that is a link", .contained { $0.isWhiteout("a") }) {
            $0.link(".wh.a", to: "../outside")
        },
        HostileCase("AUFS's own files", .contained(isEmpty)) {
            $0.directory(".wh..wh.plnk")
            $0.file(".wh..wh.aufs")
        },
        HostileCase("something below AUFS's own directory", .contained(isEmpty)) { $0.file(".wh..wh.plnk/1.2") },
        HostileCase("something below an opaque mark", .hostile) { $0.file("a/.wh..wh..opq/b") },
        HostileCase("a whiteout of 252 bytes", .contained { $0.entries().count == 1 }) {
            $0.long("L", Array(".wh.".utf8) + [UInt8](repeating: 0x61, count: 251))
            $0.file("x", "")
        },
        HostileCase("a device that would be a whiteout", .contained(isEmpty)) { $0.header("etc".utf8, type: "3") },
        HostileCase("a block device", .contained(isEmpty)) { $0.header("sda".utf8, type: "4", mode: 0o666) },
        HostileCase("the device of the kernel's memory", .contained(isEmpty)) {
            $0.header("mem".utf8, type: "3", mode: 0o666, change: { block in block[335] = 0x31 })
        },
        HostileCase("the root hidden", .contained(isEmpty)) { $0.file(".wh..wh..opq", "") },
    ]
}
