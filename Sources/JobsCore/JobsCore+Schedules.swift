public import ClusterModel
public import Schedules

extension JobsCore {
    /// When a schedule comes next, whether it is enabled or not; nil when its zone is not known or it never comes.
    public func nextTime(of schedule: JobSchedule) -> UnixTime? {
        zones[schedule.zone].flatMap { schedule.cron.next(after: now.wall, in: $0) }
    }

    /// The next times of a schedule, each with what clocks in its zone show then; none when its zone is not known.
    ///
    /// - Parameters:
    ///   - schedule: the schedule.
    ///   - count: how many at most.
    /// - Returns: the times, the next one first.
    public func nextTimes(of schedule: JobSchedule, _ count: Int) -> [(at: UnixTime, local: CivilTime)] {
        guard let zone = zones[schedule.zone] else { return [] }
        var times: [(at: UnixTime, local: CivilTime)] = []
        var after = now.wall
        while times.count < count, let next = schedule.cron.next(after: after, in: zone) {
            times.append((next, zone.civil(at: next)))
            after = next
        }
        return times
    }

    /// Works out when a job's schedule comes next.
    mutating func plan(_ id: JobID) {
        guard let state = jobs[id] else { return }
        var next: UnixTime?
        if let schedule = state.job.schedules.first, schedule.isEnabled, let zone = zones[schedule.zone] {
            // From what has been dealt with, so that what was missed is noticed.
            next = schedule.cron.next(after: state.marks.scheduledThrough ?? now.wall, in: zone)
        }
        jobs[id]?.next = next
    }

    mutating func runSchedules() {
        let due = jobs.values.filter { $0.next.map { $0 <= now.wall } ?? false }.map(\.job.id).sorted()
        for id in due { runSchedule(of: id) }
    }

    /// The time of a job's schedule has come, or several have.
    private mutating func runSchedule(of id: JobID) {
        guard let state = jobs[id], let schedule = state.job.schedules.first, let zone = zones[schedule.zone],
            let first = state.next
        else { return }
        let time = schedule.cron.previous(before: now.wall + .nanoseconds(1), in: zone) ?? first
        var marks = state.marks
        marks.scheduledThrough = max(time, first)
        jobs[id]?.marks = marks
        begin()
        change(.putMarks(id, marks))
        let startBy = time + .seconds(schedule.startingDeadline)
        if now.wall > startBy {
            say(.publish(.skipped(id, time, .late)))
        } else if schedule.concurrency == .forbid, !state.active.isEmpty {
            say(.publish(.skipped(id, time, .forbidden)))
        } else if state.active.count >= settings.runsPerJob {
            say(.publish(.skipped(id, time, .limit)))
        } else {
            _ = makeRun(of: state.job, scheduledFor: time, startBy: startBy)
        }
        plan(id)
    }
}
