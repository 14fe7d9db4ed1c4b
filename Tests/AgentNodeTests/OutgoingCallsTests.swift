import ClusterModel
import FoundationEssentials
import NIOCore
import Testing

@testable import AgentNode

/// What an agent says leaves together, once, and in order.
struct OutgoingCallsTests {
    private struct Body: Decodable {
        var type: String
        var calls: [AgentCall]
    }

    private func call(_ number: Int, data: [UInt8]? = nil) -> AgentCall {
        let task = TaskID("t\(number)")
        let status = TaskStatus(
            taskID: task, state: .running, source: .agent, timestamp: UnixTime(nanoseconds: 1), data: data)
        return .status(TaskKey(framework: FrameworkID("f"), task: task), status, directory: "d")
    }

    private func read(_ body: ByteBuffer?) throws -> [AgentCall] {
        let read = try JSONDecoder().decode(Body.self, from: Data(try #require(body).readableBytesView))
        #expect(read.type == "CALLS")
        return read.calls
    }

    @Test func `what waits goes together, and the end comes after it`() async throws {
        let calls = OutgoingCalls()
        let all = (0..<2_500).map { call($0) } + [.heartbeat]
        for each in all { calls.add(each) }
        calls.finish()
        calls.add(.leave)
        var said: [AgentCall] = []
        var bodies = 0
        while let body = await calls.next() {
            said += try read(body)
            bodies += 1
        }
        #expect(said == all)
        #expect(bodies == 3)
    }

    @Test func `a body is not much longer than its limit`() async throws {
        let calls = OutgoingCalls()
        for number in 0..<10 { calls.add(call(number, data: [UInt8](repeating: 200, count: 100_000))) }
        let first = try #require(await calls.next())
        #expect(first.readableBytes < 2 << 20)
        #expect(try (1..<10).contains(read(first).count))
    }

    @Test func `a sender that waits is woken by a call, and by being cancelled`() async throws {
        let calls = OutgoingCalls()
        let sender = Task { await calls.next() }
        calls.add(.heartbeat)
        #expect(try await read(sender.value) == [.heartbeat])
        let idle = Task { await calls.next() }
        idle.cancel()
        #expect(await idle.value == nil)
    }
}
