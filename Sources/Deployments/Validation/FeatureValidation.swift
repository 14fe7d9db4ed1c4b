extension ServiceDefinition {
    /// What it asks for and the cluster cannot do.
    func checkFeatures(_ rules: ValidationRules, _ found: inout Violations) {
        func need(_ feature: WorkloadFeature, _ isAsked: Bool, _ path: String, _ message: String) {
            found.check(!isAsked || rules.features.contains(feature), path, message)
        }
        need(
            .images, container?.image != nil, "/container/docker/image",
            "containers from images are not supported by this cluster; leave out the image and run a cmd")
        need(
            .pullSecrets, container?.image?.pullSecret != nil, "/container/docker/pullConfig",
            "containers from images are not supported by this cluster; leave it out")
        need(
            .networks, networks.contains { $0.mode != .host }, "/networks",
            "networks other than host are not supported by this cluster")
        need(
            .healthChecks, !healthChecks.isEmpty, "/healthChecks",
            "health checks are not supported by this cluster; leave them out")
        need(
            .severalHealthChecks, healthChecks.count > 1, "/healthChecks",
            "got \(healthChecks.count), this cluster supports one")
        need(.statusChecks, check != nil, "/check", "checks are not supported by this cluster; leave it out")
        need(
            .readinessChecks, !readinessChecks.isEmpty, "/readinessChecks",
            "readiness checks are not supported by this cluster; leave them out")
        need(
            .resourceLimits, resourceLimits != nil, "/resourceLimits",
            "resource limits are not supported by this cluster; leave them out")
        need(
            .linuxSettings, container?.linux != nil, "/container/linuxInfo",
            "seccomp profiles and shared memory are not supported by this cluster; leave them out")
        need(.terminals, tty == true, "/tty", "terminals are not supported by this cluster; leave it out")
        need(
            .executors, !executor.isEmpty && executor != "//cmd", "/executor",
            "executors of one's own are not supported by this cluster; leave it out")
        checkMounts(rules, &found)
    }

    private func checkMounts(_ rules: ValidationRules, _ found: inout Violations) {
        for (index, volume) in (container?.volumes ?? []).enumerated() {
            let path = "/container/volumes(\(index))"
            switch volume.source {
            case .host:
                found.check(
                    container?.image != nil || rules.features.contains(.secretMounts), path,
                    "volumes need an image: without one a task runs in the files of its agent")
            case .secret:
                found.check(
                    !volume.containerPath.hasPrefix("/") || rules.features.contains(.secretMounts),
                    path + "/containerPath",
                    "secrets are put below the work directory only; use a path that does not begin with /")
            case .persistent, .external: break
            }
        }
    }
}
