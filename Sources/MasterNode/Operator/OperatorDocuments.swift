internal import ClusterModel
internal import MasterCore
internal import MesosWire
internal import Scheduling

/// The answers of the operator interface that describe the cluster.
struct OperatorDocuments {
    let view: ClusterView

    func state() -> WireOperatorResponse.GetState {
        var state = WireOperatorResponse.GetState()
        state.getTasks = tasks()
        state.getExecutors = executors()
        state.getFrameworks = frameworks()
        state.getAgents = agents()
        return state
    }

    func agents() -> WireOperatorResponse.GetAgents {
        var answer = WireOperatorResponse.GetAgents()
        answer.agents = view.agents.filter(\.isListed).map { agent($0) }
        answer.recoveredAgents = view.agents.filter { $0.session == .recovered }.map { WireAgentInfo($0.info) }
        return answer
    }

    func agent(_ agent: AgentState) -> WireOperatorResponse.GetAgents.Agent {
        WireOperatorResponse.GetAgents.Agent(
            agent.info, isActive: agent.isActive, registered: agent.registeredAt, reregistered: agent.reregisteredAt,
            allocated: view.used(on: agent), offered: view.offered(on: agent.id))
    }

    func frameworks() -> WireOperatorResponse.GetFrameworks {
        var answer = WireOperatorResponse.GetFrameworks()
        answer.frameworks = view.frameworks.map { framework($0) }
        answer.completedFrameworks = view.core.completedFrameworks.map { framework($0) }
        return answer
    }

    func framework(_ framework: FrameworkState) -> WireOperatorResponse.GetFrameworks.Framework {
        WireOperatorResponse.GetFrameworks.Framework(
            framework.info, isActive: framework.isConnected, isConnected: framework.isConnected,
            registered: framework.registeredAt, reregistered: framework.reregisteredAt,
            unregistered: framework.removedAt, offers: view.core.offers.offers(to: framework.id),
            allocated: view.used(by: framework), offered: view.offered(to: framework.id))
    }

    func tasks() -> WireOperatorResponse.GetTasks {
        var answer = WireOperatorResponse.GetTasks()
        for framework in view.frameworks + view.core.completedFrameworks {
            for task in view.tasks(of: framework) {
                if task.state == .unreachable {
                    answer.unreachableTasks.append(WireTask(task))
                } else {
                    answer.tasks.append(WireTask(task))
                }
            }
            answer.completedTasks += framework.completedTasks.map { WireTask($0) }
        }
        return answer
    }

    /// The executors of task groups; single tasks have none of their own.
    func executors() -> WireOperatorResponse.GetExecutors {
        var answer = WireOperatorResponse.GetExecutors()
        for framework in view.frameworks {
            answer.executors += view.executors(of: framework).map { agent, group in
                var group = group
                group.frameworkID = framework.id
                var executor = WireOperatorResponse.GetExecutors.Executor()
                executor.agentID = WireAgentID(agent)
                executor.executorInfo = WireExecutorInfo(group, ResourceForm(.both))
                return executor
            }
        }
        return answer
    }

    func roles() -> WireOperatorResponse.GetRoles {
        var answer = WireOperatorResponse.GetRoles()
        answer.roles = view.core.allocator.shares().sorted { $0.role < $1.role }.map { share in
            var role = WireRole()
            role.name = share.role.value
            role.weight = share.weight
            role.frameworks = share.frameworks.map { WireFrameworkID($0.framework) }
            role.resources = share.allocated.map { amount in
                let kind = ResourceKind(name: amount.name)
                return WireResource(Resource(kind: kind, value: .scalar(amount.amount)), ResourceForm(.both))
            }
            return role
        }
        return answer
    }

    func weights() -> WireOperatorResponse.GetWeights {
        var answer = WireOperatorResponse.GetWeights()
        answer.weightInfos = view.core.allocator.shares().sorted { $0.role < $1.role }.map { share in
            var weight = WireWeightInfo()
            weight.role = share.role.value
            weight.weight = share.weight
            return weight
        }
        return answer
    }
}

extension WireTask {
    /// The message for a task as the core has it.
    init(_ task: TaskRecord) {
        self.init(
            task.launch.task, of: task.launch.frameworkID, state: task.state, statuses: task.statuses,
            user: task.launch.user, role: task.launch.role)
        if let group = task.launch.group { executorID = WireExecutorID(group.executorID) }
    }
}
