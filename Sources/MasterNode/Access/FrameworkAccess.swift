internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore

/// What frameworks and operators may do to frameworks, which depends on the roles in what they send and in what there
/// is.
struct FrameworkAccess: Sendable {
    let node: MasterNode
    let visitor: Visitor

    private var isEnforced: Bool { visitor.mode == .enforced }

    /// Looks at a framework's description before the core sees it.
    ///
    /// - Returns: the description with the caller as its principal.
    /// - Throws: ``GatewayError`` 403.
    func admitted(_ info: FrameworkInfo) async throws -> FrameworkInfo {
        guard isEnforced else { return info }
        var info = info
        if case .user(let name) = visitor.caller {
            if let principal = info.principal, principal != name {
                throw GatewayError(
                    .forbidden,
                    "the framework's principal '\(principal.prefix(96))' is not the user '\(name)' who subscribes; "
                        + "leave it out, or send that user's credential")
            }
            info.principal = name
        }
        for role in info.roles.prefix(1_000) { try visitor.require(.registerFramework(role)) }
        try visitor.require(.runAs(info.user))
        if let id = info.id { try await mayTakeOver(id, as: info.principal) }
        return info
    }

    /// A framework belongs to the user who subscribed it; others take it over only when they could end it.
    private func mayTakeOver(_ id: FrameworkID, as principal: String?) async throws {
        guard let known = try await node.snapshot().frameworks[id] else { return }
        if let owner = known.info.principal, owner == principal { return }
        for role in known.info.roles { try visitor.require(.tearDownFramework(role)) }
    }

    /// Looks at the accounts that tasks are to run as. A task that may not becomes one that is refused with TASK_ERROR,
    /// as in Mesos; the others of the call go on.
    func checked(_ operations: [OfferOperation]) -> [OfferOperation] {
        guard isEnforced else { return operations }
        return operations.map { operation in operation.with(operation.tasks.map { checked($0) }) }
    }

    private func checked(_ task: TaskInfo) -> TaskInfo {
        if task.container?.reachesHost == true, !visitor.may(.runAs("root")) {
            var task = task
            task.defect =
                "the container is privileged, mounts paths of the host or has capabilities beyond the usual; that takes "
                + "the rule task.run-as:root"
            return task
        }
        // Without one of its own the framework's user is taken, which was looked at before.
        let asked = (task.container?.parameters ?? []).filter { $0.key == "user" }.map(\.value)
        for user in asked + [task.command?.user].compactMap({ $0 }) where !visitor.may(.runAs(user)) {
            var task = task
            task.defect =
                "the framework's user may not run tasks as '\(user.prefix(64))'; that takes the rule task.run-as:"
                + "\(user.prefix(64))"
            return task
        }
        return task
    }

    // MARK: operators

    /// Asks for the right to end a framework, which is one over each of its roles.
    ///
    /// - Throws: ``GatewayError`` 403, also when there is no such framework and the visitor may not know.
    func mayTearDown(_ id: FrameworkID) async throws {
        visitor.noteChange("framework.tear-down", id.value)
        guard isEnforced else { return }
        guard let framework = try await node.snapshot().frameworks[id] else {
            return try visitor.require(.tearDownFramework(RoleName(AccessRule.everything)))
        }
        for role in framework.info.roles { try visitor.require(.tearDownFramework(role)) }
    }

    /// Asks for the right to end a task.
    func mayKill(_ key: TaskKey) async throws {
        visitor.noteChange("task.kill", key.framework.value + "/" + key.task.value)
        guard isEnforced else { return }
        let task = try await node.snapshot().frameworks[key.framework]?.tasks[key.task]
        try visitor.require(.killTask(task?.launch.role ?? RoleName(AccessRule.everything)))
    }
}
