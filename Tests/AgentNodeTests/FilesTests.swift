import AgentCore
import ClusterModel
import Foundation
import LinuxSystem
import Testing

@testable import AgentNode

@Suite struct FilesTests {
    private func status(_ state: TaskState, _ number: UInt8) -> TaskStatus {
        TaskStatus(
            taskID: TaskID("t"), state: state, source: .executor, timestamp: UnixTime(nanoseconds: 5),
            uuid: StatusUUID(bytes: [UInt8](repeating: number, count: 16)))
    }

    private func task(_ files: AgentFiles) throws -> StoredTask {
        let info = TaskInfo(
            name: "t", taskID: TaskID("t"), agentID: AgentID("A"), resources: try Resources([.scalar("cpus", 1)]),
            command: CommandInfo(value: "true"), killGracePeriod: .seconds(2))
        let launch = TaskLaunch(
            frameworkID: FrameworkID("F"), frameworkName: "f", user: "root", checkpoint: true, role: .everyone,
            wantsKillingState: true, task: info)
        return StoredTask(launch: launch, containerID: ContainerID("c"), directory: "\(files.workRoot)/F/t/c")
    }

    private func withFiles(_ body: (AgentFiles) throws -> Void) throws {
        let files = AgentFiles(root: "/tmp/rondo-files-test-\(UUID().uuidString)")
        try files.prepare()
        defer { try? removeTree(files.root) }
        try body(files)
    }

    @Test func `tasks, updates and acknowledgements are read as they were written`() throws {
        try withFiles { files in
            let stored = try task(files)
            try files.store(stored)
            try files.append([status(.starting, 1), status(.running, 2)], to: stored.containerID)
            try files.appendAcknowledgement(status(.starting, 1).uuid!, to: stored.containerID)
            let loaded = try #require(try files.load(stored.containerID))
            #expect(loaded.stored == stored)
            #expect(loaded.log.updates == [status(.starting, 1), status(.running, 2)])
            #expect(loaded.log.acknowledged == [status(.starting, 1).uuid!])
        }
    }

    @Test func `a torn last record is cut off wherever it was torn, and writing goes on after it`() throws {
        try withFiles { files in
            let stored = try task(files)
            let path = "\(files.runDirectory)/c/updates"
            try files.store(stored)
            try files.append([status(.starting, 1)], to: stored.containerID)
            let first = try readFile(path, limit: 1 << 20)
            try files.append([status(.running, 2)], to: stored.containerID)
            let both = try readFile(path, limit: 1 << 20)
            for length in [0, 1, 2, 20, 100, both.count - first.count - 1].map({ first.count + $0 }) {
                try writeFileAtomically(path, Array(both[..<length]), durable: false)
                #expect(try files.load(stored.containerID)?.log.updates == [status(.starting, 1)], "\(length)")
                try files.append([status(.failed, 3)], to: stored.containerID)
                let again = try files.load(stored.containerID)
                #expect(again?.log.updates == [status(.starting, 1), status(.failed, 3)], "\(length)")
            }
        }
    }

    @Test func `files of a newer release are refused, and a directory without a task is no task`() throws {
        try withFiles { files in
            let stored = try task(files)
            try makeDirectories("\(files.runDirectory)/c")
            #expect(try files.load(stored.containerID) == nil)
            try files.store(stored)
            let path = "\(files.runDirectory)/c/task.json"
            let text = String(decoding: try readFile(path, limit: 1 << 20), as: UTF8.self)
            try writeFileAtomically(
                path, [UInt8](text.replacingOccurrences(of: "\"format\":1", with: "\"format\":2").utf8))
            #expect(throws: AgentNodeError.self) { try files.load(stored.containerID) }
        }
    }

    @Test func `the id is kept and forgotten`() throws {
        try withFiles { files in
            #expect(try files.loadIdentity() == nil)
            try files.storeIdentity(AgentID("A"))
            #expect(try files.loadIdentity()?.id == AgentID("A"))
            try files.forgetIdentity()
            try files.forgetIdentity()
            #expect(try files.loadIdentity() == nil)
        }
    }

    @Test(arguments: [
        ("/a/b.txt", String?.none, "b.txt"), ("http://h/x/y.zip?q=/z#f", nil, "y.zip"), ("file:///a/b", "c", "c"),
    ])
    func `a fetched file has a plain name`(value: String, output: String?, name: String) throws {
        #expect(try Fetcher.fileName(of: CommandURI(value: value, outputFile: output)) == name)
    }

    @Test(arguments: ["../x", "a/b", "..", ".", "", "stdout", "stderr", "a\nb", String(repeating: "x", count: 256)])
    func `no name leads out of the work directory`(name: String) {
        #expect(throws: TaskError.self) {
            try Fetcher.fileName(of: CommandURI(value: "/a", outputFile: name))
        }
    }

    @Test func `text is never cut inside of a character, and always moves on`() {
        let bytes = [UInt8]("aäö€😀".utf8)
        for length in 1...bytes.count {
            let whole = withoutTornCharacter(Array(bytes[..<length]))
            #expect(String(validating: whole, as: UTF8.self) != nil, "\(length)")
        }
        #expect(withoutTornCharacter([0xe2, 0x82]) == [0xe2, 0x82])
        #expect(withoutTornCharacter([0x80, 0x80, 0x80, 0x80, 0x80]).count == 5)
    }

    @Test func `text in JSON is ASCII and means the same`() throws {
        let text = "a\"\\\n\u{1}ä😀\u{7f}"
        let encoded = JSONText.object([("k", .text(text)), ("absent", nil), ("n", .number(0.5))]).encoded
        #expect(encoded.utf8.allSatisfy { $0 < 0x80 })
        let decoded = try JSONSerialization.jsonObject(with: Data(encoded.utf8)) as? [String: Any]
        #expect(decoded?["k"] as? String == text)
        #expect(decoded?["n"] as? Double == 0.5)
        #expect(decoded?.count == 2)
    }

    @Test func `a machine offers ports of servers, and none where this program listens`() throws {
        let ports = MeasuredResources.ports(without: [8_443, 50_000])
        for port: UInt64 in [80, 443, 3_000, 5_432, 6_379, 8_080, 9_090, 31_000, 32_000] {
            #expect(ports.contains(port), "\(port)")
        }
        for port: UInt64 in [22, 53, 5_050, 5_051, 7_946, 8_443, 32_001, 32_768, 50_000, 60_999] {
            #expect(!ports.contains(port), "\(port)")
        }
        let measured = try MeasuredResources.measure(directory: "/", without: [8_080])
        #expect(measured.allRanges("ports") == MeasuredResources.ports(without: [8_080]))
    }

    @Test func `resources are read from Mesos' text form`() throws {
        let read = try Resources(text: "cpus:4; mem(analytics):1024.5;ports:[31000-31100, 32000-32000];zones:{a, b}")
        #expect(read.total("cpus").value == 4)
        #expect(read.total("mem").value == 1_024.5)
        #expect(read.allRanges("ports").description == "[31000-31100, 32000-32000]")
        #expect(read.items.first { $0.kind.name == "mem" }?.kind.role == RoleName("analytics"))
        #expect(try Resources(text: read.description) == read)
        for wrong in ["cpus", "cpus:", "cpus:-1", "cpus:x", "cpus:nan", "ports:[5-1]", "a(b:1", "a():1", "a b:1", ":1"]
        {
            #expect(throws: ResourceError.self, "\(wrong)") { try Resources(text: wrong) }
        }
    }
}
