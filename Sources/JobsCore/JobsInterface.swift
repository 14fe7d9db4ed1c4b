public import ClusterModel
public import Schedules

/// All that can happen to the jobs. Every input goes through one inbox, one at a time.
public enum JobsInput: Sendable {
    /// The event stream is open; the framework has this id.
    case connected(FrameworkID)
    /// The event stream has ended. Offers are void with it.
    case disconnected
    /// The master does not know the framework any more: its tasks are gone, and the next subscription is a new one's.
    case removed
    /// Resources to use.
    case offers([Offer])
    /// An offer is void.
    case rescind(OfferID)
    /// A task's state changed, or was asked for.
    case update(TaskStatus)
    /// Somebody wants something; the number comes back with the reply.
    case command(UInt64, JobsCommand)
    /// `nextDeadline` has come.
    case tick
}

/// What people and programs want of the jobs. Whoever hands in a schedule hands in the rules of its zone, too.
public enum JobsCommand: Sendable {
    /// Makes a job.
    case create(Job, TimeZoneRules?)
    /// Changes a job; its schedules stay when the rules are absent and `keepsSchedules` is set.
    case replace(Job, keepsSchedules: Bool, TimeZoneRules?)
    /// Deletes a job; one that runs only when its runs are to be ended.
    case delete(JobID, stopsRuns: Bool)
    /// Gives a job a schedule.
    case addSchedule(JobID, JobSchedule, TimeZoneRules)
    /// Changes a schedule of a job.
    case replaceSchedule(JobID, JobSchedule, TimeZoneRules)
    /// Takes a schedule from a job.
    case deleteSchedule(JobID, String)
    /// Starts a run now, whatever schedules say.
    case start(JobID)
    /// Ends a run.
    case stop(JobID, RunID)
}

/// The answer to a command, once what it means is durable.
public enum JobsReply: Hashable, Sendable {
    /// The job as it is now, or as it was when it was deleted.
    case job(Job)
    /// The schedule as it is now, and when it comes next.
    case schedule(JobSchedule, next: UnixTime?)
    /// The run as it is now.
    case run(JobRun)
    /// Carried out.
    case done
    /// Not carried out.
    case refused(JobsRefusal)
}

/// Why a command is not carried out.
public enum JobsRefusal: Hashable, Sendable {
    /// There is a job with this id.
    case jobExists(JobID)
    /// There is no such job.
    case unknownJob(JobID)
    /// The job has no such schedule.
    case unknownSchedule(String)
    /// The job has no such run, or it has ended.
    case unknownRun(JobID, RunID)
    /// The job has a schedule with this id.
    case scheduleExists(String)
    /// The job has a schedule, and there can be only one.
    case oneSchedule
    /// The job runs.
    case activeRuns(JobID)
    /// Other jobs depend on it.
    case dependents(JobID, [JobID])
    /// It does not fit the other jobs; the text says how.
    case invalid(String)
    /// A limit is reached; the text says which.
    case limit(String)
}

/// What the driver must do once the turn's changes are durable, in this order.
public enum JobsEffect: Hashable, Sendable {
    /// Say something to the master.
    case call(SchedulerCall)
    /// Answer a command.
    case reply(UInt64, JobsReply)
    /// Tell those who watch, and the log.
    case publish(JobsEvent)
}

/// What has happened to jobs, for logs and watchers.
public enum JobsEvent: Hashable, Sendable {
    /// A job was made or changed.
    case jobChanged(JobID)
    /// A job was deleted.
    case jobDeleted(JobID)
    /// A run was made.
    case runStarted(JobID, RunID)
    /// A run's status or task changed.
    case runUpdated(JobID, RunID, JobRun.Status)
    /// A run ended; the text says why when it failed.
    case runEnded(JobID, RunID, JobRun.Status, String?)
    /// A time of a schedule passed without a run.
    case skipped(JobID, UnixTime, Skip)

