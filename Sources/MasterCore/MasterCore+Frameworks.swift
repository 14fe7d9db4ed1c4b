import ClusterModel
import Scheduling

extension MasterCore {
    mutating func subscribe(_ connection: ConnectionID, _ subscription: Subscription) {
        if let problem = defect(of: subscription) {
            return turnAway(connection, problem)
        }
        if let id = subscription.info.id {
            if completedFrameworks.contains(where: { $0.id == id }) {
                return turnAway(connection, "Framework has been removed")
            }
            if frameworks[id] != nil { return resubscribe(connection, subscription, id) }
        }
        if frameworks.count >= settings.frameworksMax {
            return turnAway(
                connection,
                "this master takes at most \(settings.frameworksMax) frameworks; end some with `rondo framework teardown`"
            )
        }
        var info = subscription.info
        let id = info.id ?? newFrameworkID()
        info.id = id
        var framework = FrameworkState(
            info: info, connection: connection, registeredAt: now.wall, suppressedRoles: subscription.suppressedRoles)
        framework.reregisteredAt = nil
        frameworks[id] = framework
        owners[connection] = .framework(id)
        store(.putFramework(FrameworkRecord(info: info, registeredAt: now.wall)))
        addToAllocator(framework)
        welcome(connection, id)
        say(.publish(.frameworkAdded(id)))
        allocateSoon()
    }

    private mutating func resubscribe(_ connection: ConnectionID, _ subscription: Subscription, _ id: FrameworkID) {
        guard var framework = frameworks[id] else { return }
        if let old = framework.connection {
            owners[old] = nil
            say(.send(old, .error("Framework failed over")))
            say(.close(old))
        }
        for offer in offers.offers(to: id) { rescind(offer, tell: false) }
        framework.connection = connection
        framework.failoverDeadline = nil
        framework.reregisteredAt = now.wall
        framework.suppressedRoles = subscription.suppressedRoles
        let isChanged = framework.info != subscription.info
        framework.info = subscription.info
        let undelivered = framework.undelivered
        framework.undelivered = []
        frameworks[id] = framework
        owners[connection] = .framework(id)
        if isChanged {
            store(.putFramework(FrameworkRecord(info: framework.info, registeredAt: framework.registeredAt)))
        }
        // The new scheduler knows nothing of what the old one declined.
        allocator.deactivateFramework(id)
        updateInAllocator(framework, isActive: true)
        welcome(connection, id)
        for status in undelivered { say(.send(connection, .update(status))) }
        // An agent that is away sends its update again when it comes back; until then the task is unreachable.
        for task in framework.tasks.values.sorted(by: { $0.id < $1.id }) where task.state != .unreachable {
            if let pending = task.pending { say(.send(connection, .update(pending))) }
        }
        say(.publish(.frameworkUpdated(id)))
        allocateSoon()
    }

    private mutating func welcome(_ connection: ConnectionID, _ id: FrameworkID) {
        say(
            .send(connection, .subscribed(id, heartbeatInterval: settings.frameworkHeartbeat, master: master)))
        // At once, because some clients handle an event only when the next one has begun.
        say(.send(connection, .heartbeat))
    }

    private mutating func turnAway(_ connection: ConnectionID, _ why: String) {
        say(.send(connection, .error(why)))
        say(.close(connection))
    }

    private mutating func newFrameworkID() -> FrameworkID {
        while true {
            let digits = String(nextFrameworkNumber)
            nextFrameworkNumber += 1
            let zeros = String(repeating: "0", count: max(0, 4 - digits.count))
            let id = FrameworkID("\(master.id)-\(zeros)\(digits)")
            // A framework that brings its own id may have chosen this one.
            if frameworks[id] == nil, !isRemoved(id) { return id }
        }
    }

    private func defect(of subscription: Subscription) -> String? {
        let info = subscription.info
        if let id = info.id, let defect = id.defect { return "framework id \(defect)" }
        let texts = [
            ("user", info.user), ("name", info.name), ("hostname", info.hostname), ("principal", info.principal),
            ("webui_url", info.webuiURL),
        ]
        for (field, text) in texts where StoredSize.of(text) > Limits.text {
            return "the framework's \(field) is too long; give it at most \(Limits.text) bytes"
        }
        if StoredSize.of(info.labels) > Limits.labels {
            return "the framework's labels are too large; give them at most \(Limits.labels) bytes together"
        }
        if info.roles.count > Limits.roles {
            return "a framework may have at most \(Limits.roles) roles, not \(info.roles.count); use several frameworks"
        }
        if info.roles.isEmpty { return "a framework needs at least one role; '*' is the role of everybody" }
        if Set(info.roles).count != info.roles.count { return "roles must not be named twice" }
        for role in info.roles {
            if let defect = role.defect { return "role '\(role.value.prefix(64))' \(defect)" }
        }
        if let other = subscription.suppressedRoles.subtracting(info.roles).min() {
            return "suppressed role '\(other.value.prefix(64))' is not one of the framework's roles"
        }
        return nil
    }

