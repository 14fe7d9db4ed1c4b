internal import Access
internal import ClusterModel
internal import Console
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore

/// `/ui/tasks/…`: a task, its log, its files, its terminal.
extension ConsoleDesk {
    func task(_ path: [String]) async throws -> GatewayResponse {
        let core = try await node.snapshot()
        if path.count == 1 { return redirect(to: place(try Self.find(path[0], core), core).link()) }
        guard let task = Self.record(path[0], path[1], core) else {
            throw GatewayError(
                .notFound, "there is no task '\(path[1].prefix(255))' of this framework, or it ended a while ago")
        }
        let reads = request.method != .post
        switch (Array(path.dropFirst(2)), reads) {
        case ([], true): return try await detail(task, core)
        case (["log"], true): return try await log(task, core)
        case (["files"], true): return try await files(task, core)
        case (["kill"], true): return page(killQuestion(place(task, core)))
        case (["kill"], false): return try await kill(task, core)
        case (["terminal"], true): return page(terminalPage(task, core))
        case (["terminal"], false): return try await startTerminal(task)
        case (let rest, _) where rest.first == "terminal" && rest.count <= 3:
            return try await terminal(rest[1], rest.count == 3 ? rest[2] : nil)
        case ([], false), (["log"], false), (["files"], false):
            throw GatewayError(
                .methodNotAllowed, "this page takes no form; use GET", headers: [.allow: "GET, HEAD"])
        default: throw GatewayError(.notFound, "a task has no such page")
        }
    }

    /// A task by the id alone, when one framework only has it.
    private static func find(_ id: String, _ core: MasterCore) throws -> TaskRecord {
        let id = TaskID(id)
        let frameworks = Array(core.frameworks.values) + core.completedFrameworks
        let found = frameworks.compactMap { framework in
            framework.tasks[id] ?? framework.completedTasks.last { $0.id == id }
        }
        guard let task = found.first else {
            throw GatewayError(.notFound, "there is no task '\(id.value.prefix(255))', or it ended a while ago")
        }
        if found.count > 1 {
            throw GatewayError(
                .conflict, "\(found.count) frameworks have a task '\(id.value.prefix(255))'; choose one in the list")
        }
        return task
    }

    private static func record(_ framework: String, _ id: String, _ core: MasterCore) -> TaskRecord? {
        let (framework, id) = (FrameworkID(framework), TaskID(id))
        let found = core.frameworks[framework] ?? core.completedFrameworks.first { $0.id == framework }
        return found?.tasks[id] ?? found?.completedTasks.last { $0.id == id }
    }

    /// Whether an agent can be asked something now.
    private func answers(_ agent: AgentID, _ core: MasterCore) -> Bool {
        if case .connected = core.agents[agent]?.session { true } else { false }
    }

    func place(_ task: TaskRecord, _ core: MasterCore) -> TaskPlace {
        TaskPlace(
            framework: task.key.framework.value, task: task.id.value, directory: task.directory,
            agent: task.agentID.value,
            hasTerminal: !task.state.isTerminal && Self.container(of: task) != nil
                && visitor.may(.execute(task.launch.role)))
    }

    static func container(of task: TaskRecord) -> String? {
        task.statuses.last { $0.containerID != nil }?.containerID?.value
    }

    // MARK: detail

    private func detail(_ task: TaskRecord, _ core: MasterCore) async throws -> GatewayResponse {
        var page = TaskPage(place: place(task, core), name: task.launch.task.name, state: task.state)
        let info = task.launch.task
        page.isHealthy = task.state.isTerminal ? nil : task.isHealthy
        page.hasHealthCheck = info.healthCheck != nil
        if info.readinessCheck != nil, task.state == .running {
            page.isReady = task.statuses.last { $0.readiness != nil }?.readiness?.isReady
        }
        page.isEnding = task.killRequested != nil
        page.stages = task.statuses.map { status in
            TaskPage.Stage(
                at: status.timestamp, state: status.state,
                source: String(status.source.rawValue.dropFirst(7)).lowercased(),
                reason: status.reason.map { TaskWords.word($0) }, message: status.message, isHealthy: status.isHealthy)
        }
        page.framework = .init(task.launch.frameworkName, Link("frameworks", task.key.framework.value))
        page.owner = await owner(of: task.key)
        let agent = core.agents[task.agentID]
        page.node = .init(
            agent?.info.hostname ?? task.agentID.value, agent == nil ? nil : Link("nodes", task.agentID.value))
        page.role = task.launch.role.value
        page.user = info.command?.user ?? task.launch.user
        page.container = Self.container(of: task)
        page.image = info.container?.image ?? task.launch.group?.container?.image
        page.command = info.command.flatMap { Self.words($0) }
        page.addresses = task.addresses
        page.ports = Self.ports(info)
        page.resources = Self.amounts(info.resources)
        page.memoryLimit = info.resources.total("mem").value * 1_048_576
        page.labels = info.labels.map { ($0.key, $0.value ?? "") }
        page.findings = findings(task, core)
        page.mayKill = visitor.may(.killTask(task.launch.role))
        page.siblings = siblings(of: task, core)
        if !task.state.isTerminal, answers(task.agentID, core), let container = page.container {
            page.usage = await usage(of: container, on: task.agentID)
        }
        return self.page(page)
    }