    /// Why a time of a schedule passed without a run.
    public enum Skip: String, Hashable, Sendable {
        /// It was noticed after its starting deadline.
        case late = "the starting deadline had passed"
        /// The last run had not ended, and the policy is FORBID.
        case forbidden = "the last run had not ended"
        /// The job has as many runs as it may have.
        case limit = "the job has too many active runs"
    }
}

/// A change to what must not be forgotten.
public enum JobsChange: Hashable, Sendable {
    /// A job is new or changed.
    case putJob(Job)
    /// What goes with a job.
    case putMarks(JobID, JobMarks)
    /// What became of its runs.
    case putHistory(JobID, JobHistory)
    /// A job, its marks, its history and all its runs are gone.
    case removeJob(JobID)
    /// A run is new or changed.
    case putRun(JobRun)
    /// A run has ended.
    case removeRun(JobID, RunID)
}

/// All that is remembered when the jobs are loaded.
public struct JobsRecords: Sendable {
    /// The jobs.
    public var jobs: [Job] = []
    /// What goes with them.
    public var marks: [JobID: JobMarks] = [:]
    /// What became of their runs.
    public var histories: [JobID: JobHistory] = [:]
    /// Runs that have not ended.
    public var runs: [JobRun] = []

    /// Nothing.
    public init() {}

    /// Applies a change, as the store does.
    public mutating func apply(_ change: JobsChange) {
        switch change {
        case .putJob(let job):
            jobs.removeAll { $0.id == job.id }
            jobs.append(job)
        case .putMarks(let id, let marks): self.marks[id] = marks
        case .putHistory(let id, let history): histories[id] = history
        case .removeJob(let id):
            jobs.removeAll { $0.id == id }
            marks[id] = nil
            histories[id] = nil
            runs.removeAll { $0.job.id == id }
        case .putRun(let run):
            runs.removeAll { $0.id == run.id }
            runs.append(run)
        case .removeRun(_, let id): runs.removeAll { $0.id == id }
        }
    }
}

/// What one input led to: first all changes become durable, then the effects are carried out in order.
public struct JobsTurn: Sendable {
    /// To be stored in order. The changes of one element belong together: they are stored in one transaction.
    public var transactions: [[JobsChange]] = []
    /// To be carried out after that, in order.
    public var effects: [JobsEffect] = []
    /// Contradictions found inside; empty unless there is a bug. To be logged as errors.
    public var faults: [String] = []
}

/// Timing and limits of the jobs.
public struct JobsSettings: Hashable, Sendable {
    /// Jobs that there may be.
    public var jobsMax = 10_000
    /// Runs of one job that may be under way.
    public var runsPerJob = 256
    /// Jobs that may depend on one, and on which one may depend: what happens to them is one transaction.
    public var dependentsMax = 32
    /// Ended runs of each sort that are described per job; the counts go on.
    public var historyKept = 100
    /// How long the first task after a failed one waits; each further wait is twice as long.
    public var restartDelay: Duration = .seconds(1)
    /// The longest wait between tasks of a run.
    public var restartDelayMax: Duration = .seconds(300)
    /// How often tasks that nobody has spoken of since the stream was opened are asked for.
    public var askInterval: Duration = .seconds(5)
    /// How long the master must say that it does not know a task before it counts as gone. Longer outlasts longer
    /// partitions of an agent together with a restart of the master; shorter replaces lost tasks sooner.
    public var unknownFor: Duration = .seconds(60)
    /// How often all tasks are asked for, so that one that nobody knows here is found and ended.
    public var sweepInterval: Duration = .seconds(600)
    /// How often a kill is repeated while its task has not ended.
    public var killInterval: Duration = .seconds(15)
    /// The clock on the wall is looked at this often while there are schedules: it may jump.
    public var clockInterval: Duration = .seconds(30)

    /// Production defaults.
    public init() {}
}
