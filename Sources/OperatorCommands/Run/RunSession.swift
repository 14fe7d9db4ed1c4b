internal import Appliance
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import NIOCore

/// Drives a ``RunPlan``: sends its calls, follows the tasks' output, tells people what happens.
///
/// One task with one inbox; nothing here is shared.
struct RunSession {
    /// Tasks whose output is followed at the same time. The master carries 64 streams per agent, two for each task.
    private static let followedLimit = 24
    /// How long the master may be away.
    private static let outageLimit = 30

    private let client: ClusterClient
    private let output: RunOutput
    private let inbox = RunInbox()
    private let user: String
    private var plan: RunPlan
    private var streamID: String?
    private var stream: Task<Void, Never>?
    private var outage = 0
    private var toFollow: [Int] = []
    private var followed: [Int: Task<Void, Never>] = [:]
    private var written: Set<Int> = []
    private var ticks = 0
    private var lastWhy = ""
    private var stopCode: Int32?
    private var ticksAfterEnd = 0

    init(_ order: RunOrder, client: ClusterClient, output: RunOutput, user: String) {
        plan = RunPlan(order)
        self.client = client
        self.output = output
        self.user = user
    }

    /// Runs the order to its end.
    ///
    /// - Returns: the exit code and what programs read.
    mutating func run(signals: AsyncStream<Int32>, timeout: Duration?) async throws -> (code: Int32, summary: JSONValue)
    {
        let helpers = helpers(signals, timeout)
        defer { for helper in helpers { helper.cancel() } }
        subscribe()
        do {
            for await input in inbox.stream {
                try await handle(input)
                if isOver { break }
            }
        } catch {
            await end()
            throw error
        }
        await end()
        let code = stopCode ?? plan.exitCode
        return (code, plan.summary(exitCode: code))
    }

    private func helpers(_ signals: AsyncStream<Int32>, _ timeout: Duration?) -> [Task<Void, Never>] {
        let post = inbox.post
        return [
            Task.detached { for await number in signals { post(.signal(number)) } },
            Task.detached {
                while !Task.isCancelled {
                    guard (try? await Pause.wait(.seconds(1))) != nil else { return }
                    post(.tick)
                }
            },
            Task.detached {
                guard let timeout, (try? await Pause.wait(timeout)) != nil else { return }
                post(.timeout)
            },
        ]
    }

    private mutating func subscribe() {
        let source = RunStream(client: client, inbox: inbox)
        let body = plan.subscription(user: user)
        stream = Task.detached { await source.run(body) }
    }

    /// All instances have ended and all they wrote is shown, or nobody waits for that any more.
    private var isOver: Bool {
        guard plan.isDone else { return false }
        return (followed.isEmpty && toFollow.isEmpty) || ticksAfterEnd > 15
    }

    private mutating func end() async {
        for task in followed.values { task.cancel() }
        if streamID != nil { await call("TEARDOWN", nil) }
        stream?.cancel()
    }

    private mutating func handle(_ input: RunInput) async throws {
        switch input {
        case .connected(let id):
            streamID = id
            outage = 0
        case .event(let event): try await carryOut(plan.handle(event))
        case .disconnected(let reason): try disconnected(reason)
        case .refused(let error):
            streamID = nil
            throw ApplianceError(error.exitCode, "cannot take offers: \(error)")
        case .logged(let index):
            followed[index] = nil
            written.insert(index)
            follow()
        case .signal(let number): try await interrupted(number)
        case .tick: try await tick()
        case .timeout:
            Console.note("rondo: the time is over; ending the tasks")
            try await stop(Appliance.ExitCode.timedOut.rawValue)
        }
    }

    private mutating func disconnected(_ reason: String) throws {
        streamID = nil
        guard plan.frameworkID != nil else {
            throw ApplianceError(.unavailable, "cannot take offers: \(reason)")
        }
        if outage == 0 { Console.note("rondo: \(reason); trying to subscribe again") }
        outage += 1
    }

    private mutating func interrupted(_ number: Int32) async throws {
        if stopCode != nil { throw ApplianceError(.interrupted, "ended at the second signal; tasks may still run") }
        Console.note("rondo: ending the tasks; once more to stop at once")
        try await stop(128 + number)
        guard plan.frameworkID != nil, streamID != nil else {
            throw ApplianceError(.interrupted, "ended before the master took the framework in")
        }
    }

    private mutating func stop(_ code: Int32) async throws {
        stopCode = code
        try await carryOut(plan.stop(code: code))
    }

    private mutating func tick() async throws {
        ticks += 1
        if plan.isDone { ticksAfterEnd += 1 }
        if streamID == nil, plan.frameworkID != nil, outage > 0 {
            guard outage <= Self.outageLimit else {
                throw ApplianceError(
                    .unavailable, "the master has been away for too long; the tasks end with the framework")
            }
            outage += 1
            subscribe()
        }
        if !plan.waiting.isEmpty, streamID != nil, ticks == 1 || ticks % 10 == 0 { await explain() }
    }

