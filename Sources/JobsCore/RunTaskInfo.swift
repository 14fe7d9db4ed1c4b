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
            case .host: if !task.unsupported.contains("volumes") { task.unsupported.append("volumes") }
            }
        }
        if !files.isEmpty { task.secretFiles = files }
        if plan.docker != nil || plan.ucr != nil { task.unsupported.append("container") }
        if plan.networks.contains(where: { $0.mode != .host }) { task.unsupported.append("networks") }
        return task
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
        return CommandInfo(
            isShell: isShell, value: plan.command ?? plan.arguments?.first, arguments: plan.arguments ?? [],
            environment: environment, uris: uris, user: plan.user)
    }
}
