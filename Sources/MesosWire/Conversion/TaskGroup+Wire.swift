public import ClusterModel

extension TaskGroup {
    /// Reads the executor of a task group. What is wrong with it becomes its `defect`, so that each task of the group is
    /// answered.
    public init(_ wire: WireExecutorInfo) {
        self.init(executorID: wire.executorID.unchecked(), resources: Resources(), defect: Self.defect(of: wire))
        if wire.hasFrameworkID { frameworkID = wire.frameworkID.unchecked() }
        do throws(WireError) {
            resources = try Resources(wire.resources)
        } catch {
            defect = defect ?? error.inside("executor.resources").message
        }
        guard wire.hasContainer else { return }
        do throws(WireError) {
            container = try ContainerInfo.read(wire.container)
        } catch {
            defect = defect ?? error.inside("executor.container").message
        }
        if let name = ContainerInfo.unsupported(in: wire.container).first {
            defect = defect ?? "not supported yet: executor.\(name); leave it out of the executor"
        }
    }

    private static func defect(of wire: WireExecutorInfo) -> String? {
        switch wire.type {
        case .default:
            wire.hasCommand ? "'ExecutorInfo.command' must not be set for 'DEFAULT' executor" : nil
        case .custom: "executors of type CUSTOM are not supported; a task group takes one of type DEFAULT"
        case .unknown: "Unknown executor type; a task group takes one of type DEFAULT"
        }
    }
}

extension WireExecutorInfo {
    /// Makes the message for the executor of a task group.
    public init(_ group: TaskGroup, _ form: ResourceForm) {
        self.init()
        type = .default
        executorID = WireExecutorID(group.executorID)
        if let id = group.frameworkID { frameworkID = WireFrameworkID(id) }
        resources = group.resources.wire(form)
        if let container = group.container { self.container = WireContainerInfo(container, secrets: []) }
    }
}
