internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo job add`.
struct JobAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a job from a file, or from a command.",
        discussion: """
            A file has a job in the form of Metronome, in JSON or in YAML, with its schedule in `schedules` if it has \
            one. Nothing runs before it is asked for or its time has come.

              rondo job add backup.yaml
              rondo job add --replace - < backup.json
              rondo job add night.backup --cron '30 2 * * *' --timezone Europe/Berlin -- tar cf /backup/etc.tar /etc
              rondo job add report --cpus 2 --mem 512 --cmd 'date; make -C /srv report' --env STAGE=live
              rondo job add import --image registry.example.org/tools:3 -- /bin/import --all

            The words after -- are one command; with --image they are the arguments of its entrypoint. A schedule's
            fields are minute, hour, day of month, month and day of week; a day must fit both day fields.
            """)

    @Argument(
        help: "A file (- is standard input), or the name of a job that --cmd, --image or words after -- describe.")
    var job: String
    @Option(help: ArgumentHelp("A line for the shell.", valueName: "line")) var cmd: String?
    @Option(help: ArgumentHelp("The container image to run.", valueName: "image")) var image: String?
    @Option(help: ArgumentHelp("Processors of a run. (default: 0.1)", valueName: "number")) var cpus: Double?
    @Option(help: ArgumentHelp("Memory of a run in MiB. (default: 32)", valueName: "MiB")) var mem: Double?
    @Option(help: ArgumentHelp("Disk of a run in MiB. (default: 0)", valueName: "MiB")) var disk: Double?
    @Option(help: ArgumentHelp("A variable for the command; may be repeated.", valueName: "NAME=value"))
    var env: [String] = []
    @Option(help: ArgumentHelp("The user that it runs as. (default: the cluster's)", valueName: "user")) var user:
        String?
    @Option(help: "What the job is for.") var description: String?
    @Flag(help: "When a run's task fails, start another one, with pauses that grow.") var restart = false
    @Option(help: ArgumentHelp("When it runs, such as '30 2 * * *'.", valueName: "times")) var cron: String?
    @Option(help: ArgumentHelp("Whose clocks, such as Europe/Berlin. (default: UTC)", valueName: "zone"))
    var timezone: String?
    @Flag(help: "Change the job when there is one of this name.") var replace = false
    @OptionGroup var client: ClientOptions
    @Argument(parsing: .postTerminator, help: "After --: the command and its arguments.") var command: [String] = []

    func run() async throws {
        let body = try body()
        guard case .object(let fields) = body, let name = fields["id"]?.text, !name.isEmpty else {
            throw ApplianceError(.usage, "\(job) has no job: a job is an object with the fields 'id' and 'run'")
        }
        // The interface of jobs alone does not touch schedules; version 0 takes both together.
        let path = fields["schedules"] == nil ? "/v1/jobs" : "/v0/scheduled-jobs"
        try await client.withClient { client in
            let jobs = JobClient(client)
            let bytes = try await keep(jobs, name, path, body)
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            let found = try await jobs.job(name, embed: ["schedules"]).0
            let next = found.schedules?.first { $0.enabled }?.nextRunAt
            Console.out(
                "job '\(name)' is kept; "
                    + (Words.time(next).map { "it runs next at \($0)" } ?? "`rondo job run \(name)` runs it"))
        }
    }

    private func keep(_ jobs: JobClient, _ name: String, _ path: String, _ body: JSONValue) async throws -> [UInt8] {
        if replace, let bytes = try await jobs.ask(.put, path + "/" + PathText.escaped(name), body: body) {
            return bytes
        }
        let answer = try await jobs.client.exchange(
            .post, JobClient.service + path, try body.encoded(), type: "application/json")
        if answer.status == 409, !replace {
            throw ApplianceError(.failure, "there is a job '\(name)' already; --replace changes it")
        }
        guard (200..<300).contains(answer.status) else {
            throw ClusterClient.refusal(answer.status, answer.bytes)
        }
        return answer.bytes
    }

    /// The job in Metronome's form.
    func body() throws -> JSONValue {
        guard cmd != nil || image != nil || !command.isEmpty else { return try fromFile() }
        guard cmd == nil || command.isEmpty else {
            throw ValidationError("either --cmd or words after --, but not both")
        }
        var run: [String: JSONValue] = [
            "cpus": .number(cpus ?? 0.1), "mem": .number(mem ?? 32), "disk": .number(disk ?? 0),
        ]
        if let image {
            run["docker"] = ["image": .text(image)]
            if !command.isEmpty { run["args"] = .list(command.map { .text($0) }) }
        } else if !command.isEmpty {
            run["cmd"] = .text(command.map(ShellWord.quoted).joined(separator: " "))
        }
        if let cmd { run["cmd"] = .text(cmd) }
        if let user { run["user"] = .text(user) }
        if !env.isEmpty { run["env"] = .object(try variables()) }
        if restart { run["restart"] = ["policy": "ON_FAILURE"] }
        var fields: [String: JSONValue] = ["id": .text(job), "run": .object(run)]
        if let description { fields["description"] = .text(description) }
        if let cron {
            fields["schedules"] = [
                ["id": "default", "cron": .text(cron), "timezone": .text(timezone ?? "UTC")]
            ]
        } else if timezone != nil {
            throw ValidationError("--timezone needs --cron")
        }
        return .object(fields)
    }

    private func variables() throws -> [String: JSONValue] {
        try env.reduce(into: [:]) { all, text in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("--env takes NAME=VALUE, such as LANG=C, not '\(text)'")
            }
            all[String(text[..<equals])] = .text(String(text[text.index(after: equals)...]))
        }
    }

    private func fromFile() throws -> JSONValue {
        let isAlone =
            cpus == nil && mem == nil && disk == nil && env.isEmpty && user == nil && description == nil && !restart
            && cron == nil && timezone == nil
        let looksLikeFile =
            job == "-" || job.contains("/") || [".json", ".yaml", ".yml"].contains { job.hasSuffix($0) }
        guard isAlone, looksLikeFile else {
            throw ValidationError(
                looksLikeFile
                    ? "a file says all of a job; leave the other options out, or name a job and say what it runs"
                    : "say what job '\(job)' runs with --cmd, --image or words after --, or name a file")
        }
        return try DescriptionFile.read(job)
    }
}

/// Words for a shell.
enum ShellWord {
    /// The word as it is where a shell leaves it alone, otherwise between single quotes.
    static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "_-./:=,+@%".utf8.contains(byte)
        }
        if isPlain, !word.isEmpty { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
