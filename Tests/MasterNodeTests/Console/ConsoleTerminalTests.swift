import ClusterModel
import NIOCore
import Testing

@testable import MasterNode

@Suite("Terminals of the console", .timeLimit(.minutes(1)))
struct ConsoleTerminalTests {
    private func terminal(_ owner: String = "user:ann") -> ConsoleTerminal {
        ConsoleTerminal(
            id: RandomName.secret(bytes: 16), task: TaskKey(framework: FrameworkID("f"), task: TaskID("t")),
            role: RoleName("*"), owner: owner, now: .zero)
    }

    private func records(_ text: String) -> [ByteBuffer] { [ByteBuffer(string: text)] }

    @Test func `input is taken once and in order`() async throws {
        let terminal = terminal()
        #expect(terminal.take(1, records("b"), now: .zero) == .early)
        #expect(terminal.take(0, records("a"), now: .zero) == .taken)
        #expect(terminal.take(0, records("a"), now: .zero) == .known)
        #expect(terminal.take(1, records("b"), now: .zero) == .taken)
        #expect(try await terminal.nextInput() == ByteBuffer(string: "a"))
        #expect(try await terminal.nextInput() == ByteBuffer(string: "b"))
        terminal.finish("over")
        #expect(try await terminal.nextInput() == nil)
        #expect(terminal.take(2, records("c"), now: .zero) == .ended)
    }

    @Test func `input that nobody reads has an end`() {
        let terminal = terminal()
        let large = [ByteBuffer(repeating: 1, count: ConsoleTerminal.inputLimit / 2)]
        #expect(terminal.take(0, large, now: .zero) == .taken)
        #expect(terminal.take(1, large, now: .zero) == .taken)
        #expect(terminal.take(2, records("x"), now: .zero) == .full)
    }

    @Test func `the command waits while nobody reads its output, and goes on when somebody does`() async throws {
        let terminal = terminal()
        let chunk = [UInt8](repeating: 7, count: 64 << 10)
        let total = 64
        let writer = Task { for _ in 0..<total { try await terminal.wrote(chunk) } }
        let (reader, place) = terminal.attach(at: 0, now: .zero)
        #expect(place == 0)
        var read = 0
        while read < total * chunk.count, let bytes = try await terminal.next(reader) { read += bytes.count }
        #expect(read == total * chunk.count)
        try await writer.value
        terminal.finish("over")
        #expect(try await terminal.next(reader) == nil)
    }

    @Test func `a reader that comes again goes on where it was, and the one before it ends`() async throws {
        let terminal = terminal()
        try await terminal.wrote(Array("hello".utf8))
        let (first, _) = terminal.attach(at: 0, now: .zero)
        #expect(try await terminal.next(first) == Array("hello".utf8))
        let waiting = Task { try await terminal.next(first) }
        let (second, place) = terminal.attach(at: 2, now: .zero)
        #expect(place == 2)
        #expect(try await terminal.next(second) == Array("llo".utf8))
        #expect(try await waiting.value == nil)
        terminal.finish("over")
    }

    @Test func `a reader that is cancelled does not wait for ever`() async {
        let terminal = terminal()
        let (reader, _) = terminal.attach(at: 0, now: .zero)
        let waiting = Task { try await terminal.next(reader) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test func `a terminal whose page is gone is forsaken`() {
        let terminal = terminal()
        let (reader, _) = terminal.attach(at: 0, now: .zero)
        #expect(!terminal.isForsaken(now: .seconds(60)))
        terminal.leave(reader, now: .seconds(60))
        #expect(!terminal.isForsaken(now: .seconds(65)))
        #expect(terminal.isForsaken(now: .seconds(71)))
        let (again, _) = terminal.attach(at: 0, now: .seconds(71))
        #expect(!terminal.isForsaken(now: .seconds(75)))
        // A page that sleeps says nothing, and its connection may stay open for long.
        #expect(terminal.isForsaken(now: .seconds(71) + ConsoleTerminal.silence + .seconds(1)))
        terminal.leave(again, now: .seconds(80))
    }

    @Test func `a visitor has a bounded number of them`() {
        let all = ConsoleTerminals()
        for _ in 0..<ConsoleTerminals.limitEach { #expect(all.add(terminal())) }
        #expect(!all.add(terminal()))
        #expect(all.add(terminal("user:bob")))
    }
}
