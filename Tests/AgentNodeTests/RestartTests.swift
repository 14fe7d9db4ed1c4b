import AgentNode
import ClusterModel
import Foundation
import LinuxSystem
import Testing

@Suite("agent over restarts (needs root and the rondo executable)", .serialized, .timeLimit(.minutes(2)))
struct RestartTests {
    @Test func `a restarted agent adopts what runs and reports what ended meanwhile`() async throws {
        var machine = try await Machine()
        let flag = machine.directory + "/flag"
        let stays = machine.launch("stays", "while [ ! -e \(flag) ]; do sleep 0.05; done; exit 5")
        let ends = machine.launch("ends", "sleep 0.3; exit 7")
        await machine.master.waitForStatus(stays.task) { $0.state == .running }
        await machine.master.waitForStatus(ends.task) { $0.state == .running }
        #expect(try await machine.stopAgent() == .stopped)
        // The end of `ends` shows in its exit file, while no agent is there.
        await waitForExits(1, in: machine.directory + "/run")
        try await machine.startAgent()
        let registration = machine.master.registrations.last!
        #expect(registration.info.id == FakeMaster.agent)
        #expect(Set(registration.tasks.map(\.launch.key)).contains(stays))
        let over = await machine.master.waitForEnd(ends.task)
        #expect(over.message == "Command exited with status 7")
        #expect(machine.master.states(ends.task) == [.starting, .running, .failed])
        try writeFileAtomically(flag, [])
        #expect(await machine.master.waitForEnd(stays.task).message == "Command exited with status 5")
        #expect(machine.master.states(stays.task) == [.starting, .running, .failed])
        try await machine.remove()
    }

    @Test func `a cut session is opened again and what was not acknowledged is sent again`() async throws {
        let machine = try await Machine()
        machine.master.acknowledge(false)
        let key = machine.launch("t", "true")
        await machine.master.waitForStatus(key.task) { $0.state == .starting }
        machine.master.acknowledge(true)
        machine.master.cut()
        await machine.master.waitForSession(2)
        #expect(await machine.master.waitForEnd(key.task).state == .finished)
        #expect(machine.master.states(key.task) == [.starting, .running, .finished])
        try await machine.remove()
    }

    @Test func `a leaving agent ends its tasks and leaves no files, cgroups or id`() async throws {
        var machine = try await Machine()
        let key = machine.launch("t", "sleep 1000")
        await machine.master.waitForStatus(key.task) { $0.state == .running }
        let container = machine.runEntries().first ?? ""
        #expect(try await machine.leave() == .left)
        #expect(await machine.master.waitForEnd(key.task).state == .killed)
        await machine.master.waitForCall(.leave)
        #expect(machine.runEntries().isEmpty)
        #expect(!FileManager.default.fileExists(atPath: machine.directory + "/agent.json"))
        let layout = try CgroupLayout.detect()
        #expect(layout?.groups().contains(container) != true)
        try await machine.remove()
    }

    @Test func `one directory is for one agent at a time`() async throws {
        let machine = try await Machine()
        var settings = AgentNode.Settings(dataDirectory: machine.directory, masters: [machine.master.endpoint])
        settings.resources = Resources()
        let second = try AgentNode(settings: settings, transport: machine.transport)
        await #expect(throws: AgentNodeError.dataDirectoryInUse(path: machine.directory)) { try await second.run() }
        try await machine.remove()
    }

    /// Waits until that many tasks have an exit file, by inotify.
    private func waitForExits(_ count: Int, in directory: String) async {
        await withCheckedContinuation { (waiting: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                let notifier = inotify_init1(0)
                defer { close(notifier) }
                let names = (try? listDirectory(directory)) ?? []
                for name in names { _ = inotify_add_watch(notifier, "\(directory)/\(name)", UInt32(IN_MOVED_TO)) }
                var buffer = [UInt8](repeating: 0, count: 65_536)
                while names.filter({ access("\(directory)/\($0)/exit", F_OK) == 0 }).count < count {
                    if read(notifier, &buffer, buffer.count) < 0 { break }
                }
                waiting.resume()
            }
        }
    }
}
