internal import ClusterModel

extension Container {
    func violations(secrets: [String: String], networks: [Network]) -> [Violation] {
        var found = Violations()
        if kind == .docker, image == nil { found.add("/docker", "not defined") }
        if let image { checkImage(image, secrets, &found) }
        checkMappings(networks, &found)
        found.atMost(volumes.count, DefinitionLimits.volumes, "/volumes")
        for (index, volume) in volumes.enumerated() {
            found.add(volume.violations(secrets: secrets), below: "/volumes(\(index))")
        }
        return found.found
    }

    private func checkImage(_ image: Image, _ secrets: [String: String], _ found: inout Violations) {
        found.check(!image.reference.isEmpty, "/docker/image", "must not be empty")
        found.check(
            image.reference.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "/docker/image",
            "must not contain white space or characters outside of ASCII")
        found.length(image.reference, 0...DefinitionLimits.text, "/docker/image")
        if let secret = image.pullSecret {
            if kind == .docker {
                found.add("/docker/pullConfig", "pullConfig is not supported with Docker containerizer")
            } else {
                found.check(
                    secrets[secret] != nil, "/docker/pullConfig",
                    "pullConfig.secret must refer to an existing secret")
            }
        }
        if kind == .mesos { found.check(image.parameters.isEmpty, "/docker/parameters", "must be empty") }
        found.atMost(image.parameters.count, DefinitionLimits.texts, "/docker/parameters")
        for (index, parameter) in image.parameters.enumerated() {
            found.check(!parameter.key.isEmpty, "/docker/parameters(\(index))/key", "must not be empty")
            found.check(
                ContainerInfo.knownParameters.contains(parameter.key), "/docker/parameters(\(index))/key",
                "is not one of (\(ContainerInfo.knownParameters.sorted().joined(separator: ",")))")
        }
    }

    private func checkMappings(_ networks: [Network], _ found: inout Violations) {
        let mappings = portMappings ?? []
        let names = networks.compactMap(\.name)
        let needsName = networks.count { $0.mode == .container } > 1
        found.atMost(mappings.count, DefinitionLimits.ports, "/portMappings")
        found.unique(mappings.compactMap(\.name), "/portMappings", "Port names must be unique.")
        for (index, mapping) in mappings.enumerated() {
            let path = "/portMappings(\(index))"
            found.port(mapping.containerPort, path + "/containerPort")
            found.port(mapping.hostPort, path + "/hostPort")
            found.port(mapping.servicePort, path + "/servicePort")
            found.add(portViolations(mapping.name, mapping.networkProtocol), below: path)
            if needsName {
                found.check(
                    mapping.hostPort == nil || mapping.networkNames.count == 1, path,
                    "networkNames must be a single item list when hostPort is specified and more than 1 "
                        + "container network is defined")
            }
            for (position, name) in mapping.networkNames.enumerated() {
                found.check(
                    names.contains(name), path + "/networkNames(\(position))",
                    "is not one of (\(names.joined(separator: ",")))")
            }
        }
    }
}

extension Volume {
    func violations(secrets: [String: String]) -> [Violation] {
        var found = Violations()
        found.check(!containerPath.isEmpty, "/containerPath", "must not be empty")
        found.length(containerPath, 0...DefinitionLimits.text, "/containerPath")
        found.check(
            !containerPath.split(separator: "/").contains(".."), "/containerPath", "must not lead upwards with '..'")
        switch source {
        case .host(let path):
            found.check(!path.isEmpty, "/hostPath", "must not be empty")
            found.length(path, 0...DefinitionLimits.text, "/hostPath")
        case .secret(let name):
            found.check(secrets[name] != nil, "/", "volume.secret must refer to an existing secret")
        case .persistent:
            found.add("/persistent", "persistent volumes are not supported yet; use a host path")
        case .external:
            found.add(
                "/external",
                "Feature external_volumes is not enabled. Enable with --enable_features external_volumes)")
        }
        return found.found
    }
}
