import CLinux
import Glibc
import Testing

@testable import LinuxSystem

struct HostTests {
    @Test func `a system error names call, file and reason`() {
        let error = #expect(throws: SystemError.self) { try readFile("/no/such/file", limit: 10) }
        #expect(error?.description == "open /no/such/file: no such file or directory")
    }

    @Test(arguments: [
        ("", ""), ("/plain", "/plain"), ("/two\\040words", "/two words"), ("\\011\\012\\134", "\t\n\\"),
        ("\\", "\\"), ("\\04", "\\04"), ("\\999", "\\999"), ("\\777", "\\777"), ("\\134040", "\\040"),
        ("\\303\\244", "ä"),
    ])
    func `a field of mountinfo is unescaped once, and what is no escape stays`(field: String, text: String) {
        #expect(MountInfoField.unescaped(field) == text)
    }

    @Test func `a file beyond its limit is refused`() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/f"
        try writeFileAtomically(path, Array(repeating: 1, count: 70_000))
        #expect(try readFile(path, limit: 70_000).count == 70_000)
        #expect(throws: SystemError(call: "read", path: path, errno: EFBIG)) { try readFile(path, limit: 69_999) }
    }

    @Test func `an atomic write replaces the file and leaves no other`() throws {
        let scratch = try Scratch()
        try writeFileAtomically(scratch.path + "/f", [1])
        try writeFileAtomically(scratch.path + "/f", [2, 3])
        #expect(try readFile(scratch.path + "/f", limit: 10) == [2, 3])
        #expect(try listDirectory(scratch.path) == ["f"])
        #expect(throws: SystemError.self) { try writeFileAtomically(scratch.path + "/none/f", [1]) }
    }

    @Test func `removing a tree does not follow links out of it`() throws {
        let scratch = try Scratch()
        try makeDirectories(scratch.path + "/keep")
        try writeFileAtomically(scratch.path + "/keep/f", [1])
        try makeDirectories(scratch.path + "/tree/a/b")
        symlink(scratch.path + "/keep", scratch.path + "/tree/a/link")
        try removeTree(scratch.path + "/tree")
        #expect(try listDirectory(scratch.path) == ["keep"])
        #expect(try readFile(scratch.path + "/keep/f", limit: 10) == [1])
        try removeTree(scratch.path + "/tree")
    }

    @Test func `a tree is removed however deep it is and whatever its names are`() throws {
        let scratch = try Scratch()
        try makeDirectories(scratch.path + "/tree/.removed-1")
        try writeFileAtomically(scratch.path + "/tree/.removed-1/f", [1])
        var directory = try FileDescriptor.open(scratch.path + "/tree", flags: O_RDONLY | O_DIRECTORY)
        let odd: [CChar] = [CChar(bitPattern: 0xff), 0x61, CChar(bitPattern: 0xc3), 0]
        for _ in 0..<300 {
            #expect(mkdirat(directory.raw, odd, 0o700) == 0)
            #expect(mkdirat(directory.raw, "other", 0o700) == 0)
            let next = clinux_openat(directory.raw, odd, O_RDONLY | O_DIRECTORY, 0)
            try #require(next >= 0)
            directory = FileDescriptor(owning: next)
        }
        try removeTree(scratch.path + "/tree")
        #expect(try listDirectory(scratch.path) == [])
    }

    @Test func `a process name cannot forge its statistics`() {
        let line = "12 (a) Z 9 (b)) S 34 12 56 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 7890 1 2\n"
        let parsed = ProcessStatistics.parse(Array(line.utf8))
        #expect(parsed == ProcessStatistics(state: "S", parent: 34, session: 56, startTicks: 7890))
        #expect(ProcessStatistics.parse(Array("12 (a) S 1".utf8)) == nil)
    }

    @Test func `an identity distinguishes a number used again`() throws {
        let own = try #require(ProcessIdentity.current(pid: getpid()))
        #expect(own.isAlive)
        let other = ProcessIdentity(pid: own.pid, startTicks: own.startTicks + 1)
        #expect(!other.isAlive)
        #expect(!other.send(signal: 0))
        #expect(own.send(signal: 0))
    }

    @Test func `host facts are plausible`() throws {
        #expect(HostFacts.onlineProcessors >= 1)
        #expect(try HostFacts.totalMemoryBytes() > 64 << 20)
        #expect(try HostFacts.freeDiskBytes(at: "/tmp") > 0)
        #expect(try !HostFacts.hostname().isEmpty)
        #expect(try HostFacts.bootID().count == 36)
        #expect(try HostFacts.kernelRelease().contains("."))
    }

    @Test func `accounts come from the files alone`() throws {
        let accounts = AccountDatabase(
            passwd:
                "root:x:0:0:root:/root:/bin/sh\n#\nbroken:x\nann:x:1000:100:Ann:/home/ann:/bin/zsh\n7:x:70:70::/:\n",
            group: "users:x:100:\nwheel:x:10:root,ann\nlp:x:7:ann\n")
        #expect(accounts.users.map(\.name) == ["root", "ann", "7"])
        #expect(try accounts.credentials(of: "ann") == .init(uid: 1000, gid: 100, groups: [100, 10, 7]))
        #expect(try accounts.credentials(of: "1000").gid == 100)
        #expect(try accounts.credentials(of: "7").uid == 70, "a name that is a number is a name first")
        #expect(try accounts.credentials(of: "4321") == .init(uid: 4321, gid: 4321))
        #expect(throws: AccountDatabase.LookupError.unknownUser("bob")) { try accounts.credentials(of: "bob") }
        #expect(throws: AccountDatabase.LookupError.self) { try accounts.credentials(of: "4294967295") }
        #expect(try AccountDatabase().user("root")?.uid == 0)
    }

    @Test func `a mount point with a space is read as it is`() {
        let mount = Mount("36 35 98:0 /x /mnt\\040two rw,noatime shared:1 - cgroup none rw,cpu,memory"[...])
        #expect(mount?.point == "/mnt two")
        #expect(mount?.options == ["rw", "cpu", "memory"])
        #expect(Mount("36 35 98:0 - cgroup"[...]) == nil)
    }
}
