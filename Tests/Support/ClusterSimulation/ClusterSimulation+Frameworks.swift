import ClusterModel
import MasterCore

extension ClusterSimulation {
    func startFramework(_ framework: SimulatedFramework) {
        framework.life += 1
        framework.isRunning = true
        hangUp(framework)
        note("framework\(framework.index) starts, life \(framework.life)")
        planSubscription(framework)
        planChores(framework)
    }

    func crashFramework(_ framework: SimulatedFramework) {
        guard framework.isRunning, !framework.isRemoved else { return }
        note("framework\(framework.index) dies")
        framework.isRunning = false
        framework.life += 1
        if let connection = framework.connection { breakConnection(connection) }
        hangUp(framework)
        plan(after: random.milliseconds(10...30_000)) { [self] in startFramework(framework) }
    }

    func planSubscription(_ framework: SimulatedFramework) {
        let life = framework.life
        plan(after: random.milliseconds(10...2_000)) { [self] in
            guard framework.life == life, framework.isRunning, !framework.isRemoved, framework.connection == nil else {
                return
            }
            guard master != nil else { return planSubscription(framework) }
            let connection = openConnection(.framework(framework.index, life: life))
            framework.connection = connection
            input(.subscribe(connection, Subscription(info: framework.info)))
        }
    }

    /// What a framework does now and then: asks where its tasks stand, ends some, changes its appetite.
    private func planChores(_ framework: SimulatedFramework) {
        let life = framework.life
        plan(after: random.milliseconds(1_000...15_000)) { [self] in
            guard framework.life == life, !framework.isRemoved else { return }
            let open = framework.tasks.keys.filter { framework.tasks[$0]?.end == nil }.sorted()
            if random.chance(300) || open.isEmpty {
                call(framework, .reconcile([]))
            } else {
                call(
                    framework,
                    .reconcile(open.map { SchedulerCall.TaskQuery(task: $0, agent: framework.tasks[$0]?.agent) }))
            }
            let victims = open.filter { framework.tasks[$0]?.isDoomed == false }
            if !isQuiet, random.chance(300), let victim = victims.randomElement(using: &random) {
                call(framework, .kill(task: victim, agent: nil, gracePeriod: random.chance(500) ? .seconds(1) : nil))
            }
            let groups = framework.groups.keys.filter { !Self.isDoomed($0) }.sorted()
            if !isQuiet, random.chance(100), let group = groups.randomElement(using: &random),
                let agent = framework.groups[group]
            {
                call(framework, .shutdown(executor: group, agent: agent))
            }
            if random.chance(200) { call(framework, .suppress(roles: [])) }
            if isQuiet || random.chance(400) { call(framework, .revive(roles: [])) }
            if !isQuiet, random.chance(4) { call(framework, .teardown) }
            planChores(framework)
        }
    }

    func call(_ framework: SimulatedFramework, _ call: SchedulerCall) {
        guard framework.connection != nil else { return }
        framework.outbox.append(call)
        sendNextCall(framework)
    }

    private func sendNextCall(_ framework: SimulatedFramework) {
        guard let id = framework.info.id, let connection = framework.connection, !framework.isCalling,
            !framework.outbox.isEmpty
        else { return }
        let call = framework.outbox.removeFirst()
        let life = framework.life
        framework.isCalling = true
        note("framework\(framework.index) calls \(call)")
        post(
            isOrdered: true, { .call($0, framework: id, connection: connection, call) },
            then: { [self] reply in
                guard framework.life == life, framework.connection == connection else { return }
                framework.isCalling = false
                guard reply != .accepted else { return sendNextCall(framework) }
                // As unmodified schedulers do: any failure ends the connection, and a new one is made.
                hangUp(framework)
                breakConnection(connection)
                planSubscription(framework)
            })
    }

    func hangUp(_ framework: SimulatedFramework) {
        framework.connection = nil
        framework.outbox = []
        framework.isCalling = false
    }

    func receive(_ event: SchedulerEvent, _ framework: SimulatedFramework, _ connection: ConnectionID) {
        guard framework.connection == connection else { return }
        note("framework\(framework.index) <- \(event)")
        switch event {
        case .subscribed(let id, _, _): framework.info.id = id
        case .offers(let offers): for offer in offers { answer(offer, framework) }
        case .update(let status): take(status, framework)
        case .error(let why):
            hangUp(framework)
            // A framework that was removed starts anew; its old tasks are over.
            if why.contains("removed") { framework.isRemoved = true } else { planSubscription(framework) }
        case .rescind, .message, .failure, .operation, .heartbeat: break
        }
    }