    private func siblings(of task: TaskRecord, _ core: MasterCore) -> [TaskPage.Sibling] {
        guard let group = task.launch.group else { return [] }
        return group.tasks.filter { $0 != task.id }.compactMap { id in
            Self.record(task.key.framework.value, id.value, core).map { other in
                TaskPage.Sibling(task: .init(id.value, place(other, core).link()), state: other.state)
            }
        }
    }

    /// What the master knows about why the task is not as it should be.
    private func findings(_ task: TaskRecord, _ core: MasterCore) -> [String] {
        let isBad = task.state.isTerminal && task.state != .finished && task.state != .killed
        guard
            isBad || task.state != .running && !task.state.isTerminal
                || task.isHealthy == false && !task.state.isTerminal
        else { return [] }
        let name = "\(task.key.framework.value)/\(task.id.value)"
        return (core.explain(name, now: node.clock.now()).first?.facts ?? []).dropFirst().map { fact in
            fact.prefix(1).uppercased() + fact.dropFirst()
        }
    }

    private static func words(_ command: CommandInfo) -> String? {
        let words = command.isShell ? [command.value].compactMap { $0 } : command.arguments
        let text = words.isEmpty ? command.value ?? "" : words.joined(separator: " ")
        return text.isEmpty ? nil : String(text.prefix(2_000))
    }

    private static func ports(_ info: TaskInfo) -> [String] {
        let published = (info.container?.portMappings ?? []).map {
            "\($0.hostPort) → \($0.containerPort)/\($0.transport)"
        }
        let told = (info.discovery?.ports ?? []).map { port in
            "\(port.number)" + (port.transport.map { "/" + $0 } ?? "") + (port.name.map { " (\($0))" } ?? "")
        }
        return published + told
    }

    private static func amounts(_ resources: Resources) -> [(name: String, amount: String)] {
        let cpus = resources.total("cpus").value
        var amounts = [
            ("Processors", Numbers.short(cpus)), ("Memory", Numbers.memory(resources.total("mem").value)),
            ("Disk", Numbers.memory(resources.total("disk").value)),
        ]
        let gpus = resources.total("gpus").value
        if gpus > 0 { amounts.append(("GPUs", Numbers.short(gpus))) }
        if let ports = resources.items.first(where: { $0.kind.name == "ports" }) {
            amounts.append(("Ports held", ports.value.description))
        }
        return amounts
    }

    /// What the agent counts for a container; nil when it does not say.
    private func usage(of container: String, on agent: AgentID) async -> TaskPage.Usage? {
        struct Counted: Decodable {
            struct Statistics: Decodable {
                var cpus_user_time_secs: Double?
                var mem_total_bytes: Double?
                var processes: Int?
            }
            var container_id: String
            var statistics: Statistics
        }
        guard let answer = try? await AgentReads(node: node).get(agent, "/containers", limit: 4 << 20),
            answer.isSuccess,
            let all = try? JSONDecoder().decode([Counted].self, from: Data(answer.bytes)),
            let mine = all.first(where: { $0.container_id == container })?.statistics
        else { return nil }
        return TaskPage.Usage(
            cpuSeconds: mine.cpus_user_time_secs, memory: mine.mem_total_bytes, processes: mine.processes)
    }

    // MARK: killing

    private func killQuestion(_ place: TaskPlace) -> ConfirmPage {
        ConfirmPage(
            title: "Kill \(place.task)?", section: .tasks,
            crumbs: [Crumb("Tasks", Section.tasks.link), Crumb(place.task, place.link())],
            consequences: [
                "The task is asked to end, and ended by force when its grace period is over.",
                "What it belongs to may start another one in its place: a service does, to change how many run, scale it.",
            ],
            verb: "Kill the task", action: place.link("kill"), back: place.link())
    }

