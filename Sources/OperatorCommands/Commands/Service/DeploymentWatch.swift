internal import Appliance
internal import ArgumentParser
internal import Glibc
internal import HTTPTypes

/// How a command that changes services ends.
struct DeploymentOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Do not wait until the change is carried out.") var detach = false
    @Flag(help: "Also while another change of the service is carried out; this one takes its place.") var force = false

    var query: String { force ? "?force=true" : "" }

    /// Waits for the deployment of an answer and says what it waits for, unless nobody wants to; then the named services
    /// must run.
    func follow(_ services: ServiceClient, _ answer: [UInt8], _ names: [String]) async throws {
        let begun = try services.read(DeploymentBegun.self, answer)
        try await follow(services, begun, names)
    }

    func follow(_ services: ServiceClient, _ begun: DeploymentBegun, _ names: [String]) async throws {
        let isJSON = services.client.isJSON
        if !detach {
            let signals = StopSignals.listen()
            let leaving = Task {
                for await signal in signals {
                    Console.note("deployment \(begun.deploymentId) goes on; `rondo service list` shows how far it is")
                    Glibc.exit(128 + signal)
                }
            }
            defer { leaving.cancel() }
            var watch = DeploymentWatch(services: services, id: begun.deploymentId, names: names)
            try await watch.end()
        }
        if isJSON {
            var fields: [String: JSONValue] = ["deploymentId": .text(begun.deploymentId)]
            if let version = begun.version { fields["version"] = .text(version) }
            Console.out(String(decoding: try JSONValue.object(fields).encoded(), as: UTF8.self))
        } else if detach {
            Console.out(begun.deploymentId)
        }
    }
}

/// Watches one deployment and says what it waits for, and why.
struct DeploymentWatch {
    /// How long a master may be away: deployments go on where they were when it is back.
    private static let patience = Duration.seconds(120)

    let services: ServiceClient
    let id: String
    let names: [String]
    private var said: [String: String] = [:]
    private var failures: Set<String> = []
    private var silentSince: ContinuousClock.Instant?
    private let begin = ContinuousClock.now

    init(services: ServiceClient, id: String, names: [String]) {
        self.services = services
        self.id = id
        self.names = names
    }

    /// Waits until the deployment is over, and makes sure that its services run.
    mutating func end() async throws {
        // Failures of before are no news.
        for name in names { _ = try? await newFailure(of: name) }
        while true {
            do {
                guard try await look() else { break }
                silentSince = nil
            } catch let error as ApplianceError where error.exitCode == .unavailable {
                let since = silentSince ?? .now
                guard ContinuousClock.now - since < Self.patience else { throw error }
                silentSince = since
                say("", "no master answers; what is deployed goes on")
            }
            try await Task.sleep(for: min(.seconds(1), max(.milliseconds(100), (ContinuousClock.now - begin) / 8)))
        }
        for name in names { try await check(name) }
    }

    /// - Returns: whether it goes on.
    private mutating func look() async throws -> Bool {
        let all = try await services.document([DeploymentDocument].self, "/v2/deployments?embed=waitsFor")
        guard let deployment = all.first(where: { $0.id == id }) else { return false }
        let queue = try await services.document(LaunchQueueDocument.self, "/v2/queue").queue
        for action in deployment.currentActions {
            guard let name = action.app ?? action.pod else { continue }
            let waiting = queue.first { $0.app?.id == name || $0.pod?.id == name }
            say(name, Self.text(action, of: deployment, waiting))
            if let failure = try await newFailure(of: name) { Console.note("\(name): \(TextTable.clean(failure))") }
        }
        return true
    }

    static func text(
        _ action: DeploymentDocument.Action, of deployment: DeploymentDocument, _ waiting: LaunchQueueDocument.Item?
    ) -> String {
        let verb =
            switch action.action {
            case "StartApplication", "StartPod": "starts"
            case "StopApplication", "StopPod": "is stopped"
            case "ScaleApplication", "ScalePod": "is scaled"
            case "RestartApplication", "RestartPod": "is replaced"
            default: action.action
            }
        var text = deployment.totalSteps > 1 ? "step \(deployment.currentStep) of \(deployment.totalSteps): " : ""
        text += verb
        if let why = action.waitsFor { text += ", \(why)" }
        if let waiting, waiting.count > 0 { text += Self.text(waiting) }
        return text
    }

    /// Why instances are not launched yet.
    private static func text(_ item: LaunchQueueDocument.Item) -> String {
        if !item.delay.overdue, item.delay.timeLeftSeconds > 0 {
            return "; \(item.count) to launch, held back because instances failed"
        }
        let rejects = (item.processedOffersSummary?.rejectSummaryLastOffers ?? []).filter { $0.declined > 0 }
        guard !rejects.isEmpty else { return "" }
        let words = rejects.map { "\(reason($0.reason)) (\($0.declined) of \($0.processed))" }
        return "; \(item.count) to launch, no offer fits: \(words.joined(separator: ", "))"
    }

    /// `InsufficientCpus` as `insufficient cpus`.
    static func reason(_ name: String) -> String {
        var text = ""
        for character in name {
            if character.isUppercase, !text.isEmpty { text += " " }
            text += character.lowercased()
        }
        return text
    }

    private mutating func newFailure(of name: String) async throws -> String? {
        guard let failure = try await services.find(name)?.service.lastTaskFailure, let task = failure.taskId,
            failures.insert(task).inserted
        else { return nil }
        let host = failure.host.map { " on \($0)" } ?? ""
        return "an instance\(host) has ended: \(failure.message ?? failure.state ?? "no reason is known")"
    }

    private mutating func say(_ name: String, _ text: String) {
        guard said[name] != text else { return }
        said[name] = text
        Console.note(TextTable.clean(name.isEmpty ? text : "\(name) \(text)"))
    }

    /// A deployment that is over was carried out, or another one took its place.
    private mutating func check(_ name: String) async throws {
        guard let found = try await services.find(name)?.service else {
            throw ApplianceError(.failure, "service '\(name)' was removed while it was deployed")
        }
        if let other = found.deployments?.first, other.id != id {
            throw ApplianceError(.failure, "another change of '\(name)' has taken the place of this one")
        }
        // One that ended while nobody looked.
        let failure = try await newFailure(of: name).map { ": \($0)" } ?? ""
        let running = found.tasksRunning ?? 0
        guard running >= found.instances else {
            throw ApplianceError(
                .failure,
                "the deployment of '\(name)' has ended, and \(running) of \(found.instances) instances run\(failure)")
        }
        Console.note("\(name) runs with \(found.instances) \(found.instances == 1 ? "instance" : "instances")")
    }
}
