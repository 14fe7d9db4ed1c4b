extension GroupDefinition {
    /// What is wrong with the tree as a whole: names, places and circles. What is wrong with each definition is said by
    /// the definitions.
    public func violations() -> [Violation] {
        var found = Violations()
        checkPlaces(&found, "")
        do throws(PlanError) {
            _ = try DependencyGraph(self).layers()
        } catch {
            switch error {
            case .cycle(let ids):
                let names = ids.prefix(10).map(\.path).joined(separator: ", ")
                found.add("/", "Dependency graph has cyclic dependencies. Part of them or waiting for them: \(names)")
            }
        }
        return found.found
    }

    private func checkPlaces(_ found: inout Violations, _ path: String) {
        for defect in id.defects { found.add(path + "/id", defect) }
        for (index, app) in services.keys.sorted().enumerated() where app.parent != id || app.isRoot {
            found.add(path + "/apps(\(index))", "App has to be child of group with parent id")
        }
        for (index, pod) in pods.keys.sorted().enumerated() where pod.parent != id || pod.isRoot {
            found.add(path + "/pods(\(index))", "Pod has to be child of group with parent id")
        }
        found.check(
            services.keys.allSatisfy { pods[$0] == nil }, path.isEmpty ? "/" : path,
            "Applications and Pods may not share the same id")
        found.check(
            services.keys.allSatisfy { groups[$0] == nil }, path.isEmpty ? "/" : path,
            "Groups and Applications may not have the same identifier.")
        found.check(
            pods.keys.allSatisfy { groups[$0] == nil }, path.isEmpty ? "/" : path,
            "Groups and Pods may not have the same identifier.")
        found.check(
            enforceRole == nil || id.parent.isRoot && !id.isRoot, path + "/enforceRole",
            "enforceRole can only be set for top-level groups, and \(id) is not top-level")
        found.atMost(dependencies.count, DefinitionLimits.dependencies, path + "/dependencies")
        for (index, group) in groups.values.sorted(by: { $0.id < $1.id }).enumerated() {
            if group.id.parent != id || group.id.isRoot {
                found.add(path + "/groups(\(index))/id", "Identifier is not child of '\(id)'")
            }
            group.checkPlaces(&found, path + "/groups(\(index))")
        }
    }
}
