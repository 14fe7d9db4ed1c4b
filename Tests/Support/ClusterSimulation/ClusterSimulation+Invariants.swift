import AgentCore
import ClusterModel
import MasterCore
import Scheduling

extension ClusterSimulation {
    /// What the master must hold true after every step.
    func checkStep() {
        guard let master, violation == nil else { return }
        for id in master.agents.keys where master.allocator.hasAgent(id) {
            guard let total = master.allocator.total(of: id), let free = master.allocator.free(on: id) else { continue }
            var booked: [Resources] = master.offers.offers(on: id).map(\.resources)
            var groups: Set<Pair> = []
            for task in tasks(of: master, on: id) where task.holdsResources {
                booked.append(task.resources)
                guard let group = task.launch.group else { continue }
                // Once for all of its tasks, until the last of them has ended.
                if groups.insert(Pair(framework: task.launch.frameworkID, group: group)).inserted {
                    booked.append(group.resources)
                }
            }
            var sum = free
            for part in booked {
                guard let next = try? sum.adding(part) else { return fail("agent \(id) has something booked twice") }
                sum = next
            }
            if sum != total { fail("agent \(id): free, offered and used are \(sum), the total is \(total)") }
        }
        for offer in master.offers.all where master.frameworks[offer.frameworkID]?.isConnected != true {
            fail("offer \(offer.id) is out to a framework that is not connected")
        }
        for framework in master.frameworks.values {
            for task in framework.tasks.values where task.state.isTerminal && task.holdsResources {
                fail("task \(task.id) has ended as \(task.state) and still holds \(task.resources)")
            }
        }
    }

    private struct Pair: Hashable {
        var framework: FrameworkID
        var group: TaskGroup
    }

    /// Nothing of a group begins before all of it is stored, and all of it is kept until the last has ended.
    func checkWhole(_ stored: StoredTask, _ agent: SimulatedAgent) {
        guard let group = stored.launch.group, let container = stored.groupContainer else { return }
        for number in group.tasks.indices where agent.disk[ContainerID("\(container).\(number)")] == nil {
            fail("\(stored.launch.key) is started while \(group.tasks[number]) of its group is not stored")
        }
    }

    private func tasks(of master: MasterCore, on agent: AgentID) -> [TaskRecord] {
        (master.agents[agent]?.tasks ?? []).compactMap {
            master.endingTasks[$0] ?? master.frameworks[$0.framework]?.tasks[$0.task]
        }
    }

    /// What the machines must hold true after every step.
    func checkContainers(_ agent: SimulatedAgent) {
        guard violation == nil else { return }
        var used = Resources()
        var keys: Set<TaskKey> = []
        var groups: Set<ContainerID> = []
        for container in agent.containers.values where container.end == nil {
            var own = container.resources
            if let group = container.group, groups.insert(group.id).inserted {
                own = (try? own.adding(group.resources)) ?? own
            }
            guard let sum = try? used.adding(own), agent.total.contains(sum) else {
                return fail("agent\(agent.index) runs more than it has")
            }
            used = sum
            if !keys.insert(container.key).inserted {
                fail("two copies of \(container.key) run on agent\(agent.index)")
            }
        }
        for other in agents where other !== agent {
            for container in other.containers.values where container.end == nil && keys.contains(container.key) {
                fail("\(container.key) runs on agent\(agent.index) and on agent\(other.index)")
            }
        }
    }

    /// What must be true once the faults are over and everybody had time.
    func checkEnd() {
        guard let master else { return fail("the master is not up") }
        if master.recoveryDeadline != nil { fail("the master still recovers") }
        for agent in agents where !agent.hasStopped {
            if agent.core?.isRegistered != true { fail("agent\(agent.index) is not registered") }
            for task in agent.core?.currentTasks ?? [] {
                fail("agent\(agent.index) still has \(task.stored.launch.key), last \(task.status)")
            }
            for (id, container) in agent.containers where container.end == nil { fail("container \(id) still runs") }
            if !agent.disk.isEmpty { fail("agent\(agent.index) still keeps \(agent.disk.keys.sorted())") }
        }
        for framework in frameworks where !framework.isRemoved {
            if framework.connection == nil { fail("framework\(framework.index) is not connected") }
            for (id, view) in framework.tasks where view.end == nil {
                let isKnown = view.state == .unknown
                if !isKnown { fail("\(id) never ended; its framework last heard \(String(describing: view.state))") }
            }
        }
        if let task = master.endingTasks.keys.first { fail("the master still waits for the end of \(task)") }
        for (id, framework) in master.frameworks {
            if let task = framework.tasks.values.first {
                fail("the master still has \(task.id) of \(id): \(task.state)")
            }
        }
    }
}