    private func kill(_ task: TaskRecord, _ core: MasterCore) async throws -> GatewayResponse {
        _ = try await form(upTo: 16 << 10)
        let answer = try await call(
            .post, Link(absolute: ["rondo", "v1", "tasks", task.key.framework.value, task.id.value, "kill"]).text
        ) { try await RondoFacade(node: node, visitor: visitor).respond(.killTask(task.key), $0) }
        guard answer.isSuccess else { throw GatewayError(answer.status, answer.message) }
        return redirect(to: place(task, core).link(), notice: .killed)
    }

    // MARK: log and files

    private func log(_ task: TaskRecord, _ core: MasterCore) async throws -> GatewayResponse {
        try visitor.require(.view(.files, of: nil))
        let file = request.query["file"] == "stderr" ? "stderr" : "stdout"
        let place = place(task, core)
        func page(_ bytes: [UInt8], _ start: Int, _ size: Int, _ problem: String? = nil) -> GatewayResponse {
            self.page(
                TaskLogPage(
                    place: place, file: file, files: ["stdout", "stderr"], bytes: bytes, start: start, size: size,
                    problem: problem))
        }
        guard let directory = task.directory else { return page([], 0, 0, Self.noFiles(task)) }
        guard answers(task.agentID, core) else { return page([], 0, 0, Self.silent) }
        let path = Link(absolute: ["files", "read"], query: [("path", directory + "/" + file), ("offset", "-1")]).text
        let reads = AgentReads(node: node)
        let length = try await reads.get(task.agentID, path, limit: 64 << 10)
        struct Length: Decodable { var offset: Int }
        guard length.isSuccess, let size = try? JSONDecoder().decode(Length.self, from: Data(length.bytes)).offset
        else {
            return page([], 0, 0, "Its agent says: " + length.message)
        }
        let wanted = request.query["offset"].flatMap { Int($0) } ?? size - TaskLogPage.pageSize
        let start = max(0, min(wanted, size))
        let target = Link(
            absolute: ["rondo", "v1", "logs"], query: [("path", directory + "/" + file), ("offset", String(start))])
        let part = try await reads.get(task.agentID, target.text, limit: TaskLogPage.pageSize)
        guard part.isSuccess else { return page([], 0, size, "Its agent says: " + part.message) }
        return page(part.bytes, start, max(size, start + part.bytes.count))
    }

    private func files(_ task: TaskRecord, _ core: MasterCore) async throws -> GatewayResponse {
        try visitor.require(.view(.files, of: nil))
        let place = place(task, core)
        let folder = (request.query["folder"] ?? "").split(separator: "/").prefix(64).map(String.init)
        func page(_ entries: [TaskFilesPage.Entry], _ problem: String? = nil) -> GatewayResponse {
            self.page(TaskFilesPage(place: place, folder: folder, entries: entries, problem: problem))
        }
        guard let directory = task.directory else { return page([], Self.noFiles(task)) }
        guard answers(task.agentID, core) else { return page([], Self.silent) }
        guard !folder.contains("..") else { throw GatewayError(.badRequest, "a folder has no part '..'") }
        let path = ([directory] + folder).joined(separator: "/")
        let target = Link(absolute: ["files", "browse"], query: [("path", path)]).text
        let answer = try await AgentReads(node: node).get(task.agentID, target, limit: 8 << 20)
        struct File: Decodable {
            var path: String
            var size: Int
            var mtime: Int64
            var mode: String
            var uid: String
        }
        guard answer.isSuccess else { return page([], "Its agent says: " + answer.message) }
        guard let found = try? JSONDecoder().decode([File].self, from: Data(answer.bytes)) else {
            return page([], "The folder has too many files for this page; use the command line.")
        }
        return page(
            found.map { file in
                TaskFilesPage.Entry(
                    name: String(file.path.split(separator: "/").last ?? "?"), mode: file.mode, size: file.size,
                    changedAt: UnixTime(
                        nanoseconds: file.mtime.multipliedReportingOverflow(by: 1_000_000_000).partialValue),
                    owner: file.uid)
            })
    }

    private static func noFiles(_ task: TaskRecord) -> String {
        task.state.isTerminal
            ? "Nobody knows where its files are any more." : "It has no files yet: its agent has not begun with it."
    }

    private static let silent = "Its node cannot be reached now, so what is on it cannot be shown."

    private func terminalPage(_ task: TaskRecord, _ core: MasterCore) -> TaskTerminalPage {
        let place = place(task, core)
        var problem: String?
        if task.state.isTerminal {
            problem = "The task has ended, so nothing can be run in it."
        } else if Self.container(of: task) == nil {
            problem = "The task has not started yet; try again when it runs."
        } else if !visitor.may(.execute(task.launch.role)) {
            problem = "You may not run commands in it; that takes the right task.exec for the role \(task.launch.role)."
        }
        return TaskTerminalPage(place: place, problem: problem)
    }
}
