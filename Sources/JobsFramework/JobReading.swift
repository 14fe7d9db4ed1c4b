internal import ClusterModel
internal import FrameworkRuntime
internal import JobsCore
internal import Schedules

/// What is wrong with a body; empty lists are not thrown.
struct InvalidBody: Error {
    var defects: [FieldDefect]

    init(defects: [FieldDefect]) { self.defects = defects }
    init(_ defects: [JobDefect]) { self.defects = defects.map { FieldDefect($0.path, $0.message) } }
}

/// Jobs and schedules from Metronome's JSON. All that is wrong is said at once.
enum JobReading {
    /// A job. The id of the path, where there is one, replaces that of the body. In version 0 of the interface a job comes
    /// with its schedules.
    static func job(_ value: JSONValue, id: JobID?, takesSchedules: Bool) throws(InvalidBody) -> Job {
        var reader = FieldReader(value, at: "")
        if id == nil { reader.require("id") }
        reader.require("run")
        let ownID = reader.text("id")
        let plan = reader.one("run") { runPlan(&$0) }
        var job = Job(
            id: id ?? JobID(ownID ?? ""), run: plan ?? RunPlan(cpus: .zero, memory: .zero))
        job.summary = reader.text("description")
        job.labels = reader.texts("labels") ?? [:]
        job.dependencies =
            reader.each("dependencies") { reader in
                reader.require("id")
                return reader.text("id").map { JobID($0) }
            } ?? []
        let schedules = reader.each("schedules") { schedule(&$0, id: nil) }
        if takesSchedules {
            job.schedules = schedules ?? []
        } else if schedules?.isEmpty == false {
            reader.note("schedules", "belong to /v1/jobs/JOB/schedules, or to /v0/scheduled-jobs")
        }
        // Clients send back what they were shown.
        for name in ["activeRuns", "history", "historySummary"] { _ = reader.value(name) }
        let shape = reader.finished()
        guard shape.isEmpty else { throw InvalidBody(defects: shape) }
        let defects = job.defects()
        guard defects.isEmpty else { throw InvalidBody(defects) }
        return job
    }

    /// A schedule by itself; further fields are let pass, as Metronome does.
    static func schedule(_ value: JSONValue, id: String?) throws(InvalidBody) -> JobSchedule {
        var reader = FieldReader(value, at: "")
        let schedule = schedule(&reader, id: id)
        let defects = reader.finished(allowsMore: true)
        guard defects.isEmpty, let schedule else { throw InvalidBody(defects: defects) }
        let more = schedule.defects()
        guard more.isEmpty else { throw InvalidBody(more) }
        return schedule
    }

    private static func schedule(_ reader: inout FieldReader, id: String?) -> JobSchedule? {
        if id == nil { reader.require("id") }
        reader.require("cron")
        _ = reader.value("nextRunAt")
        let ownID = reader.text("id")
        let cron = reader.text("cron").flatMap { text -> CronExpression? in
            do throws(CronError) { return try CronExpression(text) } catch {
                reader.note("cron", "Can not read cron expression: \(error)")
                return nil
            }
        }
        let zone = reader.text("timezone")
        let deadline = reader.integer("startingDeadlineSeconds")
        let concurrency = reader.choice("concurrencyPolicy", JobSchedule.Concurrency.self)
        let isEnabled = reader.flag("enabled")
        guard let cron else { return nil }
        return JobSchedule(
            id: id ?? ownID ?? "", cron: cron, zone: zone ?? "UTC", startingDeadline: deadline ?? 900,
            concurrency: concurrency ?? .allow, isEnabled: isEnabled ?? true)
    }

    private static func runPlan(_ reader: inout FieldReader) -> RunPlan? {
        for name in ["cpus", "mem", "disk"] { reader.require(name) }
        var plan = RunPlan(
            cpus: reader.quantity("cpus") ?? .zero, memory: reader.quantity("mem") ?? .zero,
            disk: reader.quantity("disk") ?? .zero, command: reader.text("cmd"))
        plan.gpus = reader.integer("gpus") ?? 0
        plan.arguments = reader.list("args").map { list in
            list.enumerated().compactMap { index, value in
                if case .text(let text) = value { return text }
                reader.note("args(\(index))", "Wrong type. Expected string, was \(value.kind).")
                return nil
            }
        }
        plan.user = reader.text("user")
        plan.environment = environment(&reader)
        plan.constraints = reader.one("placement") { $0.each("constraints") { constraint(&$0) } } ?? []
        plan.artifacts = reader.each("artifacts") { artifact(&$0) } ?? []
        plan.maxLaunchDelay = reader.integer("maxLaunchDelay") ?? plan.maxLaunchDelay
        plan.docker = reader.one("docker") { docker(&$0) }
        plan.ucr = reader.one("ucr") { universal(&$0) }
        plan.volumes = reader.each("volumes") { volume(&$0) } ?? []
        plan.restart = reader.one("restart") { restart(&$0) } ?? plan.restart
        plan.killGrace = reader.number("taskKillGracePeriodSeconds").flatMap { Int(exactly: $0.rounded()) }
        plan.secrets = secrets(&reader)
        plan.networks = reader.each("networks") { network(&$0) } ?? []
        return plan
    }

