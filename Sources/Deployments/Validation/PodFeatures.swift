extension PodDefinition {
    /// What it asks for and the cluster cannot do.
    func checkFeatures(_ rules: ValidationRules, _ found: inout Violations) {
        found.check(
            rules.features.contains(.pods), "/",
            "pods are not supported by this cluster; use services that depend on each other")
        // Below these amounts the master refuses executors, as Mesos' does.
        found.atLeast(executorResources.cpus, 0.01, "/executorResources/cpus")
        found.atLeast(executorResources.mem, 32, "/executorResources/mem")
        found.atLeast(executorResources.disk, 0, "/executorResources/disk")
        found.check(
            legacySharedCgroups != true, "/legacySharedCgroups",
            "each container has a control group of its own; leave it out")
        let hasOwnNetwork = networks.contains { $0.mode != .host }
        found.check(
            !hasOwnNetwork || rules.features.contains(.networks), "/networks",
            "networks other than host are not supported by this cluster")
        found.check(networks.count < 2, "/networks", "got \(networks.count), this cluster supports one")
        found.check(
            linux == nil || rules.features.contains(.linuxSettings), "/linuxInfo",
            "seccomp profiles and shared memory are not supported by this cluster; leave them out")
        for (index, volume) in volumes.enumerated() {
            guard case .host(let path) = volume.source, !path.hasPrefix("/") else { continue }
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            found.check(
                parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }, "/volumes(\(index))/host",
                "a relative path is below the pod's directory and has no empty parts or dots")
        }
        for (index, container) in containers.enumerated() {
            var own = Violations()
            container.checkFeatures(rules, in: self, hasOwnNetwork, &own)
            found.add(own.found, below: "/containers(\(index))")
        }
    }
}

extension PodContainer {
    fileprivate func checkFeatures(
        _ rules: ValidationRules, in pod: PodDefinition, _ hasOwnNetwork: Bool, _ found: inout Violations
    ) {
        func need(_ feature: WorkloadFeature, _ isAsked: Bool, _ path: String, _ message: String) {
            found.check(!isAsked || rules.features.contains(feature), path, message)
        }
        need(
            .images, image != nil, "/image",
            "containers from images are not supported by this cluster; leave out the image and run a command")
        need(
            .pullSecrets, image?.pullSecret != nil, "/image/pullConfig",
            "credentials of a pod's own are not supported by this cluster; use rondo image login, or leave it out")
        need(
            .resourceLimits, resourceLimits != nil, "/resourceLimits",
            "resource limits are not supported by this cluster; leave them out")
        need(
            .healthChecks, healthCheck != nil, "/healthCheck",
            "health checks are not supported by this cluster; leave it out")
        need(.statusChecks, check != nil, "/check", "checks are not supported by this cluster; leave it out")
        need(
            .linuxSettings, linux != nil, "/linuxInfo",
            "seccomp profiles and shared memory are not supported by this cluster; leave them out")
        need(.terminals, tty == true, "/tty", "terminals are not supported by this cluster; leave it out")
        found.check(
            image != nil || !hasOwnNetwork, "/image",
            "a container without an image runs in the files of its agent, which takes host networking")
        for (index, mount) in volumeMounts.enumerated() {
            let path = "/volumeMounts(\(index))"
            let source = pod.volumes.first { $0.name == mount.name }?.source
            if case .secret = source {
                found.check(
                    !mount.mountPath.hasPrefix("/") || rules.features.contains(.secretMounts), path + "/mountPath",
                    "secrets are put below the work directory only; use a path that does not begin with /")
            } else {
                found.check(
                    image != nil, path, "volumes need an image: without one a task runs in the files of its agent")
            }
        }
    }
}
