internal import Deployments
internal import FrameworkRuntime
internal import ServicesCore

/// A service as those see it who find services by their labels.
public struct LabelledService: Hashable, Sendable {
    /// Its path, such as `/shop/db`.
    public var id: String
    /// All its labels.
    public var labels: [String: String]
}

extension ServicesFramework {
    /// The services that have a label, in the order of their paths.
    ///
    /// - Parameter label: its name.
    /// - Returns: what is there now.
    /// - Throws: when the framework has ended.
    public func services(labelled label: String) async throws -> [LabelledService] {
        let core = try await driver.snapshot().core
        return core.root.allWorkloads.compactMap(\.service).filter { $0.labels[label] != nil }
            .sorted { $0.id < $1.id }.map { LabelledService(id: $0.id.path, labels: $0.labels) }
    }

    /// The images that services and pods name, as they name them.
    ///
    /// - Returns: what is there now.
    /// - Throws: when the framework has ended.
    public func imagesInUse() async throws -> Set<String> {
        let core = try await driver.snapshot().core
        return Set(
            core.root.allWorkloads.flatMap { workload in
                switch workload {
                case .service(let service): [service.container?.image?.reference].compactMap(\.self)
                case .pod(let pod): pod.containers.compactMap { $0.image?.reference }
                }
            })
    }
}
