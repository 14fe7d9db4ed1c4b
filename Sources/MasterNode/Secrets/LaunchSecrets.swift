internal import Access
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import ImageStore

/// What the tasks of one call get that nobody else may see.
///
/// It passes by the core: it decides about references, and the driver puts the values into the event that starts a
/// task, which goes to one agent and nowhere else.
typealias LaunchSecrets = [TaskKey: LaunchValues]

/// What one task gets that nobody else may see.
struct LaunchValues: Sendable {
    /// Values in base64, in the order of ``TaskInfo/secrets``; nil for none.
    var secrets: [String]?
    /// See ``TaskLaunch/registryCredential``.
    var registryCredential: String?
}

/// Takes the values of secrets out of a call, and looks up those that it names.
struct SecretResolver {
    let node: MasterNode
    let visitor: Visitor
    private var found: [String: SecretKeeper.Value] = [:]

    /// The kernel's limit for one variable with its name.
    private static let variableLimit = 128 << 10

    /// Why a task cannot get a secret; it becomes the message of its TASK_ERROR.
    private struct Problem: Error {
        var message: String
    }

    init(node: MasterNode, visitor: Visitor) {
        self.node = node
        self.visitor = visitor
    }

    /// Whether there is anything to do.
    static func concerns(_ operations: [OfferOperation]) -> Bool {
        operations.contains { operation in operation.tasks.contains(where: Self.concerns) }
    }

    private static func concerns(_ task: TaskInfo) -> Bool {
        task.defect == nil && (!task.secrets.isEmpty || task.container?.image != nil)
    }

    /// Resolves the secrets of all tasks to be launched. A task that may not have one, or whose secret is not there,
    /// becomes one that is refused with TASK_ERROR; the others of the call go on.
    ///
    /// - Returns: the operations without values, and the values.
    /// - Throws: when the store cannot be read.
    mutating func resolve(
        _ operations: [OfferOperation], of framework: FrameworkID
    ) async throws -> ([OfferOperation], LaunchSecrets) {
        var values: LaunchSecrets = [:]
        var resolved: [OfferOperation] = []
        for operation in operations {
            var launched: [TaskInfo] = []
            for task in operation.tasks {
                var plain = task.withoutSecretValues
                let key = TaskKey(framework: framework, task: task.taskID)
                do {
                    if Self.concerns(task) {
                        let found = LaunchValues(
                            secrets: task.secrets.isEmpty ? nil : try await self.values(of: task),
                            registryCredential: try await registryCredential(of: task))
                        guard found.secrets != nil || found.registryCredential != nil else {
                            launched.append(plain)
                            continue
                        }
                        guard values[key] == nil else { throw Problem(message: "two tasks of the call have this id") }
                        values[key] = found
                    }
                } catch let problem as Problem { plain.defect = problem.message }
                launched.append(plain)
            }
            resolved.append(operation.with(launched))
        }
        return (resolved, values)
    }

    private mutating func values(of task: TaskInfo) async throws -> [String] {
        var texts: [String] = []
        var total = 0
        let variables = task.command?.environment.filter { $0.secret != nil } ?? []
        for (index, secret) in task.secrets.enumerated() {
            let bytes = try await bytes(of: secret)
            total += bytes.count
            guard total <= TaskInfo.secretBytesLimit else {
                throw Problem(message: "the task's secrets have more than \(TaskInfo.secretBytesLimit) bytes")
            }
            if index < variables.count { try Self.check(bytes, variables[index].name, secret) }
            texts.append(Data(bytes).base64EncodedString())
        }
        return texts
    }

    /// Who the task's agent is to be at the registry of the task's image: by the task's own secret, else by what the
    /// cluster keeps for the registry, which serves all tasks.
    private mutating func registryCredential(of task: TaskInfo) async throws -> String? {
        guard let container = task.container, let name = container.image,
            let image = try? ImageReference(parsing: name)
        else { return nil }
        let path = RegistryLogin.path(of: image.registry)
        let bytes: [UInt8]
        if let secret = container.pullSecret {
            bytes = try await self.bytes(of: secret)
        } else if node.secrets?.has(path) == true {
            bytes = try await self.kept(path)
        } else {
            return nil
        }
        // What is wrong with it is not said: the words would hold parts of it.
        guard let all = try? RegistryCredentials(bytes, name: "") else {
            let whose = container.pullSecret.map(\.description) ?? "secret \(path)"
            throw Problem(
                message:
                    "\(whose) is not of the form of docker's config.json, {\"auths\": {\"REGISTRY\": {\"auth\": …}}}")
        }
        return all.credential(for: image)?.encoded
    }

    private mutating func bytes(of secret: TaskSecret) async throws -> [UInt8] {
        if let value = secret.value { return value }
        guard let path = secret.name else { throw Problem(message: "a secret has neither a name nor a value") }
        guard visitor.may(.secret(.read, path: path)) else {
            throw Problem(
                message: "the framework's user may not read the secret \(path); that takes the rule secret.read:\(path)"
            )
        }
        return try await kept(path)
    }

    private mutating func kept(_ path: String) async throws -> [UInt8] {
        if let known = found[path] { return known.bytes }
        guard let keeper = node.secrets else { throw Problem(message: SecretFacade.unkept.message) }
        do {
            guard let value = try await keeper.value(path) else {
                throw Problem(message: SecretKeeper.missing(path).message)
            }
            found[path] = value
            return value.bytes
        } catch let error as GatewayError { throw Problem(message: error.message) }
    }

    /// A variable ends at the first NUL and is text.
    private static func check(_ bytes: [UInt8], _ name: String, _ secret: TaskSecret) throws {
        guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
            throw Problem(message: "\(secret) is not text and cannot be the variable '\(name)'; use a volume for it")
        }
        guard bytes.count + name.utf8.count + 2 <= variableLimit else {
            throw Problem(
                message: "\(secret) is longer than the \(variableLimit) bytes that the variable '\(name)' can have; "
                    + "use a volume for it")
        }
    }
}
