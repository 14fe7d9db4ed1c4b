import ClusterModel
import JobsCore
import Testing

@Suite("Runs of jobs")
struct JobRunTests {
    @Test func `a run takes the first offer with room and succeeds with its task`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a.b"))
        #expect(talk.connect().suppresses)
        let run = try talk.start("a.b")
        #expect(run.status == .starting)
        #expect(talk.tell(.tick).isEmpty)
        let calls = talk.offer()
        let task = try #require(calls.launched.first)
        #expect(calls.launched.count == 1)
        #expect(task.taskID.value.hasPrefix("a_b_\(run.id)."))
        #expect(task.name == "\(run.id).b.a")
        #expect(calls.suppresses)
        // The task was stored in the same turn, before anything was said.
        #expect(talk.records.runs.first?.tasks.first?.id == task.taskID)
        #expect(
            talk.report(task, .running, uuid: 7) == [
                .acknowledge(
                    agent: AgentID("A"), task: task.taskID, uuid: StatusUUID(bytes: .init(repeating: 7, count: 16)))
            ])
        #expect(talk.core.runs[run.id]?.status == .active)
        _ = talk.report(task, .finished)
        #expect(talk.core.runs.isEmpty)
        #expect(talk.records.runs.isEmpty)
        let history = try #require(talk.history[JobID("a.b")])
        #expect(history.successCount == 1)
        #expect(history.successes.map(\.id) == [run.id])
    }

    @Test func `an offer without room is declined, and the shortage can be told`() throws {
        var talk = Conversation()
        talk.create(.sleeping("big", cpus: 8))
        _ = talk.connect()
        _ = try talk.start("big")
        let calls = talk.offer(cpus: 4)
        #expect(calls.declined)
        #expect(calls.launched.isEmpty)
        #expect(talk.core.waiting.first?.shortage == "cpus: 8 wanted, 4 offered")
    }

    @Test func `reserved resources are used before those of everybody`() throws {
        var talk = Conversation()
        talk.create(.sleeping("r", cpus: 3))
        _ = talk.connect()
        _ = try talk.start("r")
        let reserved = ResourceKind(name: "cpus", reservations: [.init(kind: .fixed, role: RoleName("jobs"))])
        let calls = talk.offer(
            resources: try Resources([
                Resource(kind: reserved, value: .scalar(Quantity(2)!)), .scalar("cpus", 4), .scalar("mem", 64),
            ]))
        let task = try #require(calls.launched.first)
        #expect(task.resources.items.first { $0.kind == reserved }?.value == .scalar(Quantity(2)!))
        #expect(task.resources.total("cpus") == Quantity(3)!)
    }

    @Test func `a failed task fails a run that is never restarted`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        _ = talk.report(task, .failed)
        #expect(talk.core.runs.isEmpty)
        #expect(talk.history[JobID("a")]?.failureCount == 1)
    }

    @Test func `restarts wait longer each time and end at the active deadline`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a", policy: .onFailure, deadline: 60))
        _ = talk.connect()
        _ = try talk.start("a")
        var waits: [Int] = []
        var seen: Set<TaskID> = []
        for _ in 0..<20 {
            var wait = 0
            var task: TaskInfo?
            while task == nil, wait < 200 {
                task = talk.offer().launched.first
                if task == nil {
                    wait += 1
                    _ = talk.pass(1)
                }
            }
            guard let task else { break }
            #expect(seen.insert(task.taskID).inserted)
            waits.append(wait)
            _ = talk.report(task, .running)
            _ = talk.report(task, .failed)
        }
        #expect(waits == [0, 1, 2, 4, 8, 16, 32])
        #expect(talk.core.runs.isEmpty)
        #expect(talk.history[JobID("a")]?.failureCount == 1)
    }

    @Test func `a run that nobody launches in time has failed`() throws {
        var talk = Conversation()
        var job = Job.sleeping("a")
        job.run.maxLaunchDelay = 30
        talk.create(job)
        _ = talk.connect()
        _ = try talk.start("a")
        _ = talk.pass(29)
        #expect(talk.core.runs.count == 1)
        _ = talk.pass(2)
        #expect(talk.core.runs.isEmpty)
        #expect(talk.history[JobID("a")]?.failureCount == 1)
    }

    @Test func `a stopped run ends with its task, and the kill is repeated until then`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a", policy: .onFailure))
        _ = talk.connect()
        let run = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        _ = talk.report(task, .running)
        guard case .run(let stopping) = talk.ask(.stop(JobID("a"), run.id)) else { throw Conversation.Unexpected() }
        #expect(stopping.isStopping)
        #expect(talk.pass(16).killed == [task.taskID])
        talk.restart()
        #expect(talk.connect().killed == [task.taskID])
        _ = talk.report(task, .killed)
        #expect(talk.core.runs.isEmpty)
        #expect(talk.history[JobID("a")]?.failureCount == 1)
        #expect(talk.ask(.stop(JobID("a"), run.id)) == .refused(.unknownRun(JobID("a"), run.id)))
    }

    @Test func `a deleted job leaves nothing, and its tasks are ended`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        _ = talk.report(task, .running)
        #expect(talk.ask(.delete(JobID("a"), stopsRuns: false)) == .refused(.activeRuns(JobID("a"))))
        guard case .job = talk.ask(.delete(JobID("a"), stopsRuns: true)) else { throw Conversation.Unexpected() }
        #expect(talk.records.runs.isEmpty && talk.records.jobs.isEmpty && talk.records.histories.isEmpty)
        // The process ends before the kill was said; the next life finds the task and ends it.
        talk.restart()
        _ = talk.connect()
        #expect(talk.report(task, .running).killed == [task.taskID])
    }

    // MARK: restarts

    @Test func `a run in flight is asked for and not started again`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        talk.restart()
        #expect(talk.connect().asked.contains(task.taskID))
        #expect(talk.offer().launched.isEmpty)
        #expect(talk.pass(20).asked.contains(task.taskID))
        #expect(talk.offer().launched.isEmpty)
        _ = talk.report(task, .running)
        _ = talk.report(task, .finished)
        #expect(talk.history[JobID("a")]?.successCount == 1)
    }

    @Test func `a task that nobody knows for long enough is replaced, without a failure when it never began`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a"))
        _ = talk.connect()
        _ = try talk.start("a")
        let first = try #require(talk.offer().launched.first)
        talk.restart()
        _ = talk.connect()
        _ = talk.report(first, .unknown)
        #expect(talk.offer().launched.isEmpty)
        for _ in 0..<12 {
            _ = talk.pass(5)
            _ = talk.report(first, .unknown)
        }
        _ = talk.pass(1)
        let second = try #require(talk.offer().launched.first)
        #expect(second.taskID != first.taskID)
        _ = talk.report(second, .finished)
        #expect(talk.history[JobID("a")]?.successCount == 1)
        #expect(talk.history[JobID("a")]?.failureCount == 0)
    }

    @Test func `a task on an unreachable agent is waited for`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a", policy: .onFailure))
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        _ = talk.report(task, .running)
        _ = talk.report(task, .unreachable)
        _ = talk.pass(7_200)
        #expect(talk.offer(agent: "B").launched.isEmpty)
        _ = talk.report(task, .running)
        _ = talk.report(task, .finished)
        #expect(talk.history[JobID("a")]?.successCount == 1)
    }

    @Test func `when the framework was removed its tasks are gone`() throws {
        var talk = Conversation()
        talk.create(.sleeping("a", policy: .onFailure))
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        _ = talk.report(task, .running)
        _ = talk.tell(.removed)
        _ = talk.pass(2)
        _ = talk.connect()
        #expect(talk.offer().launched.first.map { $0.taskID != task.taskID } == true)
    }

    // MARK: placement and tasks

    @Test func `constraints look at attributes and host names`() throws {
        var talk = Conversation()
        var job = Job.sleeping("a")
        job.run.constraints = [
            PlacementConstraint(attribute: "rack", comparison: .same, value: "r1"),
            PlacementConstraint(attribute: "hostname", comparison: .like, value: "[ab]\\.test"),
            PlacementConstraint(attribute: "old", comparison: .unlike, value: "y.*"),
        ]
        talk.create(job)
        _ = talk.connect()
        _ = try talk.start("a")
        #expect(talk.offer(agent: "A").launched.isEmpty)
        #expect(talk.offer(agent: "A", attributes: [Attribute(text: "rack:r2")!]).launched.isEmpty)
        #expect(talk.offer(agent: "C", attributes: [Attribute(text: "rack:r1")!]).launched.isEmpty)
        let old = [Attribute(text: "rack:r1")!, Attribute(text: "old:yes")!]
        #expect(talk.offer(agent: "B", attributes: old).launched.isEmpty)
        #expect(talk.core.waiting.first?.shortage == "old UNLIKE y.*")
        #expect(talk.offer(agent: "B", attributes: [Attribute(text: "rack:r1")!]).launched.count == 1)
    }

    @Test func `the task carries the plan`() throws {
        var talk = Conversation()
        var job = Job.sleeping("a")
        job.labels = ["team": "x"]
        job.run.user = "nobody"
        job.run.killGrace = 9
        job.run.environment = ["A": .text("1"), "B": .secret("s")]
        job.run.secrets = ["s": "web/key", "f": "web/file"]
        job.run.volumes = [.secret(containerPath: "keys/f", name: "f")]
        job.run.artifacts = [.init(uri: "http://example.test/x.tgz", isExtracted: false)]
        #expect(job.defects().isEmpty)
        talk.create(job)
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        #expect(task.killGracePeriod == .seconds(9))
        #expect(task.labels == [Label(key: "team", value: "x")])
        #expect(task.command?.user == "nobody")
        #expect(task.command?.environment.map(\.name) == ["A", "B"])
        #expect(task.secrets.map(\.name) == ["web/key", "web/file"])
        #expect(task.command?.uris.first?.isExtracted == false)
        #expect(task.unsupported.isEmpty)
    }

    @Test func `a run's image becomes the task's container, and what reaches the host takes the right to be root`()
        throws
    {
        var job = Job.sleeping("a")
        job.run.command = nil
        job.run.arguments = ["-v", "x"]
        job.run.docker = .init(image: "tool:1", forcesPull: true, parameters: [.init(key: "user", value: "app")])
        #expect(job.run.accounts(framework: "jobs") == ["jobs", "app"])
        job.run.volumes = [.host(containerPath: "/d", hostPath: "/srv", isReadOnly: true)]
        job.run.networks = [.init(mode: .bridge)]
        #expect(job.run.accounts(framework: "jobs") == ["jobs", "app", "root"])
        var talk = Conversation()
        talk.create(job)
        _ = talk.connect()
        _ = try talk.start("a")
        let task = try #require(talk.offer().launched.first)
        let container = try #require(task.container)
        #expect(container.kind == .docker && container.image == "tool:1" && container.pullsAlways)
        #expect(container.network == .bridge && container.volumes.map(\.source) == [.host("/srv")])
        #expect(task.command?.value == nil && task.command?.arguments == ["-v", "x"])
        #expect(task.unsupported.isEmpty && container.defect == nil)
    }

    @Test func `history is bounded and the counts go on`() throws {
        var settings = JobsSettings()
        settings.historyKept = 3
        var talk = Conversation(settings: settings)
        talk.create(.sleeping("a"))
        _ = talk.connect()
        for round in 0..<8 {
            _ = try talk.start("a")
            _ = talk.pass(1)
            let task = try #require(talk.offer().launched.first)
            _ = talk.report(task, round % 2 == 0 ? .finished : .failed)
        }
        let history = try #require(talk.history[JobID("a")])
        #expect(history.successCount == 4)
        #expect(history.failureCount == 4)
        #expect(history.successes.count == 3 && history.failures.count == 3)
        #expect(talk.records.histories[JobID("a")] == history)
    }

    @Test func `limits refuse what would grow for ever`() throws {
        var settings = JobsSettings()
        settings.jobsMax = 2
        settings.runsPerJob = 3
        var talk = Conversation(settings: settings)
        talk.create(.sleeping("a"))
        talk.create(.sleeping("b"))
        guard case .refused(.limit) = talk.create(.sleeping("c")) else { throw Conversation.Unexpected() }
        for _ in 0..<3 { _ = try talk.start("a") }
        guard case .refused(.limit) = talk.ask(.start(JobID("a"))) else { throw Conversation.Unexpected() }
    }
}
