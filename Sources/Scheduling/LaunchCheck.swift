public import ClusterModel

/// A resource of which a task wants more than its offers have left.
public struct Shortage: Hashable, Sendable {
    /// What is short.
    public var kind: ResourceKind
    /// How much the task wants.
    public var wanted: ResourceValue
    /// How much the offers have left; nil when they have none of this kind.
    public var available: ResourceValue?
    /// What is wanted beyond what is left: the amount, numbers or names.
    public var missing: ResourceValue
    /// Reservations under which the offers have the same resource; the task could name one of them.
    public var otherwiseReserved: [RoleName]
}

extension Shortage: CustomStringConvertible {
    /// Which resource, how much is wanted, how much is left, how much is missing.
    public var description: String {
        let role = kind.reservations.isEmpty ? "" : "(\(kind.role))"
        let left = available?.description ?? "none"
        let hint =
            otherwiseReserved.isEmpty
            ? "" : " (the offers have \(kind.name) for role \(otherwiseReserved.map(\.value).joined(separator: ", ")))"
        return "\(kind.name)\(role): \(wanted) wanted, \(left) left in the offers, \(missing) short\(hint)"
    }
}

/// Why a task cannot be launched from its offers.
public enum LaunchError: Error, Hashable, Sendable {
    /// A task must use something, as in Mesos.
    case noResources
    /// The offers do not have what it wants.
    case insufficient([Shortage])
}

extension LaunchError: CustomStringConvertible {
    /// What is short and by how much.
    public var description: String {
        switch self {
        case .noResources: "the task uses no resources: give it at least some cpus or mem"
        case .insufficient(let shortages):
            "the task uses more than its offers have left: " + shortages.map(\.description).joined(separator: "; ")
        }
    }
}

/// Whether the tasks of one ACCEPT fit into its offers, one after the other.
public struct LaunchCheck: Sendable {
    /// What the offers still have.
    public private(set) var left: Resources

    /// Begins with all that the offers have together.
    public init(offered: Resources) { left = offered }

    /// Takes a task's resources from what is left.
    /// - Throws: what is wrong; nothing is taken then, so later tasks may still fit.
    public mutating func take(_ wanted: Resources) throws(LaunchError) {
        guard !wanted.isEmpty else { throw .noResources }
        do throws(ResourceError) { try left.subtract(wanted) } catch { throw .insufficient(shortages(wanted)) }
    }

    /// Checks tasks in order.
    /// - Returns: for each task nil when it fits, else what is wrong; and what the offers have left after all of them.
    public static func check(
        _ tasks: [Resources], offered: Resources
    ) -> (errors: [LaunchError?], left: Resources) {
        var check = LaunchCheck(offered: offered)
        let errors = tasks.map { wanted -> LaunchError? in
            do throws(LaunchError) {
                try check.take(wanted)
                return nil
            } catch {
                return error
            }
        }
        return (errors, check.left)
    }

    private func shortages(_ wanted: Resources) -> [Shortage] {
        wanted.items.compactMap { item in
            let mine = left.items.first { $0.kind == item.kind }?.value
            guard let missing = Self.missing(item, from: mine) else { return nil }
            let elsewhere = left.items.filter { $0.kind.name == item.kind.name && $0.kind != item.kind }
            return Shortage(
                kind: item.kind, wanted: item.value, available: mine, missing: missing,
                otherwiseReserved: Set(elsewhere.map(\.kind.role)).sorted())
        }
    }

    private static func missing(_ item: Resource, from available: ResourceValue?) -> ResourceValue? {
        guard let available else { return item.value }
        switch (item.value, available) {
        case (.scalar(let wanted), .scalar(let left)):
            guard wanted > left else {
                // A persistent volume is used whole or not at all.
                return item.kind.disk?.persistenceID != nil && wanted != left ? .scalar(wanted) : nil
            }
            return wanted.subtracting(left).map { .scalar($0) }
        case (.ranges(let wanted), .ranges(let left)):
            let missing = wanted.subtracting(left)
            return missing.isEmpty ? nil : .ranges(missing)
        case (.set(let wanted), .set(let left)):
            let missing = wanted.subtracting(left)
            return missing.isEmpty ? nil : .set(missing)
        default: return item.value
        }
    }
}
