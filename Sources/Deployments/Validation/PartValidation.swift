extension ValidationRules {
    func refusal(of role: String) -> String {
        "got \(role), expected one of: \(roles.sorted().joined(separator: ", "))"
    }
}

extension [Constraint] {
    /// What is wrong with them, by index.
    var violations: [Violation] {
        var found = Violations()
        found.atMost(count, DefinitionLimits.constraints, "/")
        for (index, constraint) in enumerated() {
            if let defect = constraint.defect { found.add("(\(index))", defect) }
        }
        return found.found
    }
}

extension [Artifact] {
    var violations: [Violation] {
        var found = Violations()
        found.atMost(count, DefinitionLimits.artifacts, "/")
        for (index, artifact) in enumerated() {
            let isFit = artifact.uri.utf8.allSatisfy { byte in
                byte > 0x20 && byte != 0x7f && !#"<>"{}|\^`"#.utf8.contains(byte)
            }
            found.check(isFit, "(\(index))/uri", "URI has invalid syntax.")
            found.length(artifact.uri, 1...DefinitionLimits.text, "(\(index))/uri")
            if let path = artifact.destPath { found.length(path, 1...DefinitionLimits.text, "(\(index))/destPath") }
        }
        return found.found
    }
}

extension [String: EnvironmentValue] {
    func violations(secrets: [String: String]) -> [Violation] {
        var found = Violations()
        found.atMost(count, DefinitionLimits.variables, "/")
        for (name, value) in sorted(by: { $0.key < $1.key }) {
            found.check(!name.isEmpty, "/", "must not be empty")
            found.check(
                name.utf8.allSatisfy { $0 != 0 && $0 != UInt8(ascii: "=") }, "/\(name)", "must not contain '='")
            switch value {
            case .secret(let reference):
                found.check(secrets[reference] != nil, "/\(name)/secret", "references an undefined secret")
            case .text(let text): found.plain(text, "/\(name)")
            }
        }
        return found.found
    }
}

extension [String: String] {
    /// What is wrong with names of secrets.
    var secretViolations: [Violation] {
        var found = Violations()
        found.atMost(count, DefinitionLimits.variables, "/")
        for (name, source) in sorted(by: { $0.key < $1.key }) {
            found.check(!name.isEmpty, "/", "must not be empty")
            found.check(!source.isEmpty, "/\(name)/source", "must not be empty")
        }
        return found.found
    }
}

extension ResourceLimits {
    func violations(cpus: Double, mem: Double) -> [Violation] {
        var found = Violations()
        for (limit, wanted, path) in [(self.cpus, cpus, "/cpus"), (self.mem, mem, "/mem")] {
            guard case .amount(let amount) = limit else { continue }
            found.check(
                amount >= wanted, path,
                "resource limit must be greater than or equal to requested resource (\(wanted))")
        }
        return found.found
    }
}

extension [String] {
    /// What is wrong with the roles of resources that may be used.
    func roleViolations(role: String?) -> [Violation] {
        var found = Violations()
        let allowed = Set(["*"] + (role.map { [$0] } ?? []))
        for (index, name) in enumerated() {
            if name.isEmpty || name == "." || name == ".." {
                found.add("(\(index))", "A role name must not be \"\(name)\".")
            }
            found.check(!name.hasPrefix("-"), "(\(index))", "A role name must not start with a '-'.")
        }
        if found.found.isEmpty, !allSatisfy(allowed.contains) {
            found.add("/", "acceptedResourceRoles can only contain \(allowed.sorted().joined(separator: " and "))")
        }
        return found.found
    }
}

extension String? {
    /// What is wrong with an isolation level.
    func violations(_ rules: ValidationRules) -> [Violation] {
        guard let level = self, !rules.isolationLevels.contains(level) else { return [] }
        let known = ["container", "sandbox", "microvm"]
        let why =
            known.contains(level)
            ? "isolation '\(level)' is not supported yet; use one of: "
            : "is not one of the isolation levels: "
        return [Violation(path: "/", message: why + rules.isolationLevels.sorted().joined(separator: ", "))]
    }
}

extension BackoffStrategy {
    func violations(names: (seconds: String, factor: String, longest: String)) -> [Violation] {
        var found = Violations()
        found.atLeast(seconds, 0, names.seconds)
        found.atLeast(factor, 1, names.factor)
        found.atLeast(maxLaunchDelaySeconds, 0, names.longest)
        return found.found
    }
}

extension UpgradeStrategy {
    func violations(isSingle: Bool) -> [Violation] {
        var found = Violations()
        found.within(minimumHealthCapacity, 0...1, "/minimumHealthCapacity")
        found.within(maximumOverCapacity, 0...1, "/maximumOverCapacity")
        if isSingle {
            found.check(
                minimumHealthCapacity == 0, "/minimumHealthCapacity", "got \(minimumHealthCapacity), expected 0.0")
            found.check(maximumOverCapacity == 0, "/maximumOverCapacity", "got \(maximumOverCapacity), expected 0.0")
        }
        return found.found
    }
}

extension UnreachableStrategy {
    var violations: [Violation] {
        guard case .enabled(let inactive, let expunge) = self else { return [] }
        var found = Violations()
        found.check(
            inactive >= 0, "/inactiveAfterSeconds",
            "inactiveAfterSeconds (\(inactive)) must be greater than or equal to 0")
        found.check(
            inactive <= expunge, "/inactiveAfterSeconds",
            "inactiveAfterSeconds (\(inactive)) must be less or equal to expungeAfterSeconds, which is \(expunge)")
        return found.found
    }
}

extension [Network] {
    func violations(defaultName: String?) -> [Violation] {
        var found = Violations()
        found.atMost(count, DefinitionLimits.networks, "/")
        let hasPlainHost = !contains { $0.mode == .host && ($0.name?.isEmpty == false || !$0.labels.isEmpty) }
        found.check(hasPlainHost, "/", "Host networks may not have names or labels")
        let hasPlainBridge = !contains { $0.mode == .bridge && $0.name?.isEmpty == false }
        found.check(hasPlainBridge, "/", "Bridge networks may not have names")
        let unnamed = count { $0.mode == .container && $0.name == nil }
        let names = compactMap(\.name)
        found.check(
            unnamed < 2 && Set(names).count == names.count, "/", "Duplicate networks are not allowed")
        let modes = Set(map(\.mode))
        found.check(
            modes.count <= 1 && (modes.contains(.container) || count <= 1), "/",
            "May specify a single host network, single bridge network, or else 1-to-n container networks")
        found.check(
            unnamed == 0 || defaultName != nil, "/",
            "Network name must be specified when container network is selected.")
        for (index, network) in enumerated() {
            guard let name = network.name else { continue }
            found.length(name, 1...63, "(\(index))/name")
        }
        return found.found
    }
}

extension [String: String] {
    /// What is wrong with a label that has a meaning here.
    var drainViolations: [Violation] {
        var found = Violations()
        if let text = self[Workload.drainLabel], Workload.drainSeconds(text) == nil {
            found.add("/\(Workload.drainLabel)", "must be a number of seconds from 0 to 3600")
        }
        return found.found
    }
}