    private static func environment(_ reader: inout FieldReader) -> [String: RunPlan.Variable] {
        var environment: [String: RunPlan.Variable] = [:]
        for (name, value) in (reader.object("env") ?? [:]).sorted(by: { $0.key < $1.key }) {
            if case .text(let text) = value {
                environment[name] = .text(text)
            } else if let secret = only("secret", of: value) {
                environment[name] = .secret(secret)
            } else {
                reader.note("env/" + name.prefix(64), "must be a string, or an object with the string 'secret'")
            }
        }
        return environment
    }

    /// The text of an object's only field.
    private static func only(_ name: String, of value: JSONValue) -> String? {
        guard case .object(let fields) = value, fields.count == 1, case .text(let text)? = fields[name] else {
            return nil
        }
        return text
    }

    private static func secrets(_ reader: inout FieldReader) -> [String: String] {
        var secrets: [String: String] = [:]
        for (name, value) in (reader.object("secrets") ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let source = only("source", of: value) {
                secrets[name] = source
            } else {
                reader.note("secrets/" + name.prefix(64), "must be an object with the string 'source'")
            }
        }
        return secrets
    }

    private static func constraint(_ reader: inout FieldReader) -> PlacementConstraint? {
        reader.require("attribute")
        reader.require("operator")
        let attribute = reader.text("attribute")
        let word = reader.text("operator")
        let value = reader.text("value")
        guard let attribute, let word else { return nil }
        // An older word of Metronome's.
        guard let comparison = PlacementConstraint.Operator(rawValue: word == "EQ" ? "IS" : word) else {
            reader.note(
                "operator", "'\(word.prefix(64))' is not a valid operator. Allowed values: EQ, IS, LIKE, UNLIKE")
            return nil
        }
        guard let value else {
            reader.note("value", "is required")
            return nil
        }
        return PlacementConstraint(attribute: attribute, comparison: comparison, value: value)
    }

    private static func artifact(_ reader: inout FieldReader) -> RunPlan.Artifact? {
        reader.require("uri")
        let uri = reader.text("uri")
        let artifact = RunPlan.Artifact(
            uri: uri ?? "", isExtracted: reader.flag("extract") ?? true,
            isExecutable: reader.flag("executable") ?? false, isCached: reader.flag("cache") ?? false)
        return uri == nil ? nil : artifact
    }

    private static func docker(_ reader: inout FieldReader) -> RunPlan.DockerImage? {
        reader.require("image")
        var image = RunPlan.DockerImage(image: reader.text("image") ?? "")
        image.forcesPull = reader.flag("forcePullImage") ?? false
        image.isPrivileged = reader.flag("privileged") ?? false
        image.parameters =
            reader.each("parameters") { reader in
                reader.require("key")
                reader.require("value")
                return RunPlan.DockerImage.Parameter(
                    key: reader.text("key") ?? "", value: reader.text("value") ?? "")
            } ?? []
        return image
    }

    private static func universal(_ reader: inout FieldReader) -> RunPlan.UniversalImage? {
        reader.require("image")
        let image = reader.one("image") { reader -> RunPlan.UniversalImage? in
            reader.require("id")
            let image = RunPlan.UniversalImage(
                image: reader.text("id") ?? "", kind: reader.text("kind") ?? "docker",
                forcesPull: reader.flag("forcePull") ?? false)
            if image.kind != "docker", image.kind != "appc" { reader.note("kind", "must be docker or appc") }
            return image
        }
        let isPrivileged = reader.flag("privileged") ?? false
        guard var image else { return nil }
        image.isPrivileged = isPrivileged
        return image
    }

    private static func volume(_ reader: inout FieldReader) -> RunPlan.Volume? {
        reader.require("containerPath")
        let path = reader.text("containerPath")
        let host = reader.text("hostPath")
        let mode = reader.text("mode")
        let secret = reader.text("secret")
        guard let path else { return nil }
        if path.isEmpty { reader.note("containerPath", "must not be empty") }
        if let secret, host == nil, mode == nil { return .secret(containerPath: path, name: secret) }
        guard let host, secret == nil, mode == "RO" || mode == "RW" else {
            reader.note("", "must have hostPath and mode (RO or RW), or secret")
            return nil
        }
        return .host(containerPath: path, hostPath: host, isReadOnly: mode == "RO")
    }

    private static func restart(_ reader: inout FieldReader) -> RunPlan.Restart? {
        reader.require("policy")
        let policy = reader.choice("policy", RunPlan.Restart.Policy.self)
        return RunPlan.Restart(policy: policy ?? .never, activeDeadline: reader.integer("activeDeadlineSeconds"))
    }

    private static func network(_ reader: inout FieldReader) -> RunPlan.Network? {
        reader.require("mode")
        let mode = reader.choice("mode", RunPlan.Network.Mode.self)
        let network = RunPlan.Network(
            name: reader.text("name"), mode: mode ?? .host, labels: reader.texts("labels") ?? [:])
        return mode == nil ? nil : network
    }
}
