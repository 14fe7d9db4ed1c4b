import Synchronization
import Testing

@testable import AgentNode

@Suite struct SessionOutputTests {
    private func piece(_ text: String) -> SessionOutput.Piece {
        SessionOutput.Piece(bytes: Array(text.utf8), isError: false)
    }

    @Test func `every reader gets what comes while it is attached, and the end`() async {
        let output = SessionOutput {}
        let first = output.attach()
        #expect(output.add(piece("a")))
        let second = output.attach()
        #expect(output.add(piece("b")))
        output.end()
        #expect(await output.next(first) == piece("a"))
        #expect(await output.next(first) == piece("b"))
        #expect(await output.next(first) == nil)
        #expect(await output.next(second) == piece("b"))
        #expect(await output.next(second) == nil)
    }

    @Test func `the slowest reader holds the command back until it reads or leaves`() async {
        let calls = Mutex(0)
        let output = SessionOutput { calls.withLock { $0 += 1 } }
        let slow = output.attach()
        let large = SessionOutput.Piece(bytes: [UInt8](repeating: 1, count: 200 << 10), isError: false)
        #expect(output.add(large))
        #expect(!output.add(large))
        #expect(await output.next(slow) == large)
        #expect(calls.withLock { $0 } == 1)
        #expect(!output.add(large))
        output.detach(slow)
        #expect(calls.withLock { $0 } == 2)
        #expect(await output.next(slow) == nil)
    }

    @Test func `without readers nothing is held back, and the last pieces are kept for the next one`() async {
        let output = SessionOutput {}
        for number in 0..<100 {
            #expect(
                output.add(SessionOutput.Piece(bytes: [UInt8](repeating: UInt8(number), count: 1 << 10), isError: true))
            )
        }
        let reader = output.attach()
        output.end()
        var numbers: [UInt8] = []
        while let piece = await output.next(reader) { numbers.append(piece.bytes[0]) }
        #expect(numbers == Array(36..<100))
        let late = output.attach()
        #expect(await output.next(late) == nil)
    }

    @Test func `a reader whose task is cancelled gets nothing more`() async {
        let output = SessionOutput {}
        let reader = output.attach()
        let waiting = Task { await output.next(reader) }
        waiting.cancel()
        #expect(await waiting.value == nil)
    }
}
