internal import ClusterModel

/// How a run becomes a task.
enum RunTaskInfo {
    /// The task of a run with this name, on an offer of which it takes these resources.
    static func task(for run: JobRun, _ id: TaskID, on offer: Offer, _ resources: Resources) -> TaskInfo {
        let plan = run.job.run
        // As Metronome names them: the most special part first.
        let name = ([run.id.value] + run.job.id.value.split(separator: ".").map(String.init).reversed())
            .joined(separator: ".")
        var task = TaskInfo(
            name: name, taskID: id, agentID: offer.agentID, resources: resources, command: command(plan),
            killGracePeriod: plan.killGrace.map { .seconds($0) },
            labels: run.job.labels.sorted { $0.key < $1.key }.map { Label(key: $0.key, value: $0.value) })
        var files: [SecretFile] = []
        for volume in plan.volumes {
            switch volume {
            case .secret(let path, let name):
                files.append(SecretFile(path: path, secret: TaskSecret(name: plan.secrets[name] ?? name)))
            case .host: break
            }
        }
        if !files.isEmpty { task.secretFiles = files }
        task.container = container(plan)
        if plan.ucr.map({ $0.kind != "docker" }) ?? false { task.unsupported.append("ucr.image.kind") }
        return task
    }

    /// The container of a run; nil for the host's own root.
    static func container(_ plan: RunPlan) -> ContainerInfo? {
        let volumes = plan.volumes.compactMap { volume -> ContainerVolume? in
            guard case .host(let place, let path, let isReadOnly) = volume else { return nil }
            return ContainerVolume(containerPath: place, isReadOnly: isReadOnly, source: .host(path))
        }
        let hasNetwork = plan.networks.contains { $0.mode != .host }
        guard plan.docker != nil || plan.ucr != nil || !volumes.isEmpty || hasNetwork else { return nil }
        var container = ContainerInfo(
            kind: plan.docker != nil ? .docker : .mesos, image: plan.docker?.image ?? plan.ucr?.image)
        container.pullsAlways = plan.docker?.forcesPull ?? plan.ucr?.forcesPull ?? false
        container.isPrivileged = plan.docker?.isPrivileged ?? plan.ucr?.isPrivileged ?? false
        container.parameters = (plan.docker?.parameters ?? []).map { .init(key: $0.key, value: $0.value) }
        container.volumes = volumes
        switch plan.networks.first?.mode {
        case nil, .host: break
        case .bridge: container.network = .bridge
        case .container: container.network = .named(plan.networks.first?.name ?? "")
        }
        return container
    }

    private static func command(_ plan: RunPlan) -> CommandInfo {
        let environment = plan.environment.sorted { $0.key < $1.key }.map { name, value in
            switch value {
            case .text(let text): CommandInfo.Variable(name: name, value: text)
            case .secret(let secret):
                CommandInfo.Variable(name: name, secret: TaskSecret(name: plan.secrets[secret] ?? secret))
            }
        }
        let uris = plan.artifacts.map {
            CommandURI(value: $0.uri, isExecutable: $0.isExecutable, isExtracted: $0.isExtracted)
        }
        let isShell = plan.command != nil
        // An image has a program of its own, which gets the arguments.
        let hasImage = plan.docker != nil || plan.ucr != nil
        return CommandInfo(
            isShell: isShell, value: plan.command ?? (hasImage ? nil : plan.arguments?.first),
            arguments: plan.arguments ?? [],
            environment: environment, uris: uris, user: plan.user)
    }
}

extension RunPlan {
    /// The accounts that whoever makes the job has to be allowed to run tasks as.
    ///
    /// - Parameter framework: the user of the framework that starts runs.
    /// - Returns: one or more names.
    public func accounts(framework: String) -> [String] {
        let container = RunTaskInfo.container(self)
        let inside = (container?.parameters ?? []).filter { $0.key == "user" }.map(\.value)
        return [user ?? framework] + inside + (container?.reachesHost ?? false ? ["root"] : [])
    }
}
