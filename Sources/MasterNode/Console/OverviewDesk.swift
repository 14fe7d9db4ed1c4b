internal import Access
internal import ClusterModel
internal import Console
internal import Deployments
internal import HTTPGateway
internal import MasterCore
internal import Scheduling
internal import ServicesCore
internal import ServicesFramework

/// The overview.
extension ConsoleDesk {
    /// The most roles, problems and ended tasks that it shows.
    private static let shown = (shares: 12, problems: 12, ended: 8)

    func overview() async throws -> GatewayResponse {
        let core = try await node.snapshot()
        let view = ClusterView(core)
        let services = try? await node.builtIns?.services?.view()
        let shares = core.allocator.shares()
        return page(
            OverviewPage(
                clusterName: node.settings.clusterName, problems: problems(core, services),
                amounts: Self.amounts(view), tallies: tallies(core, services),
                shares: Self.shares(shares), moreShares: max(0, shares.count - Self.shown.shares),
                deployments: services.map { deployments($0).prefix(8).map { $0 } } ?? [],
                ended: Self.ended(core)))
    }

    /// All scalars of the cluster: what tasks hold is what is neither free nor offered.
    private static func amounts(_ view: ClusterView) -> [Amount] {
        var used: [String: Double] = [:]
        var offered: [String: Double] = [:]
        for agent in view.core.agents.values {
            for item in view.used(on: agent).items {
                if case .scalar(let amount) = item.value { used[item.kind.name, default: 0] += amount.value }
            }
            for item in view.offered(on: agent.id).items {
                if case .scalar(let amount) = item.value { offered[item.kind.name, default: 0] += amount.value }
            }
        }
        let usual = ["cpus", "mem", "disk", "gpus"]
        let totals = view.core.allocator.clusterTotal()
        let known = usual.compactMap { name in totals.first { $0.name == name } }
        return (known + totals.filter { !usual.contains($0.name) }).prefix(8).map {
            Amount($0.name, total: $0.amount.value, used: used[$0.name] ?? 0, offered: offered[$0.name] ?? 0)
        }
    }

    private static func shares(_ shares: [RoleShare]) -> [OverviewPage.Share] {
        let active = shares.filter { !$0.frameworks.isEmpty }
        let weights = active.reduce(0) { $0 + $1.weight }
        return shares.sorted { ($1.dominantShare, $0.role) < ($0.dominantShare, $1.role) }.prefix(shown.shares).map {
            share in
            let amounts = share.allocated.filter { !$0.amount.isZero }.map { amount in
                let one = Amount(amount.name, total: 0, used: 0)
                return "\(one.label) \(one.words(amount.amount.value))"
            }
            return OverviewPage.Share(
                role: share.role.value, weight: share.weight, dominant: share.dominantShare,
                resource: share.dominantResource,
                entitled: share.frameworks.isEmpty || weights <= 0 ? 0 : share.weight / weights,
                frameworks: share.frameworks.count,
                allocated: amounts.isEmpty ? "nothing used or offered" : amounts.joined(separator: ", "))
        }
    }

    private func tallies(_ core: MasterCore, _ services: ServicesCore?) -> [OverviewPage.Tally] {
        let words = ["connected", "disconnected", "recovered", "unreachable", "gone"]
        var nodes: [String: Int] = [:]
        for agent in core.agents.values { nodes[agent.session.word, default: 0] += 1 }
        let frameworks = core.frameworks.values
        var tasks: [Tone: Int] = [:]
        var running = 0
        for framework in frameworks {
            for task in framework.tasks.values {
                if task.state == .running, task.isHealthy != false {
                    running += 1
                } else {
                    tasks[States.task(task.state.wireName, isHealthy: task.isHealthy).tone, default: 0] += 1
                }
            }
        }
        var result = [
            OverviewPage.Tally(
                "Nodes", Section.nodes.link, total: core.agents.count,
                counts: words.map { (States.node($0), $0, nodes[$0] ?? 0) }),
            OverviewPage.Tally(
                "Frameworks", Section.frameworks.link, total: frameworks.count,
                counts: [
                    (.good, "connected", frameworks.count { $0.isConnected }),
                    (.warn, "disconnected", frameworks.count { !$0.isConnected }),
                ]),
        ]
        if let services {
            var conditions: [ServiceCondition: Int] = [:]
            for id in services.serviceIDs { conditions[condition(id, services), default: 0] += 1 }
            result.append(
                OverviewPage.Tally(
                    "Services", Section.services.link, total: services.serviceIDs.count,
                    counts: ServiceCondition.allCases.map { ($0.tone, $0.rawValue, conditions[$0] ?? 0) }))
        }
        result.append(
            OverviewPage.Tally(
                "Tasks", Section.tasks.link, total: frameworks.reduce(0) { $0 + $1.tasks.count },
                counts: [
                    (.good, "running", running), (.busy, "under way", tasks[.busy] ?? 0),
                    (.warn, "unreachable", tasks[.warn] ?? 0), (.bad, "unhealthy or failed", tasks[.bad] ?? 0),
                    (.idle, "ended", tasks[.idle] ?? 0),
                ]))
        return result
    }

