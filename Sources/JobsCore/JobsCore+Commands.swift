internal import ClusterModel
internal import Schedules

extension JobsCore {
    mutating func perform(_ command: JobsCommand) -> JobsReply {
        switch command {
        case .create(let job, let rules): create(job, rules)
        case .replace(let job, let keeps, let rules): replace(job, keepsSchedules: keeps, rules)
        case .delete(let id, let stopsRuns): delete(id, stopsRuns: stopsRuns)
        case .addSchedule(let id, let schedule, let rules): add(schedule, to: id, rules)
        case .replaceSchedule(let id, let schedule, let rules): replace(schedule, of: id, rules)
        case .deleteSchedule(let id, let schedule): deleteSchedule(schedule, of: id)
        case .start(let id): start(id)
        case .stop(let id, let run): stop(run, of: id)
        }
    }

    // MARK: jobs

    private mutating func create(_ job: Job, _ rules: TimeZoneRules?) -> JobsReply {
        if jobs[job.id] != nil { return .refused(.jobExists(job.id)) }
        if jobs.count >= settings.jobsMax {
            return .refused(.limit("there are \(settings.jobsMax) jobs; delete some that are not needed"))
        }
        if let problem = dependencyProblem(job) { return .refused(.invalid(problem)) }
        learn(rules, for: job)
        var marks = JobMarks()
        marks.scheduledThrough = job.schedules.isEmpty ? nil : now.wall
        jobs[job.id] = JobState(job: job, marks: marks, history: JobHistory())
        for parent in job.dependencies { dependents[parent, default: []].insert(job.id) }
        begin()
        change(.putJob(job))
        change(.putMarks(job.id, marks))
        plan(job.id)
        say(.publish(.jobChanged(job.id)))
        return .job(job)
    }

    private mutating func replace(_ new: Job, keepsSchedules: Bool, _ rules: TimeZoneRules?) -> JobsReply {
        guard let state = jobs[new.id] else { return .refused(.unknownJob(new.id)) }
        var job = new
        if keepsSchedules { job.schedules = state.job.schedules }
        if !job.schedules.isEmpty, !job.dependencies.isEmpty {
            return .refused(.invalid("Jobs may not have both dependencies and schedules specified"))
        }
        if let problem = dependencyProblem(job) { return .refused(.invalid(problem)) }
        for parent in state.job.dependencies { dependents[parent]?.remove(job.id) }
        for parent in job.dependencies { dependents[parent, default: []].insert(job.id) }
        learn(rules, for: job)
        var marks = state.marks
        marks.satisfied.removeAll { !job.dependencies.contains($0) }
        // Another schedule begins now; times that the old one missed are nobody's.
        if job.schedules != state.job.schedules { marks.scheduledThrough = job.schedules.isEmpty ? nil : now.wall }
        jobs[job.id]?.job = job
        jobs[job.id]?.marks = marks
        begin()
        change(.putJob(job))
        if marks != state.marks { change(.putMarks(job.id, marks)) }
        plan(job.id)
        startIfSatisfied(job.id)
        say(.publish(.jobChanged(job.id)))
        return .job(job)
    }

    private mutating func delete(_ id: JobID, stopsRuns: Bool) -> JobsReply {
        guard let state = jobs[id] else { return .refused(.unknownJob(id)) }
        if !state.active.isEmpty, !stopsRuns { return .refused(.activeRuns(id)) }
        if let children = dependents[id], !children.isEmpty { return .refused(.dependents(id, children.sorted())) }
        begin()
        change(.removeJob(id))
        for run in state.active {
            if let task = runs[run]?.liveTask {
                // Nobody waits for its end any more but the killing.
                tasks[task.id]?.run = nil
                kill(task.id)
            }
            runs[run] = nil
            clocks[run] = nil
            idle.remove(run)
            say(.publish(.runEnded(id, run, .failed, "its job was deleted")))
        }
        for parent in state.job.dependencies { dependents[parent]?.remove(id) }
        jobs[id] = nil
        say(.publish(.jobDeleted(id)))
        return .job(state.job)
    }

    /// Says what is wrong with a job's dependencies among the other jobs.
    private func dependencyProblem(_ job: Job) -> String? {
        let unknown = job.dependencies.filter { jobs[$0] == nil && $0 != job.id }
        if !unknown.isEmpty {
            return "Dependencies contain unknown jobs. unknown=[\(unknown.map(\.value).joined(separator: ", "))]"
        }
        for parent in job.dependencies {
            let others = (dependents[parent] ?? []).subtracting([job.id])
            if others.count >= settings.dependentsMax {
                return "\(settings.dependentsMax) jobs depend on \(parent) already, which is the most"
            }
        }
        // From its dependencies upwards; whoever finds the job itself has gone round in a circle.
        var open = job.dependencies
        var seen: Set<JobID> = []
        while let next = open.popLast() {
            if next == job.id { return "Dependencies have a cycle." }
            if seen.insert(next).inserted { open += jobs[next]?.job.dependencies ?? [] }
        }
        return nil
    }

    // MARK: schedules

    private mutating func add(_ schedule: JobSchedule, to id: JobID, _ rules: TimeZoneRules) -> JobsReply {
        guard let state = jobs[id] else { return .refused(.unknownJob(id)) }
        if state.job.schedules.contains(where: { $0.id == schedule.id }) {
            return .refused(.scheduleExists(schedule.id))
        }
        if !state.job.schedules.isEmpty { return .refused(.oneSchedule) }
        return set([schedule], schedule, of: state, rules)
    }

    private mutating func replace(_ schedule: JobSchedule, of id: JobID, _ rules: TimeZoneRules) -> JobsReply {
        guard let state = jobs[id] else { return .refused(.unknownJob(id)) }
        guard state.job.schedules.contains(where: { $0.id == schedule.id }) else {
            return .refused(.unknownSchedule(schedule.id))
        }
        return set([schedule], schedule, of: state, rules)
    }

    private mutating func set(
        _ schedules: [JobSchedule], _ schedule: JobSchedule, of state: JobState, _ rules: TimeZoneRules
    ) -> JobsReply {
        var job = state.job
        job.schedules = schedules
        if case .refused(let refusal) = replace(job, keepsSchedules: false, rules) { return .refused(refusal) }
        return .schedule(schedule, next: nextTime(of: schedule))
    }

    private mutating func deleteSchedule(_ schedule: String, of id: JobID) -> JobsReply {
        guard let state = jobs[id] else { return .refused(.unknownJob(id)) }
        guard state.job.schedules.contains(where: { $0.id == schedule }) else {
            return .refused(.unknownSchedule(schedule))
        }
        var job = state.job
        job.schedules.removeAll { $0.id == schedule }
        if case .refused(let refusal) = replace(job, keepsSchedules: false, nil) { return .refused(refusal) }
        return .done
    }

    private mutating func learn(_ rules: TimeZoneRules?, for job: Job) {
        if let rules, let zone = job.schedules.first?.zone { zones[zone] = rules }
    }

    // MARK: runs

    private mutating func start(_ id: JobID) -> JobsReply {
        guard let state = jobs[id] else { return .refused(.unknownJob(id)) }
        if state.active.count >= settings.runsPerJob {
            return .refused(.limit("the job has \(settings.runsPerJob) active runs; stop some, or wait"))
        }
        begin()
        return .run(makeRun(of: state.job))
    }

    private mutating func stop(_ id: RunID, of job: JobID) -> JobsReply {
        guard jobs[job] != nil else { return .refused(.unknownJob(job)) }
        guard let run = runs[id], run.job.id == job else { return .refused(.unknownRun(job, id)) }
        return .run(stop(run))
    }
}
