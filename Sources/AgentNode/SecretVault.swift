internal import ClusterModel
internal import FoundationEssentials
internal import Synchronization

/// The values of secrets of tasks that have not started yet. They are here and nowhere else: what the agent keeps on
/// disk has only their names, so an agent that is restarted in between cannot start those tasks.
final class SecretVault: Sendable {
    private let values = Mutex<[ContainerID: [String]]>([:])
    private let credentials = Mutex<[ContainerID: String]>([:])

    /// Keeps what came with a launch: values of secrets, and who to be at the registry of the task's image.
    func put(_ texts: [String]?, _ credential: String?, for id: ContainerID) {
        if let texts { values.withLock { $0[id] = texts } }
        if let credential { credentials.withLock { $0[id] = credential } }
    }

    /// Takes out who to be at the registry.
    func takeCredential(for id: ContainerID) -> String? { credentials.withLock { $0.removeValue(forKey: id) } }

    /// Takes a task's values out, as many as it has secrets, in the order of ``TaskInfo/secrets``.
    func take(_ count: Int, for id: ContainerID) throws(TaskError) -> [[UInt8]] {
        if count == 0 { return [] }
        guard let texts = values.withLock({ $0.removeValue(forKey: id) }) else {
            throw TaskError(
                "the agent does not have the values of the task's secrets, which are kept in memory until it starts; the "
                    + "agent was restarted before that, so launch the task again")
        }
        let bytes = texts.compactMap { Data(base64Encoded: $0).map { [UInt8]($0) } }
        guard bytes.count == count else {
            throw TaskError("the master sent \(bytes.count) values for the task's \(count) secrets; upgrade it")
        }
        return bytes
    }

    func drop(_ id: ContainerID) {
        values.withLock { $0[id] = nil }
        credentials.withLock { $0[id] = nil }
    }
}
