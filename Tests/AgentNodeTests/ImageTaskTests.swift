import ClusterModel
import Foundation
import LinuxSystem
import Testing

@testable import AgentNode

struct ImageTaskTests {
    private static func task(
        _ command: CommandInfo, kind: ContainerInfo.Kind = .mesos, user: String = "root",
        image: ProvidedImage = ProvidedImage(layers: ["/none"], entrypoint: ["/entry", "e"], command: ["cmd"]),
        _ parameters: [(String, String)] = []
    ) -> ImageTask {
        var container = ContainerInfo(kind: kind, image: "image")
        container.parameters = parameters.map { .init(key: $0.0, value: $0.1) }
        return ImageTask(
            command: command, launchUser: user, workDirectory: "/work", containerID: ContainerID("c-1"),
            container: container, image: image, directory: "/run/c-1", volumeRoot: "/volumes",
            hostAccounts: AccountDatabase(passwd: "bob:x:1001:1001::/home/bob:/bin/sh\n", group: ""))
    }

    @Test(
        arguments: [
            (ContainerInfo.Kind.mesos, nil, [], ["/entry", "e", "cmd"]),
            (.mesos, nil, ["a"], ["/entry", "e", "a"]),
            (.mesos, "prog", [], ["prog"]),
            (.mesos, "prog", ["name", "a"], ["name", "a"]),
            (.docker, nil, [], ["/entry", "e", "cmd"]),
            (.docker, nil, ["a"], ["/entry", "e", "a"]),
            (.docker, "prog", ["a"], ["/entry", "e", "prog", "a"]),
        ] as [(ContainerInfo.Kind, String?, [String], [String])])
    func `a command and an image's entry point go together`(
        kind: ContainerInfo.Kind, value: String?, arguments: [String], wanted: [String]
    ) throws {
        let command = CommandInfo(isShell: false, value: value, arguments: arguments)
        let found = try Self.task(command, kind: kind).program()
        #expect(found.arguments == wanted)
        #expect(found.executable == (kind == .mesos ? value ?? wanted[0] : wanted[0]))
    }

    @Test func `without an entry point the image's arguments are the command, and with nothing there is none`() throws {
        let command = CommandInfo(isShell: false, value: nil, arguments: ["a"])
        var image = ProvidedImage(layers: ["/none"], command: ["/cmd"])
        #expect(try Self.task(command, image: image).program().arguments == ["/cmd", "a"])
        #expect(try Self.task(command, kind: .docker, image: image).program().arguments == ["a"])
        image.command = []
        #expect(try Self.task(command, image: image).program().arguments == ["a"])
        let none = CommandInfo(isShell: false, value: nil)
        #expect(throws: TaskError.self) { try Self.task(none, image: image).program() }
        #expect(throws: TaskError.self) { try Self.task(none, kind: .docker, image: image).program() }
        let own = try Self.task(none, kind: .docker, [("entrypoint", "/own")]).program()
        #expect(own.arguments == ["/own"])
    }

