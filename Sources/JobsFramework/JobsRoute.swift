internal import ClusterModel
internal import HTTPTypes
internal import JobsCore

/// What a path of Metronome's interface leads to.
enum JobsRoute: Hashable, Sendable {
    case ping
    case info
    case leader
    case queue
    case jobs
    case job(JobID)
    case schedules(JobID)
    case schedule(JobID, String)
    case runs(JobID)
    case run(JobID, RunID)
    case stop(JobID, RunID)
    /// Jobs together with their schedules: version 0.
    case scheduledJobs
    case scheduledJob(JobID)

    /// - Parameter path: the segments after `/service/metronome`.
    init?(_ path: [String]) {
        switch path.first {
        case "ping" where path.count == 1: self = .ping
        case "info" where path.count == 1: self = .info
        case "leader" where path.count == 1: self = .leader
        case "v0" where path.count >= 2 && path[1] == "scheduled-jobs":
            switch path.count {
            case 2: self = .scheduledJobs
            case 3: self = .scheduledJob(JobID(path[2]))
            default: return nil
            }
        case "v1":
            guard let route = Self.first(Array(path.dropFirst())) else { return nil }
            self = route
        default: return nil
        }
    }

    private static func first(_ path: [String]) -> JobsRoute? {
        switch (path.first, path.count) {
        case ("ping", 1): return .ping
        case ("info", 1): return .info
        case ("queue", 1): return .queue
        case ("jobs", 1): return .jobs
        case ("jobs", 2): return .job(JobID(path[1]))
        case ("jobs", 3) where path[2] == "schedules": return .schedules(JobID(path[1]))
        case ("jobs", 4) where path[2] == "schedules": return .schedule(JobID(path[1]), path[3])
        case ("jobs", 3) where path[2] == "runs": return .runs(JobID(path[1]))
        case ("jobs", 4) where path[2] == "runs": return .run(JobID(path[1]), RunID(path[3]))
        case ("jobs", 6) where path[2] == "runs" && path[4] == "actions" && path[5] == "stop":
            return .stop(JobID(path[1]), RunID(path[3]))
        default: return nil
        }
    }

    /// The methods that it answers; HEAD goes with GET.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .ping, .info, .leader, .queue, .run: [.get, .head]
        case .jobs, .schedules, .runs: [.get, .head, .post]
        case .job, .schedule: [.get, .head, .put, .delete]
        case .stop, .scheduledJobs: [.post]
        case .scheduledJob: [.put]
        }
    }
}
