import ClusterModel
import JobsCore
import Schedules
import Testing

@Suite("Schedules and dependencies of jobs")
struct ScheduleTests {
    private func started(_ events: [JobsEvent]) -> Int {
        events.count { if case .runStarted = $0 { true } else { false } }
    }

    private func skips(_ events: [JobsEvent]) -> [JobsEvent.Skip] {
        events.compactMap { if case .skipped(_, _, let why) = $0 { why } else { nil } }
    }

    @Test func `a schedule starts a run at each of its times`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("*/5 * * * *")))
        _ = talk.pass(3_600)
        #expect(started(talk.events) == 12)
        let times = talk.core.runs.values.compactMap(\.scheduledFor).sorted()
        #expect(times.allSatisfy { $0.nanoseconds % 300_000_000_000 == 0 })
        #expect(Set(times).count == times.count)
    }

    @Test func `what is not enabled starts nothing, and starts afresh when it is`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("* * * * *", isEnabled: false)))
        _ = talk.pass(600)
        #expect(started(talk.events) == 0)
        _ = talk.ask(.replaceSchedule(JobID("a"), .every("* * * * *"), .utc))
        _ = talk.tell(.tick)
        #expect(started(talk.events) == 0)
        _ = talk.pass(60)
        #expect(started(talk.events) == 1)
    }

    @Test func `FORBID leaves a time out while a run has not ended, ALLOW does not`() throws {
        for policy in JobSchedule.Concurrency.allCases {
            var talk = Conversation()
            talk.create(.sleeping("a", schedule: .every("* * * * *", policy)))
            _ = talk.connect()
            _ = talk.pass(31)
            let task = try #require(talk.offer().launched.first)
            _ = talk.report(task, .running)
            _ = talk.pass(120)
            #expect(started(talk.events) == (policy == .forbid ? 1 : 3))
            #expect(skips(talk.events) == (policy == .forbid ? [.forbidden, .forbidden] : []))
            _ = talk.report(task, .finished)
            _ = talk.pass(60)
            #expect(started(talk.events) == (policy == .forbid ? 2 : 4))
        }
    }

    @Test func `of missed times the last one is made up for, before its deadline`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("0,20 * * * *", deadline: 600)))
        // 22:13:30; down from here to 23:25: of 22:20, 23:00 and 23:20 the last is five minutes old.
        talk.restart(after: 4_290)
        _ = talk.tell(.tick)
        #expect(started(talk.events) == 1)
        #expect(talk.core.runs.values.first?.scheduledFor == UnixTime(seconds: 1_700_004_000))
        // Its deadline counts from its time.
        _ = talk.pass(298)
        #expect(talk.core.runs.count == 1)
        _ = talk.pass(5)
        #expect(talk.core.runs.isEmpty)
    }

    @Test func `a time whose deadline has passed is left out for good`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("0 * * * *", deadline: 60)))
        talk.restart(after: 3_600 + 1_800)
        _ = talk.tell(.tick)
        #expect(started(talk.events) == 0)
        #expect(skips(talk.events) == [.late])
        talk.restart()
        _ = talk.tell(.tick)
        #expect(skips(talk.events) == [.late])
    }

    @Test func `a time starts one run although the process ends right after it`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("* * * * *")))
        _ = talk.pass(31)
        #expect(started(talk.events) == 1)
        talk.restart(seed: 3)
        _ = talk.tell(.tick)
        #expect(started(talk.events) == 1)
        #expect(talk.core.runs.count == 1)
    }

    @Test func `a clock that is set back repeats nothing`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("* * * * *")))
        _ = talk.pass(150)
        let before = started(talk.events)
        talk.now.wall = talk.now.wall + .seconds(-120)
        _ = talk.pass(100)
        #expect(started(talk.events) == before)
        _ = talk.pass(90)
        #expect(started(talk.events) > before)
    }

    @Test func `a clock that is set forward is noticed soon`() {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("0 0 * * *")))
        talk.now.wall = talk.now.wall + .seconds(86_400)
        _ = talk.pass(31)
        #expect(skips(talk.events) == [.late])
    }

    // MARK: changes

    @Test func `a job has one schedule, which can be changed and taken away`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        let id = JobID("a")
        guard case .schedule(_, let next) = talk.ask(.addSchedule(id, .every("0 0 * * *"), .utc)) else {
            throw Conversation.Unexpected()
        }
        #expect(next == UnixTime(seconds: 1_700_006_400))
        #expect(talk.ask(.addSchedule(id, .every("1 1 * * *"), .utc)) == .refused(.scheduleExists("default")))
        var other = JobSchedule.every("1 1 * * *")
        other.id = "other"
        #expect(talk.ask(.addSchedule(id, other, .utc)) == .refused(.oneSchedule))
        #expect(talk.ask(.replaceSchedule(id, other, .utc)) == .refused(.unknownSchedule("other")))
        #expect(talk.ask(.deleteSchedule(id, "default")) == .done)
        #expect(talk.ask(.deleteSchedule(id, "default")) == .refused(.unknownSchedule("default")))
        #expect(talk.ask(.addSchedule(JobID("x"), other, .utc)) == .refused(.unknownJob(JobID("x"))))
        #expect(talk.records.jobs.first?.schedules.isEmpty == true)
    }

    @Test func `a changed job keeps its schedule and its runs go on as they were`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a", schedule: .every("0 0 * * *")))
        let run = try talk.start("a")
        var changed = Job.sleeping("a", cpus: 2)
        changed.summary = "new"
        guard case .job(let job) = talk.ask(.replace(changed, keepsSchedules: true, nil)) else {
            throw Conversation.Unexpected()
        }
        #expect(job.schedules.count == 1)
        #expect(talk.core.runs[run.id]?.job.run.cpus == Quantity(1)!)
    }

    // MARK: dependencies

    private func finish(_ talk: inout Conversation, _ state: TaskState) throws {
        let task = try #require(talk.offer(cpus: 1).launched.first)
        _ = talk.report(task, state)
    }

    @Test func `a job starts when all that it depends on has succeeded since its last start`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        talk.create(.sleeping("b"))
        talk.create(.sleeping("c", dependencies: ["a", "b"]))
        _ = talk.connect()
        _ = try talk.start("a")
        try finish(&talk, .finished)
        #expect(talk.core.runs.isEmpty)
        // A restart forgets nothing.
        talk.restart()
        _ = talk.connect()
        _ = try talk.start("b")
        try finish(&talk, .failed)
        #expect(talk.core.runs.isEmpty)
        _ = try talk.start("b")
        try finish(&talk, .finished)
        #expect(talk.core.runs.values.map(\.job.id) == [JobID("c")])
        try finish(&talk, .finished)
        #expect(talk.core.runs.isEmpty)
        // Both again.
        _ = try talk.start("b")
        try finish(&talk, .finished)
        #expect(talk.core.runs.isEmpty)
        _ = try talk.start("a")
        try finish(&talk, .finished)
        #expect(talk.core.runs.values.map(\.job.id) == [JobID("c")])
    }

    @Test func `dependencies are jobs that exist, in no circle, and are not deleted while they are needed`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        guard case .refused(.invalid) = talk.create(.sleeping("b", dependencies: ["x"])) else {
            throw Conversation.Unexpected()
        }
        talk.create(.sleeping("b", dependencies: ["a"]))
        talk.create(.sleeping("c", dependencies: ["b"]))
        let circle = talk.ask(.replace(.sleeping("a", dependencies: ["c"]), keepsSchedules: true, nil))
        #expect(circle == .refused(.invalid("Dependencies have a cycle.")))
        #expect(talk.ask(.delete(JobID("a"), stopsRuns: true)) == .refused(.dependents(JobID("a"), [JobID("b")])))
        guard case .job = talk.ask(.delete(JobID("c"), stopsRuns: false)) else { throw Conversation.Unexpected() }
        guard case .job = talk.ask(.delete(JobID("b"), stopsRuns: false)) else { throw Conversation.Unexpected() }
        guard case .job = talk.ask(.delete(JobID("a"), stopsRuns: false)) else { throw Conversation.Unexpected() }
    }

    @Test func `no more jobs depend on one than fit into a transaction`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        for number in 0..<32 { talk.create(.sleeping("c\(number)", dependencies: ["a"])) }
        guard case .refused(.invalid) = talk.create(.sleeping("d", dependencies: ["a"])) else {
            throw Conversation.Unexpected()
        }
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        let turn = talk.core.handle(
            .update(TaskStatus(taskID: task.taskID, state: .finished, source: .executor, timestamp: talk.now.wall)),
            now: talk.now)
        #expect(turn.transactions.allSatisfy { $0.count <= 128 })
        #expect(talk.core.runs.count == 32)
    }
}
