import ClusterModel
import TaskLifecycle
import Testing

@Suite struct TaskProgressTests {
    @Test func `a task goes forward, may leave steps out, and never goes back`() {
        var task = TaskProgress()
        #expect(task.advance(to: .starting) == .advanced)
        #expect(task.advance(to: .killing) == .advanced)
        #expect(task.advance(to: .running) == .refused)
        #expect(task.state == .killing)
        #expect(task.advance(to: .killed) == .advanced)
    }

    @Test(arguments: [TaskState.finished, .failed, .killed, .error, .dropped, .gone, .goneByOperator])
    func `an end is final`(end: TaskState) {
        for next in TaskState.allCases {
            var task = TaskProgress(state: end)
            #expect(task.advance(to: next) == (next == end ? .repeated : .refused))
            #expect(task.state == end)
        }
    }

    @Test(arguments: [TaskState.unreachable, .unknown, .lost])
    func `what is not known may be followed by the truth`(uncertain: TaskState) {
        var task = TaskProgress(state: .running)
        #expect(task.advance(to: uncertain) == .advanced)
        #expect(task.advance(to: .running) == .advanced)
        #expect(task.advance(to: uncertain) == .advanced)
        #expect(task.advance(to: .finished) == .advanced)
        #expect(task.advance(to: uncertain) == .refused)
    }

    @Test func `the same state again is a repetition`() {
        var task = TaskProgress(state: .running)
        #expect(task.advance(to: .running) == .repeated)
    }

    @Test func `without uncertainty every legal step raises the rank`() {
        for state in TaskState.allCases where !TaskProgress.isUncertain(state) {
            for next in TaskState.allCases where !TaskProgress.isUncertain(next) {
                #expect(TaskProgress.may(next, follow: state) == (next.rank > state.rank))
            }
        }
    }
}
