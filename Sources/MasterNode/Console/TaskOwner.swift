internal import ClusterModel
internal import Console
internal import Deployments
internal import JobsCore
internal import JobsFramework
internal import ServicesCore
internal import ServicesFramework

extension ConsoleDesk {
    /// The service or job that a task belongs to.
    func owner(of task: TaskKey) async -> (kind: String, reference: TaskPage.Reference)? {
        if let core = try? await node.builtIns?.services?.view(), let instance = core.instance(ofTask: task.task) {
            let path = instance.record.service.path
            return ("Service", .init(path, Link("services", String(path.dropFirst()))))
        }
        guard let core = try? await node.builtIns?.jobs?.view(), core.framework == task.framework else { return nil }
        let live = core.runs.values.first { run in run.tasks.contains { $0.id == task.task } }?.job.id
        let ended = core.jobs.values.first { state in
            (state.history.successes + state.history.failures).contains { $0.tasks.contains(task.task) }
        }
        guard let job = live ?? ended?.job.id else { return nil }
        return ("Job", .init(job.value, Link("jobs", job.value)))
    }
}