    mutating func addToAllocator(_ framework: FrameworkState) {
        allocator.addFramework(
            framework.id, roles: framework.info.roles, capabilities: framework.info.capabilities,
            suppressed: framework.suppressedRoles, isActive: framework.isConnected)
    }

    mutating func updateInAllocator(_ framework: FrameworkState, isActive: Bool) {
        allocator.updateFramework(
            framework.id, roles: framework.info.roles, capabilities: framework.info.capabilities,
            suppressed: framework.suppressedRoles)
        if isActive { allocator.activateFramework(framework.id) } else { allocator.deactivateFramework(framework.id) }
    }

    mutating func update(_ id: FrameworkID, to info: FrameworkInfo, suppressed: Set<RoleName>) -> String? {
        guard var framework = frameworks[id] else { return nil }
        var changed = info
        changed.id = id
        if let problem = defect(of: Subscription(info: changed, suppressedRoles: suppressed)) { return problem }
        framework.info = changed
        framework.suppressedRoles = suppressed
        frameworks[id] = framework
        store(.putFramework(FrameworkRecord(info: changed, registeredAt: framework.registeredAt)))
        let roles = Set(changed.roles)
        for offer in offers.offers(to: id) where !roles.contains(offer.role) { rescind(offer, tell: true) }
        updateInAllocator(framework, isActive: framework.isConnected)
        say(.publish(.frameworkUpdated(id)))
        allocateSoon()
        return nil
    }

    mutating func closed(_ connection: ConnectionID) {
        switch owners.removeValue(forKey: connection) {
        case nil: newcomerLeft(connection)
        case .framework(let id):
            guard var framework = frameworks[id], framework.connection == connection else { return }
            framework.connection = nil
            framework.failoverDeadline = now.elapsed + framework.info.failoverTimeout
            frameworks[id] = framework
            allocator.deactivateFramework(id)
            for offer in offers.offers(to: id) { rescind(offer, tell: false) }
            say(.publish(.frameworkUpdated(id)))
            allocateSoon()
            if framework.info.failoverTimeout == .zero { remove(id) }
        case .agent(let id): disconnect(id, connection)
        }
    }

    /// Removes a framework for good: its agents end its tasks, and what those hold stays counted until they have.
    mutating func remove(_ id: FrameworkID) {
        guard var framework = frameworks.removeValue(forKey: id) else { return }
        for offer in offers.offers(to: id) { rescind(offer, tell: false) }
        if let connection = framework.connection {
            owners[connection] = nil
            say(.close(connection))
        }
        framework.connection = nil
        framework.failoverDeadline = nil
        framework.removedAt = now.wall
        var agentsToTell: Set<AgentID> = []
        for (taskID, var task) in framework.tasks.sorted(by: { $0.key < $1.key }) {
            if let uuid = task.pending?.uuid { tell(task.agentID, .acknowledge(task.key, uuid)) }
            task.pending = nil
            if task.holdsResources {
                forgetOther(of: task)
                endingTasks[TaskKey(framework: id, task: taskID)] = task
                agentsToTell.insert(task.agentID)
                if !task.state.isTerminal { task.state = .killed }
            } else {
                agents[task.agentID]?.tasks.remove(task.key)
            }
            framework.completedTasks.append(task)
        }
        framework.completedTasks.removeFirst(max(0, framework.completedTasks.count - settings.completedTasksKept))
        framework.tasks = [:]
        framework.undelivered = []
        allocator.deactivateFramework(id)
        // Tasks that were called lost before, and came back to be ended, hold resources in its name as well.
        if !endingTasks.keys.contains(where: { $0.framework == id }) { allocator.removeFramework(id) }
        for agent in agentsToTell.sorted() { tell(agent, .shutdownFramework(id)) }
        store(
            .putFramework(
                FrameworkRecord(info: framework.info, registeredAt: framework.registeredAt, removedAt: now.wall)))
        say(.publish(.frameworkRemoved(framework.info)))
        completedFrameworks.append(framework)
        forgetOldFrameworks()
        allocateSoon()
    }

    /// An earlier task of the same name may still be ending on another agent; only one of the two can be booked.
    private mutating func forgetOther(of task: TaskRecord) {
        guard let other = endingTasks[task.key], other.agentID != task.agentID else { return }
        giveBack(other)
        agents[other.agentID]?.tasks.remove(task.key)
    }

    private mutating func forgetOldFrameworks() {
        while completedFrameworks.count > max(1, settings.completedFrameworksKept) {
            // One whose tasks are still ending must be remembered until they have.
            guard
                let index = completedFrameworks.firstIndex(where: { framework in
                    !endingTasks.keys.contains { $0.framework == framework.id }
                })
            else { return }
            store(.removeFramework(completedFrameworks.remove(at: index).id))
        }
    }

    /// Whether a framework was removed and is still remembered.
    func isRemoved(_ id: FrameworkID) -> Bool { completedFrameworks.contains { $0.id == id } }
}
