internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// The master accepted the framework: what was lost on the way before is said again, and all is asked for.
    mutating func connect(_ id: FrameworkID, _ master: MasterInfo) {
        let isNew = frameworkID != id
        isConnected = true
        if isNew {
            frameworkID = id
            store(.putFramework(id))
        }
        publish(isNew ? .schedulerRegistered(id, master) : .schedulerReregistered(master))
        revivedRoles = []
        rolesToRevive = []
        subscribedRoles = []
        nextRevive = .zero
        for id in waiting { wantOffers(for: id) }
        audit()
        for instance in instances.values.filter(\.record.isStopping).map(\.id).sorted() {
            instances[instance]?.killPause = settings.killRetry
            sendKill(instance)
        }
    }

    mutating func disconnect() {
        guard isConnected else { return }
        isConnected = false
        publish(.schedulerDisconnected)
    }

    /// The subscription is over. When the framework was removed, so were its tasks.
    mutating func leave(_ text: String) {
        disconnect()
        guard text.contains("removed") else { return }
        frameworkID = nil
        store(.removeFramework)
        for id in instances.keys.sorted() { remove(id) }
        strangers = [:]
    }

    private mutating func askForUnsettled() {
        guard isConnected, !unsettled.isEmpty else { return }
        let queries = unsettled.sorted().compactMap { instances[$0] }.flatMap { instance in
            instance.tasks.map { SchedulerCall.TaskQuery(task: $0.record.id, agent: instance.record.agentID) }
        }
        // An empty list would ask for all.
        if !queries.isEmpty { call(.reconcile(queries)) }
        nextReconcile = now.elapsed + reconcilePause
        timers.add(.reconcile, at: nextReconcile)
        reconcilePause = min(reconcilePause * 2, settings.reconcileInterval * 8)
    }

    // MARK: timers

    mutating func runTimers() {
        while let key = timers.pop(now: now.elapsed) {
            switch key {
            case .instance(let id): checkInstance(id)
            case .service(let id):
                if let state = services[id], state.toLaunch > 0 { wantOffers(for: id) }
            case .reconcile: if now.elapsed >= nextReconcile { askForUnsettled() }
            case .audit: if now.elapsed >= nextAudit { audit() }
            case .revive: break
            case .strangers: if now.elapsed >= nextStrangers { killStrangers() }
            }
        }
    }

    /// Asks for all tasks, so that those are found that nobody here knows; then for each of ours, so that those are
    /// found of which the master knows nothing.
    private mutating func audit() {
        guard isConnected else { return }
        unsettled = Set(instances.keys)
        reconcilePause = settings.reconcileInterval
        call(.reconcile([]))
        askForUnsettled()
        nextAudit = now.elapsed + settings.auditInterval
        timers.add(.audit, at: nextAudit)
    }

    private mutating func checkInstance(_ id: InstanceID) {
        guard let instance = instances[id] else { return }
        if instance.unreachableSince != nil { return checkUnreachable(id) }
        if instance.record.isStopping {
            let killedAt = instance.killedAt ?? instance.launchedAt
            if now.elapsed < killedAt + instance.killPause {
                timers.add(.instance(id), at: killedAt + instance.killPause)
                return
            }
            instances[id]?.killPause = min(instance.killPause * 2, settings.killRetry * 8)
            if isConnected { sendKill(id) }
            return
        }
        guard instance.standing == .launching else { return }
        var due = instance.launchedAt + settings.stagingTimeout
        // It may be running since long ago, and nobody could say so.
        if now.elapsed >= due, !isConnected || unsettled.contains(id) { due = now.elapsed + settings.killRetry }
        if now.elapsed >= due {
            kill(id, because: .overdue)
        } else {
            timers.add(.instance(id), at: due)
        }
    }
}
