internal import AgentNode
internal import ClusterModel
internal import Glibc
internal import ImageStore
internal import Transport

/// The images of this machine, for the containers of its agent: the store that `rondo image` works on.
struct LocalImages: ImageProvider {
    private let store: ImageStore
    private let transport: Transport

    /// Opens the store; nil where it cannot be used, as without the rights of root.
    ///
    /// - Parameters:
    ///   - root: the directory of the store.
    ///   - transport: for registries; must outlive it.
    init?(root: String, transport: Transport) {
        guard geteuid() == 0, let store = try? ImageStore(root: root) else { return nil }
        self.store = store
        self.transport = transport
    }

    func provide(_ reference: String, isFresh: Bool, for container: ContainerID) async throws -> ProvidedImage {
        let name = try ImageReference(parsing: reference)
        var options = PullOptions()
        options.onlyMissing = !isFresh
        options.transport = transport
        let image = try await store.pull(name, options: options)
        // Kept before its layers are named, so that nobody removes them in between.
        try store.retain(image, by: container.value)
        let config = image.config
        return ProvidedImage(
            layers: try await store.layers(of: image), entrypoint: config.entrypoint, command: config.cmd,
            environment: config.env, user: config.user, workingDirectory: config.workingDirectory)
    }

    func release(_ container: ContainerID) { try? store.release(by: container.value) }
}