    private func answer(_ offer: Offer, _ framework: SimulatedFramework) {
        if random.chance(80) { return }  // never answered: its master must cope
        let wantsMore = !isQuiet && framework.launchesLeft > 0
        guard wantsMore, random.chance(700) else {
            let refuse = isQuiet ? Duration.seconds(120) : random.milliseconds(0...10_000)
            call(framework, .decline(offers: [offer.id], filters: OfferFilters(refuse: refuse)))
            return
        }
        var infos: [TaskInfo] = []
        var left = offer.resources
        let group = random.chance(350) ? group(of: framework, in: &left) : nil
        for _ in 0...(random.next() % 3) where framework.launchesLeft > 0 {
            let over = random.chance(30) ? 100.0 : 0.0
            let wanted = [Resource.scalar("cpus", 0.5 + over), .scalar("mem", 64)]
            guard let resources = try? Resources(wanted), over > 0 || left.contains(resources) else { break }
            left = (try? left.subtracting(resources)) ?? left
            let id = TaskID("f\(framework.index)-t\(framework.nextTask)")
            framework.nextTask += 1
            framework.launchesLeft -= 1
            framework.tasks[id] = SimulatedFramework.TaskView(
                agent: offer.agentID, isDoomed: group.map { Self.isDoomed($0.executorID) } ?? false)
            let uris = random.chance(300) ? [CommandURI(value: "http://files/one")] : []
            infos.append(
                TaskInfo(
                    name: "task", taskID: id, agentID: offer.agentID, resources: resources,
                    command: CommandInfo(value: "true", uris: uris)))
        }
        if let group, !infos.isEmpty { framework.groups[group.executorID] = offer.agentID }
        let accept = SchedulerCall.accept(
            offers: [offer.id], operations: [group.map { .launchGroup($0, tasks: infos) } ?? .launch(infos)],
            filters: OfferFilters(refuse: .seconds(1)))
        call(framework, accept)
        if random.chance(50) { call(framework, accept) }  // a client that does not trust its first answer
    }

    /// A group that takes something for itself, if that is there. Now and then it has the executor of an earlier one.
    private func group(of framework: SimulatedFramework, in left: inout Resources) -> TaskGroup? {
        guard let own = try? Resources([.scalar("cpus", 0.1), .scalar("mem", 32)]), left.contains(own) else {
            return nil
        }
        left = (try? left.subtracting(own)) ?? left
        let earlier = random.chance(100) ? framework.groups.keys.sorted().randomElement(using: &random) : nil
        let kind = random.chance(400) ? "doomed" : "well"
        return TaskGroup(
            executorID: earlier ?? ExecutorID("f\(framework.index)-e\(framework.nextTask)-\(kind)"), resources: own)
    }

    /// Whether the first task of a group is to end badly, and nothing but that to end the others.
    static func isDoomed(_ executor: ExecutorID) -> Bool { executor.value.hasSuffix("doomed") }

    private func take(_ status: TaskStatus, _ framework: SimulatedFramework) {
        guard var view = framework.tasks[status.taskID] else {
            fail("framework\(framework.index) hears of a task that it never launched: \(status.taskID)")
            return
        }
        if let end = view.end {
            // An end may be told again, by its update or by reconciliation; it may not change, and nothing may follow.
            if status.state != end, !(status.uuid == nil && status.state == .unknown), !isForgotten(status, end) {
                fail("\(status.taskID) was told to end as \(end) and is then told \(status.state): \(status)")
            }
        } else if status.state.isTerminal {
            view.end = status.state
            view.endUUID = status.uuid
            if status.message?.contains("of its group") == true { sharedFates += 1 }
            if status.message?.contains("does not have the task's resources") == true { shortages += 1 }
        }
        view.state = status.state
        framework.tasks[status.taskID] = view
        if let uuid = status.uuid, let agent = status.agentID, !random.chance(isQuiet ? 0 : 60) {
            call(framework, .acknowledge(agent: agent, task: status.taskID, uuid: uuid))
        }
    }

    /// Reconciliation asked before the end was known and answered after the master had let go of the task.
    private func isForgotten(_ status: TaskStatus, _ end: TaskState) -> Bool {
        if status.uuid == nil, status.reason == .reconciliation, status.state == .lost { return true }
        // A repeated ACCEPT of a task that was invalid: it never started, whichever way that is said.
        return end == .error && status.reason == .invalidOffers
    }
}
