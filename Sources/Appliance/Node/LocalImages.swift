internal import AgentNode
internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import ImageStore
internal import Synchronization
internal import Transport

/// The images of this machine, for the containers of its agent: the store that `rondo image` works on.
final class LocalImages: ImageProvider {
    private let store: ImageStore
    private let transport: Transport
    private let owner: String
    /// Containers that may have an image; for all others nothing is written to the disk.
    private let held = Mutex<Set<ContainerID>>([])

    /// Opens the store; nil where it cannot be used, as without the rights of root.
    ///
    /// - Parameters:
    ///   - root: the directory of the store.
    ///   - owner: the agent, of several that use one store.
    ///   - transport: for registries; must outlive it.
    init?(root: String, owner: String = "agent", transport: Transport) {
        guard geteuid() == 0, let store = try? ImageStore(root: root) else { return nil }
        self.store = store
        self.owner = owner
        self.transport = transport
    }

    private func user(_ container: ContainerID) -> String { "\(owner)/\(container)" }

    func provide(
        _ reference: String, isFresh: Bool, credential: String?, master: MasterDoor?, for container: ContainerID
    ) async throws -> ProvidedImage {
        let name = try ImageReference(parsing: reference)
        var options = PullOptions()
        options.onlyMissing = !isFresh
        options.transport = transport
        if let known = credential.flatMap(RegistryCredential.init(encoded:)) {
            options.registry.credentials = RegistryCredentials(name.registry, known)
        }
        options.cluster = master.map { door in
            ClusterSource { (method, path, headers) async throws(HTTPCallError) in
                try await door.ask(method, path, headers)
            }
        }
        options.registry.credentialAdvice = "keep them with `rondo image login \(name.registry)`"
        let image = try await store.pull(name, options: options)
        held.withLock { _ = $0.insert(container) }
        do {
            // Kept before its layers are named, so that nobody removes them in between.
            try store.retain(image, by: user(container))
            let config = image.config
            return ProvidedImage(
                layers: try await store.layers(of: image), entrypoint: config.entrypoint, command: config.cmd,
                environment: config.env, user: config.user, workingDirectory: config.workingDirectory,
                stopSignal: config.stopSignal)
        } catch {
            release(container)
            throw error
        }
    }

    func release(_ container: ContainerID) {
        guard held.withLock({ $0.remove(container) }) != nil else { return }
        try? store.release(by: user(container))
    }

    func keep(only containers: Set<ContainerID>) {
        held.withLock { $0.formUnion(containers) }
        let users = Set(containers.map { user($0) })
        let started = held.withLock { Set($0.map { user($0) }) }
        try? store.release { $0.hasPrefix(owner + "/") && !users.contains($0) && !started.contains($0) }
    }
}