    @Test func `the environment is the image's, then Mesos', then the task's`() {
        let image = ProvidedImage(layers: ["/none"], environment: ["PATH=/image", "A=image", "B=image", "EMPTY"])
        let command = CommandInfo(value: "x", environment: [.init(name: "B", value: "task")])
        let found = Self.task(command, image: image, [("env", "A=parameter")]).environment(
            [("PATH", "/host"), ("HOME", "/host"), ("MESOS_TASK_ID", "t"), ("MESOS_SANDBOX", "/host")], home: "/home/x",
            hostname: nil)
        let values = Dictionary(found.map { ($0.name, $0.value) }) { _, _ in "twice" }
        #expect(
            values == [
                "PATH": "/image", "A": "parameter", "B": "task", "EMPTY": "", "HOME": "/home/x", "MESOS_TASK_ID": "t",
                "MESOS_SANDBOX": ImageTask.workPlace, "MESOS_DIRECTORY": ImageTask.workPlace,
            ])
    }

    @Test func `who may not be root does not become it by an image`() throws {
        let bob = Self.task(CommandInfo(value: "x"), user: "bob", image: ProvidedImage(layers: ["/none"], user: "0"))
        #expect(try bob.account().credentials.uid == 1001)
        #expect(try !bob.root(ContainerNetwork(), bob.account().credentials).mayGainRights)
        let root = Self.task(CommandInfo(value: "x"), image: ProvidedImage(layers: ["/none"], user: "7:8"))
        #expect(try root.account().credentials == .init(uid: 7, gid: 8, groups: [8]))
        #expect(try root.root(ContainerNetwork(), root.account().credentials).mayGainRights)
        let directory = "/tmp/rondo-test-\(UUID().uuidString)"
        defer { try? removeTree(directory) }
        try makeDirectories("\(directory)/etc")
        try writeFileAtomically("\(directory)/etc/passwd", Array("toor:x:0:0::/:/bin/sh\n".utf8))
        let image = ProvidedImage(layers: [directory])
        for user in ["toor", "00", "4294967295", "nobody-here", ":5", "7:nobody-here"] {
            let task = Self.task(CommandInfo(value: "x", user: user), image: image)
            #expect(throws: TaskError.self, "\(user)") { try task.account() }
        }
    }

    @Test func `docker's words are read strictly`() throws {
        for (text, bytes) in [("5", 5), ("64m", 64 << 20), ("1G", 1 << 30), ("2kb", 2_048)] as [(String, UInt64)] {
            #expect(try ImageTask.bytes(text, of: "x") == bytes)
        }
        for text in ["", "m", "-1", "0", "1t", "99999999999g", "1 m", "٣"] {
            #expect(throws: TaskError.self, "\(text)") { try ImageTask.bytes(text, of: "x") }
        }
        let command = CommandInfo(value: "x")
        func root(_ key: String, _ value: String) throws -> ImageRoot {
            try Self.task(command, kind: .docker, [(key, value)]).root(ContainerNetwork(), .init(uid: 0, gid: 0))
        }
        #expect(try root("device", "/dev/null:/dev/other:r").devices.first?.path == "/dev/other")
        #expect(try root("device", "/dev/null").devices.first.map { "\($0.kind) \($0.major):\($0.minor)" } == "c 1:3")
        #expect(try root("stop-signal", "SIGUSR1").stopSignal == 10)
        for (key, value) in [
            ("device", "/etc/passwd"), ("device", "/dev"), ("device", "/dev/null:x"), ("device", "/dev/null:/a:q"),
            ("tmpfs", "relative"), ("tmpfs", "/x:size=big"), ("volume", "/a"), ("volume", "/a:b"), ("volume", "..:/b"),
            ("stop-signal", "SIGWHAT"), ("shm-size", "lots"),
        ] {
            #expect(throws: TaskError.self, "\(key) \(value)") { try root(key, value) }
        }
        let limits = try Self.task(command, kind: .docker, [("ulimit", "nofile=5:-1"), ("ulimit", "core=0")]).limits()
        #expect(limits.map(\.soft) == [5, 0] && limits.map(\.hard) == [.max, 0])
        for text in ["nofile", "nofile=", "nofile=9:1", "nofile=1:2:3", "none=1"] {
            #expect(throws: TaskError.self, "\(text)") { try Self.task(command, [("ulimit", text)]).limits() }
        }
    }

    @Test func `a volume's directory is made, and a link on its way is refused`() throws {
        let directory = "/tmp/rondo-test-\(UUID().uuidString)"
        defer { try? removeTree(directory) }
        let places = VolumePlaces(
            volumeRoot: "\(directory)/volumes", workDirectory: "\(directory)/work",
            owner: .init(uid: getuid(), gid: getgid()))
        #expect(try places.source(.named("data")) == .path("\(directory)/volumes/data"))
        #expect(try places.source(.work("a/b")) == .path("\(directory)/work/a/b"))
        #expect(try listDirectory("\(directory)/work/a") == ["b"])
        symlink("/etc", "\(directory)/work/link")
        try writeFileAtomically("\(directory)/work/file", [1])
        #expect(try places.source(.work("file")) == .path("\(directory)/work/file"))
        for source in [
            ContainerVolume.Source.work("link"), .work("link/x"), .work("../x"), .work("a//b"), .work("file/x"),
            .named(".."), .named("a/b"), .named(""), .host("/not/there"),
        ] {
            #expect(throws: TaskError.self, "\(source)") { try places.source(source) }
        }
    }
}
