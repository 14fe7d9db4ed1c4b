internal import CLinux
internal import Glibc

/// `state`, `list` and `ps`: what there is.
enum QueryCommands {
    static let state = RuntimeCommand(
        name: "state", summary: "print the state of a container", arguments: "<container-id>",
        arity: .exactly(1), flags: [], examples: [("state web", "as JSON")],
        run: { context throws(RuntimeFailure) in
            var record = try context.state.load(context.id)
            var status = context.state.status(of: record)
            // Who asks now wants to know what becomes of it; a hook, which create waits for, gets its answer too.
            for _ in 0..<50 where status == .creating {
                var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
                nanosleep(&pause, nil)
                record = try context.state.load(context.id)
                status = context.state.status(of: record)
            }
            return try Output.write(record.state(status).text(indent: 2) + "\n")
        })

    static let list = RuntimeCommand(
        name: "list", summary: "list the containers", arguments: "", arity: .exactly(0),
        flags: [
            Flag("format", "f", help: "table or json (default: table)"),
            Flag("quiet", "q", kind: .switched, help: "only their ids"),
        ],
        examples: [("list", "as a table"), ("list --format json", "for programs")],
        run: { context throws(RuntimeFailure) in
            let states = context.state
            var containers: [(record: ContainerRecord, status: ContainerStatus)] = []
            for (id, result) in try states.all() {
                switch result {
                case .success(let record): containers.append((record, states.status(of: record)))
                // Being made or removed right now, or half made by a create that was killed.
                case .failure(.containerMissing): continue
                case .failure(let failure): context.log.error("load container \(id): \(failure.message)")
                }
            }
            if context.flags.flag("quiet") {
                return try Output.write(containers.map { $0.record.id + "\n" }.joined())
            }
            switch context.flags.text("format") {
            case nil, "table"?: return try Output.write(table(containers, in: states))
            case "json"?:
                let values = containers.map { $0.record.state($0.status, owner: owner(of: $0.record, in: states)) }
                return try Output.write((values.isEmpty ? JSONValue.null : .array(values)).text() + "\n")
            default: throw RuntimeFailure("invalid format option: use table or json")
            }
        })

    private static func table(
        _ containers: [(record: ContainerRecord, status: ContainerStatus)], in states: StateDirectory
    ) -> String {
        var rows = [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]]
        for (record, status) in containers {
            rows.append([
                record.id, String(status == .stopped ? 0 : record.initPid), status.rawValue, record.bundle,
                record.created, owner(of: record, in: states),
            ])
        }
        return table(rows)
    }

    /// Columns as runc has them: at least twelve wide, three spaces between.
    static func table(_ rows: [[String]]) -> String {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in
            max(12, (rows.map { $0[column].unicodeScalars.count }.max() ?? 0) + 3)
        }
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                text += cell
                if column == columns - 1 { continue }
                text += String(repeating: " ", count: widths[column] - cell.unicodeScalars.count)
            }
            text += "\n"
        }
        return text
    }

    /// Who the state belongs to, which nobody but root can forge.
    private static func owner(of record: ContainerRecord, in states: StateDirectory) -> String {
        var facts = stat()
        guard stat(states.path(record.id), &facts) == 0 else { return record.owner }
        return Owners.name(facts.st_uid)
    }

    static let ps = RuntimeCommand(
        name: "ps", summary: "list the processes of a container", arguments: "<container-id> [ps options]",
        arity: .atLeast(1), flags: [Flag("format", "f", help: "table or json (default: table)")],
        examples: [
            ("ps web", "as ps -ef shows them"), ("ps web -o pid,rss,cmd", "with ps options; they must show the pid"),
            ("ps --format json web", "their pids only"),
        ],
        interspersed: false,
        run: { context throws(RuntimeFailure) in
            let record = try context.state.load(context.id)
            let pids = record.cgroup.processes()
            switch context.flags.text("format") {
            case nil, "table"?: break
            case "json"?:
                let values = pids.map { JSONValue.number(String($0)) }
                return try Output.write((values.isEmpty ? JSONValue.null : .array(values)).text() + "\n")
            default: throw RuntimeFailure("invalid format option: use table or json")
            }
            let given = Array(context.flags.arguments.dropFirst())
            let output = try ProgramOutput.of(["ps"] + (given.isEmpty ? ["-ef"] : given))
            return try Output.write(try select(pids, from: output))
        })

    /// The lines of a table of ps that are about some processes, below the headings.
    static func select(_ pids: [Int32], from table: String) throws(RuntimeFailure) -> String {
        var lines = table.split(separator: "\n")[...]
        guard let heading = lines.popFirst(),
            let column = heading.split(whereSeparator: { $0 == " " || $0 == "\t" }).firstIndex(of: "PID")
        else { throw RuntimeFailure("couldn't find PID field in ps output; let the ps options show it") }
        var text = heading + "\n"
        for line in lines {
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard column < fields.count, let pid = Int32(fields[column]) else {
                throw RuntimeFailure("unable to parse pid in this line of ps: \(line)")
            }
            if pids.contains(pid) { text += line + "\n" }
        }
        return String(text)
    }
}

/// The output of another program.
enum ProgramOutput {
    static func of(_ arguments: [String]) throws(RuntimeFailure) -> String {
        var reading: Int32 = -1
        var writing: Int32 = -1
        guard clinux_pipe(&reading, &writing) == 0 else { throw RuntimeFailure("pipe", errno: errno) }
        defer { close(reading) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, writing, 1)
        posix_spawn_file_actions_adddup2(&actions, writing, 2)
        var pid: pid_t = 0
        var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        vector.append(nil)
        let code = posix_spawnp(&pid, arguments[0], &actions, nil, vector, environ)
        for pointer in vector { free(pointer) }
        close(writing)
        guard code == 0 else { throw RuntimeFailure("start \(arguments[0])", errno: code) }
        let bytes = try? RuntimeFiles.read(reading, named: arguments[0])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let text = String(decoding: bytes ?? [], as: UTF8.self)
        guard status == 0, bytes != nil else { throw RuntimeFailure("\(arguments[0]) failed: \(text)") }
        return text
    }
}
