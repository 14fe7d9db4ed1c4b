internal import ClusterModel
internal import FrameworkRuntime
internal import JobsCore
internal import Schedules

/// Jobs, runs, schedules and histories in Metronome's JSON.
///
/// Fields that came with later releases of Metronome are left out while they say nothing: clients of earlier ones stop
/// at a field that they do not know.
extension JSONText {
    /// The fields of a job without what belongs to it.
    mutating func job(_ job: Job) {
        field("id", job.id.value)
        field("description", job.summary)
        if !job.dependencies.isEmpty {
            list("dependencies") { json in
                for parent in job.dependencies { json.object { $0.field("id", parent.value) } }
            }
        }
        object("labels") { json in
            for (key, value) in job.labels.sorted(by: { $0.key < $1.key }) { json.field(key, value) }
        }
        object("run") { $0.plan(job.run) }
    }

    private mutating func plan(_ plan: RunPlan) {
        field("cpus", plan.cpus.value)
        field("mem", plan.memory.value)
        field("disk", plan.disk.value)
        if plan.gpus != 0 { field("gpus", plan.gpus) }
        field("cmd", plan.command)
        if let arguments = plan.arguments {
            list("args") { json in for argument in arguments { json.text(argument) } }
        }
        field("user", plan.user)
        object("env") { json in
            for (name, value) in plan.environment.sorted(by: { $0.key < $1.key }) {
                switch value {
                case .text(let text): json.field(name, text)
                case .secret(let secret): json.object(name) { $0.field("secret", secret) }
                }
            }
        }
        object("placement") { json in
            json.list("constraints") { json in
                for constraint in plan.constraints {
                    json.object { json in
                        json.field("attribute", constraint.attribute)
                        json.field("operator", constraint.comparison.rawValue)
                        json.field("value", constraint.value)
                    }
                }
            }
        }
        list("artifacts") { json in
            for artifact in plan.artifacts {
                json.object { json in
                    json.field("uri", artifact.uri)
                    json.field("extract", artifact.isExtracted)
                    json.field("executable", artifact.isExecutable)
                    json.field("cache", artifact.isCached)
                }
            }
        }
        field("maxLaunchDelay", plan.maxLaunchDelay)
        images(plan)
        volumes(plan)
        object("restart") { json in
            json.field("policy", plan.restart.policy.rawValue)
            json.field("activeDeadlineSeconds", plan.restart.activeDeadline)
        }
        field("taskKillGracePeriodSeconds", plan.killGrace)
        if !plan.secrets.isEmpty {
            object("secrets") { json in
                for (name, source) in plan.secrets.sorted(by: { $0.key < $1.key }) {
                    json.object(name) { $0.field("source", source) }
                }
            }
        }
        networks(plan)
    }

    private mutating func images(_ plan: RunPlan) {
        if let docker = plan.docker {
            object("docker") { json in
                json.field("image", docker.image)
                if docker.isPrivileged { json.field("privileged", true) }
                if docker.forcesPull { json.field("forcePullImage", true) }
                if docker.parameters.isEmpty { return }
                json.list("parameters") { json in
                    for parameter in docker.parameters {
                        json.object { json in
                            json.field("key", parameter.key)
                            json.field("value", parameter.value)
                        }
                    }
                }
            }
        }
        if let ucr = plan.ucr {
            object("ucr") { json in
                json.object("image") { json in
                    json.field("id", ucr.image)
                    json.field("kind", ucr.kind)
                    json.field("forcePull", ucr.forcesPull)
                }
                json.field("privileged", ucr.isPrivileged)
            }
        }
    }

    private mutating func volumes(_ plan: RunPlan) {
        list("volumes") { json in
            for volume in plan.volumes {
                json.object { json in
                    switch volume {
                    case .host(let containerPath, let hostPath, let isReadOnly):
                        json.field("containerPath", containerPath)
                        json.field("hostPath", hostPath)
                        json.field("mode", isReadOnly ? "RO" : "RW")
                    case .secret(let containerPath, let name):
                        json.field("containerPath", containerPath)
                        json.field("secret", name)
                    }
                }
            }
        }
    }

    private mutating func networks(_ plan: RunPlan) {
        if plan.networks.isEmpty { return }
        list("networks") { json in
            for network in plan.networks {
                json.object { json in
                    json.field("name", network.name)
                    json.field("mode", network.mode.rawValue)
                    guard !network.labels.isEmpty else { return }
                    json.object("labels") { json in
                        for (key, value) in network.labels.sorted(by: { $0.key < $1.key }) { json.field(key, value) }
                    }
                }
            }
        }
    }

    mutating func schedule(_ schedule: JobSchedule, next: UnixTime?) {
        field("id", schedule.id)
        field("cron", schedule.cron.text)
        field("timezone", schedule.zone)
        field("startingDeadlineSeconds", schedule.startingDeadline)
        field("concurrencyPolicy", schedule.concurrency.rawValue)
        field("enabled", schedule.isEnabled)
        date("nextRunAt", next)
    }

    mutating func run(_ run: JobRun) {
        field("id", run.id.value)
        field("jobId", run.job.id.value)
        field("status", run.status.rawValue)
        date("createdAt", run.createdAt)
        date("completedAt", run.completedAt)
        list("tasks") { json in
            for task in run.tasks {
                json.object { json in
                    json.field("id", task.id.value)
                    json.date("startedAt", task.startedAt)
                    if let end = task.completedAt { json.date("completedAt", end) }
                    json.field("status", Self.word(task))
                }
            }
        }
    }

    /// A task's state in the words that Metronome has for it, and its clients with it.
    private static func word(_ task: RunTask) -> String {
        switch task.state {
        case .staging: task.isConfirmed ? "TASK_STAGING" : "TASK_CREATED"
        case .starting, .finished, .failed, .killed: task.state.wireName
        // What cannot be reached may be running; a run waits for it as for one that runs.
        case .running, .killing, .unreachable, .unknown: "TASK_RUNNING"
        case .lost, .error, .dropped, .gone, .goneByOperator: "TASK_FAILED"
        }
    }

    mutating func summary(_ history: JobHistory) {
        field("successCount", history.successCount)
        field("failureCount", history.failureCount)
        date("lastSuccessAt", history.lastSuccessAt)
        date("lastFailureAt", history.lastFailureAt)
    }

    mutating func history(_ history: JobHistory) {
        summary(history)
        list("successfulFinishedRuns") { json in for entry in history.successes { json.entry(entry) } }
        list("failedFinishedRuns") { json in for entry in history.failures { json.entry(entry) } }
    }

    private mutating func entry(_ entry: JobHistory.Entry) {
        object { json in
            json.field("id", entry.id.value)
            json.date("createdAt", entry.createdAt)
            json.date("finishedAt", entry.finishedAt)
            json.list("tasks") { json in for task in entry.tasks { json.text(task.value) } }
        }
    }

    /// A time, or null where there is none, as Metronome has it.
    private mutating func date(_ name: String, _ time: UnixTime?) {
        if let time { field(name, JobsDate.text(time)) } else { null(name) }
    }
}