    // MARK: what is wrong

    private func problems(_ core: MasterCore, _ services: ServicesCore?) -> [OverviewPage.Problem] {
        var found: [OverviewPage.Problem] = []
        if let readOnly = node.condition.readOnly {
            found.append(.init(.bad, "The master cannot write", detail: readOnly.message))
        }
        if core.recoveryDeadline != nil {
            found.append(
                .init(
                    .warn, "The master was started anew and waits for its nodes",
                    detail: "Nothing is offered before all are back or the waiting time is over."))
        }
        for (word, tone) in [("unreachable", Tone.bad), ("disconnected", .warn)] {
            let agents = core.agents.values.filter { $0.session.word == word }.sorted { $0.id < $1.id }
            if agents.isEmpty { continue }
            let names = agents.prefix(3).map(\.info.hostname).joined(separator: ", ")
            let link = agents.count == 1 ? Link.node(agents[0].id.value) : Link("nodes", query: [("state", word)])
            found.append(
                .init(
                    tone, agents.count == 1 ? "Node \(names) is \(word)" : "\(agents.count) nodes are \(word)",
                    detail: agents.count == 1 ? nil : names + (agents.count > 3 ? " …" : ""), link: link))
        }
        for framework in core.frameworks.values.filter({ !$0.isConnected }).sorted(by: { $0.id < $1.id }).prefix(3) {
            found.append(
                .init(
                    .warn, "Framework \(framework.info.name) is disconnected",
                    detail: "Its \(framework.tasks.count) tasks are ended when it does not come back in time.",
                    link: Link("frameworks", framework.id.value)))
        }
        if let services { found += problems(of: services) }
        let sorted = found.filter { $0.tone == .bad } + found.filter { $0.tone != .bad }
        return Array(sorted.prefix(Self.shown.problems))
    }

    private func problems(of services: ServicesCore) -> [OverviewPage.Problem] {
        var found: [OverviewPage.Problem] = []
        for id in services.serviceIDs {
            let counts = services.counts(of: id)
            if counts.unhealthy > 0 {
                let one = counts.unhealthy == 1
                found.append(
                    .init(
                        .bad, "\(id.path) has \(counts.unhealthy) unhealthy \(one ? "instance" : "instances")",
                        detail: nil, link: .service(id.path)))
            }
        }
        for wait in services.queue {
            let id = wait.workload.id
            if wait.delay > .zero, let failure = services.lastFailure(of: id) {
                found.append(
                    .init(
                        .bad, "\(id.path) fails again and again",
                        detail: "Tried again in \(Times.span(wait.delay.inSeconds)). Last time: \(failure.message)",
                        link: .service(id.path), since: failure.timestamp))
            } else if wait.unusedOffers > 0 {
                found.append(
                    .init(
                        .warn, "\(id.path) waits for an offer that fits",
                        detail: wait.lastUnusedOffers.first?.details.joined(separator: "; "), link: .service(id.path),
                        since: wait.since))
            }
        }
        return found
    }

    private static func ended(_ core: MasterCore) -> [OverviewPage.Ended] {
        // The newest are at the end.
        var found = (Array(core.frameworks.values) + core.completedFrameworks).flatMap { framework in
            framework.completedTasks.suffix(200).filter { States.task($0.state.wireName).tone == .bad }
        }
        found.sort { ($0.statuses.last?.timestamp.nanoseconds ?? 0) > ($1.statuses.last?.timestamp.nanoseconds ?? 0) }
        return found.prefix(shown.ended).map { task in
            OverviewPage.Ended(
                task: task.id.value, name: task.launch.task.name, framework: task.launch.frameworkID.value,
                state: task.state.wireName,
                message: task.statuses.last?.message, at: task.statuses.last?.timestamp)
        }
    }
}
