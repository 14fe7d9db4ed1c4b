import Glibc
import Testing

@testable import ContainerRuntime

/// A directory that stands for a container's root, gone afterwards.
private final class Root {
    let path: String

    init() {
        var template = Array("/tmp/rondo-root.XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit { try? RuntimeFiles.removeTree(path) }

    func directory() throws -> RootDirectory { try RootDirectory(path) }
    func exists(_ name: String) -> Bool { access("\(path)/\(name)", F_OK) == 0 }
    func link(_ name: String, to target: String) { #expect(symlink(target, "\(path)/\(name)") == 0) }
}

struct LaunchTests {
    @Test func `a place behind a link to nothing is made where the link leads, inside of the root`() throws {
        let root = Root()
        root.link("jump", to: "/srv/../made/deep")
        _ = try root.directory().directory("/jump/below")
        #expect(root.exists("made/deep/below"))
        root.link("hosts", to: "../../../run/hosts")
        _ = try root.directory().regularFile("/hosts")
        #expect(root.exists("run/hosts"))
        #expect(mkdir("\(root.path)/real", 0o755) == 0)
        root.link("alias", to: "real")
        root.link("real/relative", to: "file")
        _ = try root.directory().regularFile("/alias/relative")
        #expect(root.exists("real/file"))
    }

    @Test func `links in a circle are refused`() throws {
        let root = Root()
        root.link("one", to: "two")
        root.link("two", to: "one")
        #expect(throws: RuntimeFailure.self) { try root.directory().directory("/one/below") }
        #expect(throws: RuntimeFailure.self) { try root.directory().regularFile("/one") }
    }

    @Test func `only a real directory, or nothing, is ordinary`() throws {
        let root = Root()
        #expect(mkdir("\(root.path)/real", 0o755) == 0)
        root.link("link", to: "real")
        root.link("dangling", to: "nothing")
        let directory = try root.directory()
        _ = try directory.regularFile("/file")
        #expect(directory.isOrdinary("/real") && directory.isOrdinary("/absent") && directory.isOrdinary("/"))
        #expect(!directory.isOrdinary("/link") && !directory.isOrdinary("/dangling"))
        #expect(!directory.isOrdinary("/file") && !directory.isOrdinary("/link/below"))
    }

    @Test func `a program that a signal ends is told by the signal's name`() throws {
        let result = try Programs.run(
            "/bin/sh", arguments: ["sh", "-c", "kill -SYS $$"], environment: [], input: nil, timeout: 10)
        #expect(result.code == 128 + SIGSYS)
        #expect(result.signal == "signal: bad system call")
    }

    @Test func `a hook without an environment gets what it is given`() throws {
        var hook = HookConfig(path: "/bin/sh")
        hook.args = ["sh", "-c", "test \"$GIVEN\" = yes"]
        try Hooks.run([hook], "startContainer", state: .object([]), environment: ["GIVEN=yes"])
        hook.env = ["OWN=1"]
        do throws(RuntimeFailure) {
            try Hooks.run([hook], "startContainer", state: .object([]), environment: ["GIVEN=yes"])
            Issue.record("the hook's own environment was added to")
        } catch {
            #expect(error.message.hasPrefix("error running startContainer hook #0: /bin/sh: exit status 1"))
        }
    }

    @Test func `the kernel's reasons are in lower case`() {
        #expect(RuntimeFailure("open x", errno: ENOENT).message == "open x: no such file or directory")
    }
}
