import ClusterModel
import TaskLifecycle
import Testing

@Suite struct StatusUpdateStreamTests {
    private func status(_ state: TaskState, _ number: UInt8) -> TaskStatus {
        TaskStatus(
            taskID: TaskID("t"), state: state, source: .executor, timestamp: UnixTime(nanoseconds: Int64(number)),
            uuid: StatusUUID(bytes: [UInt8](repeating: number, count: 16)))
    }

    @Test func `an update is sent at once, the next one after the acknowledgement`() {
        var stream = StatusUpdateStream()
        #expect(stream.connect(now: .zero) == nil)
        let (starting, running) = (status(.starting, 1), status(.running, 2))
        #expect(stream.append(starting, now: .zero) == starting)
        #expect(stream.append(running, now: .zero) == nil)
        #expect(stream.acknowledge(starting.uuid!, now: .seconds(1)) == .accepted(next: running))
        #expect(stream.acknowledge(running.uuid!, now: .seconds(2)) == .accepted(next: nil))
        #expect(stream.nextDeadline == nil)
    }

    @Test func `a wrong, repeated or early uuid is ignored`() {
        var stream = StatusUpdateStream()
        _ = stream.connect(now: .zero)
        let (starting, running) = (status(.starting, 1), status(.running, 2))
        _ = stream.append(starting, now: .zero)
        _ = stream.append(running, now: .zero)
        #expect(stream.acknowledge(running.uuid!, now: .zero) == .ignored)
        #expect(stream.acknowledge(StatusUUID(bytes: []), now: .zero) == .ignored)
        #expect(stream.acknowledge(starting.uuid!, now: .zero) == .accepted(next: running))
        #expect(stream.acknowledge(starting.uuid!, now: .zero) == .ignored)
        #expect(stream.pending == [running])
    }

    @Test func `an unacknowledged update is sent again after 10 s, doubling to 10 min`() {
        var stream = StatusUpdateStream()
        _ = stream.connect(now: .zero)
        _ = stream.append(status(.running, 1), now: .zero)
        var now = Duration.zero
        var pauses: [Duration] = []
        for _ in 0..<9 {
            let deadline = stream.nextDeadline!
            #expect(stream.resend(now: deadline - .milliseconds(1)) == nil)
            #expect(stream.resend(now: deadline) == status(.running, 1))
            pauses.append(deadline - now)
            now = deadline
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 600, 600, 600].map { .seconds($0) })
    }

    @Test func `a new session sends at once and starts the pauses over; without one nothing is due`() {
        var stream = StatusUpdateStream()
        _ = stream.connect(now: .zero)
        _ = stream.append(status(.running, 1), now: .zero)
        _ = stream.resend(now: .seconds(10))
        stream.disconnect()
        #expect(stream.nextDeadline == nil)
        #expect(stream.resend(now: .seconds(1_000)) == nil)
        #expect(stream.append(status(.finished, 2), now: .seconds(1_000)) == nil)
        #expect(stream.connect(now: .seconds(2_000)) == status(.running, 1))
        #expect(stream.nextDeadline == .seconds(2_010))
    }

    @Test func `the acknowledged end finishes the stream, and nothing comes after an end`() {
        var stream = StatusUpdateStream(pending: [status(.finished, 1)])
        #expect(stream.append(status(.failed, 2), now: .zero) == nil)
        #expect(stream.connect(now: .zero) == status(.finished, 1))
        #expect(stream.acknowledge(status(.finished, 1).uuid!, now: .zero) == .finished)
        #expect(stream.isFinished)
        #expect(stream.append(status(.failed, 3), now: .zero) == nil)
        #expect(stream.pending.isEmpty)
    }
}
