import Glibc
import Testing

@testable import TaskMonitor

/// A session whose runtime must not be asked, and a client of it.
private final class Talk {
    let session: ShimSession
    let conversation: TTRPCConversation

    init() throws {
        var made: ShimSession?
        conversation = try TTRPCConversation { listener in
            let settings = ShimSession.Settings(
                namespace: "test", bundle: "/nonexistent", socketPath: "/nonexistent/s", eventAddress: nil,
                publishProgram: nil)
            let session = ShimSession(settings, listener: listener) { _ in 99 }
            made = session
            return session.server
        }
        session = try #require(made)
    }

    func ask(_ method: String, _ fill: (inout ProtobufWriter) -> Void) {
        var request = ProtobufWriter()
        fill(&request)
        conversation.say(TTRPCConversation.request(method, stream: 1, request.bytes))
        for request in conversation.receive() { session.answer(request) }
    }

    func code(_ method: String, _ fill: (inout ProtobufWriter) -> Void) throws -> UInt64 {
        ask(method, fill)
        return try conversation.answer().code
    }

    @discardableResult
    func addContainer(status: ShimProcess.Status) -> ShimContainer {
        let streams = ProcessStreams(input: "/i", output: "/o", errors: "", isTerminal: true)
        let container = ShimContainer(
            id: "c", bundle: "/b", options: ShimOptions(), first: ShimProcess(execID: "", streams: streams),
            hasMounts: false)
        container.first.pid = 4242
        container.first.status = status
        session.containers["c"] = container
        return container
    }
}

struct ShimSessionTests {
    @Test(arguments: [
        "Start", "Exec", "Delete", "Kill", "Pause", "Resume", "Update", "State", "Pids", "Wait", "Stats", "ResizePty",
        "CloseIO",
    ])
    func `a request about a container that is not there is refused`(method: String) throws {
        #expect(try Talk().code(method) { $0.put(1, "c") } == 5)
    }

    @Test func `methods that are not offered are refused as such`() throws {
        #expect(try Talk().code("Checkpoint") { $0.put(1, "c") } == 12)
        #expect(try Talk().code("Nothing") { _ in } == 12)
    }

    @Test func `a container with a name or bundle that is none is refused`() throws {
        for (name, bundle) in [("", "/b"), ("a/b", "/b"), ("..", "/b"), ("a", "b"), ("a", "")] {
            let code = try Talk().code("Create") {
                $0.put(1, name)
                $0.put(2, bundle)
            }
            #expect(code == 3)
        }
        let checkpoint = try Talk().code("Create") {
            $0.put(1, "a")
            $0.put(2, "/b")
            $0.put(8, "/checkpoint")
        }
        #expect(checkpoint == 12)
    }

    @Test func `a state tells what containerd asked for`() throws {
        let talk = try Talk()
        talk.addContainer(status: .running)
        talk.ask("State") { $0.put(1, "c") }
        let state = try ProtobufMessage(try talk.conversation.answer().payload[...])
        #expect(try [state.text(1), state.text(2), state.text(5), state.text(6)] == ["c", "/b", "/i", "/o"])
        #expect(try state.number(3) == 4242)
        #expect(try state.number(4) == 2)
        #expect(try state.flag(8))
        #expect(try state.bytes(10).isEmpty)
    }

    @Test func `what the status forbids is refused`() throws {
        let talk = try Talk()
        talk.addContainer(status: .running)
        #expect(try talk.code("Start") { $0.put(1, "c") } == 9)
        #expect(try talk.code("Delete") { $0.put(1, "c") } == 9)
        #expect(try talk.code("Resume") { $0.put(1, "c") } == 9)
        talk.session.containers["c"]?.first.status = .paused
        #expect(try talk.code("Pause") { $0.put(1, "c") } == 9)
        let exec = try talk.code("Exec") {
            $0.put(1, "c")
            $0.put(2, "e")
        }
        #expect(exec == 9)
    }

    @Test func `all who wait are told the end, and who asks later too`() throws {
        let talk = try Talk()
        let container = talk.addContainer(status: .running)
        talk.ask("Wait") { $0.put(1, "c") }
        talk.ask("Wait") { $0.put(1, "c") }
        #expect(container.first.waiters.count == 2)
        talk.session.processEnded(container.first, of: container, 7)
        talk.ask("Wait") { $0.put(1, "c") }
        for _ in 0..<3 {
            let exit = try ProtobufMessage(try talk.conversation.answer().payload[...])
            #expect(try exit.number(1) == 7)
            #expect(try exit.message(2).number(1) > 1_600_000_000)
        }
        #expect(container.first.status == .stopped)
    }

    @Test func `an end before its start was told is kept back`() throws {
        let talk = try Talk()
        let container = talk.addContainer(status: .created)
        container.first.isStarting = true
        talk.session.processEnded(container.first, of: container, 3)
        #expect(container.first.earlyEnd == 3)
        #expect(!container.first.hasEnded)
    }

    @Test func `the shim stays while there are containers`() throws {
        let talk = try Talk()
        talk.addContainer(status: .stopped)
        talk.ask("Shutdown") { $0.put(1, "c") }
        #expect(!talk.session.isEnding)
        talk.session.containers = [:]
        talk.ask("Shutdown") { $0.put(1, "c") }
        #expect(talk.session.isEnding)
    }

    @Test func `commands for one process come one after the other, in order`() {
        let streams = ProcessStreams(input: "", output: "", errors: "", isTerminal: false)
        let process = ShimProcess(execID: "", streams: streams)
        var log: [Int] = []
        var ends: [() -> Void] = []
        for number in 0..<4 {
            process.exclusively { done in
                log.append(number)
                ends.append(done)
            }
        }
        #expect(log == [0])
        for _ in 0..<4 { ends.removeFirst()() }
        #expect(log == [0, 1, 2, 3])
    }

    @Test func `no message whatsoever does harm`() throws {
        var generator = SeededGenerator(state: 5)
        let talk = try Talk()
        talk.addContainer(status: .stopped).first.exitedAt = ShimTime.now()
        let methods = ["Wait", "State", "Connect", "ResizePty", "CloseIO", "Checkpoint", "Exec", "Start", "Pause"]
        for index in 0..<2000 {
            var payload = ProtobufWriter()
            payload.put(1, "c")
            let bytes = payload.bytes + generator.bytes(upTo: 30)
            let frame = TTRPCConversation.request(methods[index % methods.count], stream: 1, bytes)
            talk.conversation.say(frame)
            for request in talk.conversation.receive() { talk.session.answer(request) }
            _ = try talk.conversation.answer()
        }
    }
}
