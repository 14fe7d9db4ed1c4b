internal import ClusterModel
internal import Schedules

extension JobsCore {
    /// Makes a run within the open transaction.
    mutating func makeRun(of job: Job, scheduledFor: UnixTime? = nil, startBy: UnixTime? = nil) -> JobRun {
        let run = JobRun(
            id: newRunID(), job: job, createdAt: now.wall, scheduledFor: scheduledFor, startBy: startBy)
        runs[run.id] = run
        jobs[job.id]?.active.append(run.id)
        clocks[run.id] = RunClock(notBefore: now.elapsed, launchBy: launchDeadline(of: run))
        idle.insert(run.id)
        wantsRevival = true
        change(.putRun(run))
        // What waits for this job waits for this run now.
        for child in dependents[job.id] ?? [] { unsatisfy(job.id, of: child) }
        say(.publish(.runStarted(job.id, run.id)))
        return run
    }

    /// When a run that nothing was heard of has failed.
    func launchDeadline(of run: JobRun) -> Duration? {
        guard run.status == .starting else { return nil }
        var by = run.createdAt + .seconds(run.job.run.maxLaunchDelay)
        if let startBy = run.startBy { by = min(by, startBy) }
        let (left, overflow) = by.nanoseconds.subtractingReportingOverflow(now.wall.nanoseconds)
        return overflow ? nil : now.elapsed + .nanoseconds(max(0, left))
    }

    /// The time, and five characters of chance, as Metronome names runs.
    private mutating func newRunID() -> RunID {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
        let time = TimeZoneRules.utc.civil(at: now.wall)
        let date = time.date
        let begin =
            "\(date.year)\(two(date.month))\(two(date.day))\(two(time.hour))\(two(time.minute))\(two(time.second))"
        while true {
            var text = begin
            for _ in 0..<5 { text.append(letters[Int(chance.next() % UInt64(letters.count))]) }
            if runs[RunID(text)] == nil { return RunID(text) }
        }
    }

    /// Stores a run that has changed.
    mutating func put(_ run: JobRun) {
        runs[run.id] = run
        change(.putRun(run))
        say(.publish(.runUpdated(run.job.id, run.id, run.status)))
    }

    /// Ends a run: at once when nothing of it can run, otherwise as soon as its task has ended.
    @discardableResult
    mutating func stop(_ run: JobRun) -> JobRun {
        var run = run
        guard let task = run.liveTask else { return finish(run, .failed, "it was stopped") }
        if !run.isStopping {
            run.isStopping = true
            begin()
            put(run)
        }
        kill(task.id)
        return run
    }

    mutating func kill(_ task: TaskID) {
        guard let clock = tasks[task] else { return }
        tasks[task]?.killAt = now.elapsed + settings.killInterval
        call(.kill(task: task, agent: clock.agent, gracePeriod: nil))
    }

    /// The task that a run had is over. Whether that counts as a failed attempt is the caller's to say: it does not when
    /// the task was never started.
    mutating func attemptEnded(_ ended: JobRun, failed: Bool, _ reason: String) {
        var run = ended
        if failed { run.failures += 1 }
        if run.isStopping {
            finish(run, .failed, "it was stopped")
            return
        }
        let plan = run.job.run
        let inTime = plan.restart.activeDeadline.map { now.wall < run.createdAt + .seconds($0) } ?? true
        guard !failed || plan.restart.policy == .onFailure && inTime else {
            finish(run, .failed, reason)
            return
        }
        var wait = settings.restartDelay
        if failed { for _ in 1..<min(max(run.failures, 1), 20) { wait = min(wait * 2, settings.restartDelayMax) } }
        clocks[run.id]?.notBefore = now.elapsed + wait
        clocks[run.id]?.launchBy = now.elapsed + wait + .seconds(plan.maxLaunchDelay)
        if !failed, let by = launchDeadline(of: run) { clocks[run.id]?.launchBy = by }
        begin()
        put(run)
    }

    /// A run has ended.
    @discardableResult
    mutating func finish(_ ended: JobRun, _ status: JobRun.Status, _ reason: String?) -> JobRun {
        var run = ended
        let id = run.job.id
        run.status = status
        run.completedAt = now.wall
        runs[run.id] = nil
        clocks[run.id] = nil
        idle.remove(run.id)
        begin()
        change(.removeRun(id, run.id))
        if jobs[id] != nil {
            jobs[id]?.active.removeAll { $0 == run.id }
            jobs[id]?.history.add(run, at: now.wall, kept: settings.historyKept)
            if let history = jobs[id]?.history { change(.putHistory(id, history)) }
        }
        say(.publish(.runEnded(id, run.id, status, reason)))
        let isLast = jobs[id]?.active.isEmpty ?? false
        for child in (dependents[id] ?? []).sorted() {
            if status == .success, isLast {
                satisfy(id, of: child)
                startIfSatisfied(child)
            } else {
                unsatisfy(id, of: child)
            }
        }
        // Its dependencies may have succeeded while it ran.
        startIfSatisfied(id)
        return run
    }

    // MARK: dependencies

    private mutating func satisfy(_ parent: JobID, of child: JobID) {
        guard var marks = jobs[child]?.marks, !marks.satisfied.contains(parent) else { return }
        marks.satisfied.append(parent)
        jobs[child]?.marks = marks
        change(.putMarks(child, marks))
    }

    private mutating func unsatisfy(_ parent: JobID, of child: JobID) {
        guard let marks = jobs[child]?.marks, marks.satisfied.contains(parent) else { return }
        jobs[child]?.marks.satisfied.removeAll { $0 == parent }
        lateMarks.insert(child)
    }

    /// Starts a job when all that it depends on has succeeded since it was started for that the last time, within the
    /// open transaction.
    mutating func startIfSatisfied(_ id: JobID) {
        guard let state = jobs[id], !state.job.dependencies.isEmpty, state.active.isEmpty,
            state.job.dependencies.allSatisfy(state.marks.satisfied.contains)
        else { return }
        var marks = state.marks
        marks.satisfied = []
        jobs[id]?.marks = marks
        change(.putMarks(id, marks))
        _ = makeRun(of: state.job)
    }
}