    // MARK: Actions

    private mutating func carryOut(_ actions: [RunPlan.Action]) async throws {
        for action in actions {
            switch action {
            case .call(let type, let body): await call(type, body)
            case .placed(let index):
                let instance = plan.instances[index]
                let ports = zip(instance.published, plan.order.published).map {
                    ", port \($0) leads to its \($1.containerPort)"
                }
                Console.note("rondo: \(instance.taskID) goes to \(instance.hostname)\(ports.joined())")
            case .started(let index):
                toFollow.append(index)
                follow()
            case .ended(let index): note(plan.instances[index])
            case .failed(let message): throw ApplianceError(.failure, "the master ended the framework: \(message)")
            }
        }
    }

    private func note(_ instance: RunPlan.Instance) {
        guard let code = instance.exitCode, code != 0 else { return }
        let why = instance.message.map { ": \($0)" } ?? ""
        Console.note("rondo: \(instance.taskID) on \(instance.hostname) \(Words.state(instance.state))\(why)")
    }

    private func call(_ type: String, _ body: JSONValue?) async {
        guard let streamID, let framework = plan.frameworkID else { return }
        var fields: [String: JSONValue] = ["type": .text(type), "framework_id": ["value": .text(framework)]]
        if let body { fields[type.lowercased()] = body }
        var headers = client.authorization
        headers[.contentType] = "application/json"
        if let name = HTTPField.Name("Mesos-Stream-Id") { headers[name] = streamID }
        do {
            let response = try await client.caller.call(
                .post, client.endpoint, "/api/v1/scheduler", headers: headers,
                body: ByteBuffer(bytes: try JSONValue.object(fields).encoded()))
            guard response.status.code >= 400, response.status.code != 403 else { return }
            let refusal = ClusterClient.refusal(response.status.code, [UInt8](response.bytes.readableBytesView))
            Console.note("rondo: the master refuses \(type): \(refusal)")
        } catch {
            // The stream breaks too; after the next SUBSCRIBE the plan asks and says it again.
        }
    }

    // MARK: Output

    private mutating func follow() {
        while followed.count < Self.followedLimit, !toFollow.isEmpty {
            let index = toFollow.removeFirst()
            let follower = RunFollower(
                client: client, output: output, framework: plan.frameworkID ?? "", task: plan.instances[index].taskID)
            let post = inbox.post
            followed[index] = Task.detached {
                await follower.run()
                post(.logged(index))
            }
        }
    }

    private mutating func explain() async {
        guard let framework = plan.frameworkID,
            let document = try? await client.document(
                ExplanationsDocument.self, "/rondo/v1/why/\(PathText.escaped(framework))"
            ).0
        else { return }
        let text = WhyCommand.text(document)
        guard text != lastWhy else { return }
        lastWhy = text
        let order = plan.order
        var wants = "cpus \(Words.number(order.cpus)), mem \(Words.number(order.memory))"
        if order.disk > 0 { wants += ", disk \(Words.number(order.disk))" }
        if order.ports > 0 { wants += ", \(order.ports) ports" }
        for constraint in order.constraints { wants += ", \(constraint.name):\(constraint.value)" }
        Console.note(
            "rondo: \(plan.waiting.count) of \(order.instances) instances wait for an offer of \(wants) in role "
                + "\(order.role)\n\(text)")
    }
}

/// Copies what a task writes until it has ended.
struct RunFollower: Sendable {
    let client: ClusterClient
    let output: RunOutput
    let framework: String
    let task: String

    func run() async {
        guard let found = await find() else { return }
        await withTaskGroup(of: Void.self) { group in
            for isError in [false, true] {
                group.addTask {
                    await copy(found.node, "\(found.directory)/\(isError ? "stderr" : "stdout")", isError: isError)
                    output.finish(task, isError: isError)
                }
            }
        }
    }

    /// The master may learn of the directory a moment after the state.
    private func find() async -> (node: String, directory: String)? {
        let path = "/rondo/v1/tasks/\(PathText.escaped(framework))/\(PathText.escaped(task))"
        for _ in 0..<20 {
            if let found = try? await client.document(TaskDocument.self, path).0, let directory = found.directory,
                !directory.isEmpty
            {
                return (found.node, directory)
            }
            guard (try? await Pause.wait(.milliseconds(100))) != nil else { return nil }
        }
        return nil
    }

    private func copy(_ node: String, _ path: String, isError: Bool) async {
        // Many tasks share an agent's streams, and a master may restart: refusals and breaks are met by patience.
        var position = 0
        var attempt = 0
        while attempt < 200 {
            do {
                try await TaskLog(node: node, path: path).copy(client, follow: true, from: .offset(position)) { bytes in
                    position += bytes.count
                    attempt = 0
                    output.write(bytes, of: task, isError: isError)
                }
                return
            } catch {
                if Task.isCancelled { return }
                attempt += 1
                guard (try? await Pause.wait(.milliseconds(min(50 * attempt, 500)))) != nil else { return }
            }
        }
    }
}
