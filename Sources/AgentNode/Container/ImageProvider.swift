public import ClusterModel
public import HTTPGateway
public import HTTPTypes
internal import Synchronization

/// An image as a machine has it, ready for a container.
public struct ProvidedImage: Sendable {
    /// Directories of its layers, the topmost first.
    public var layers: [String]
    /// What is executed, before the command's own arguments.
    public var entrypoint: [String]
    /// What is executed after the entry point when the task says nothing.
    public var command: [String]
    /// `NAME=VALUE` each.
    public var environment: [String]
    /// A name or number, with a group behind a colon; empty for root.
    public var user: String
    /// Where the command starts; empty for the root.
    public var workingDirectory: String
    /// The signal that asks the command to end, by name or number; nil for SIGTERM.
    public var stopSignal: String?

    /// Describes an image.
    public init(
        layers: [String], entrypoint: [String] = [], command: [String] = [], environment: [String] = [],
        user: String = "", workingDirectory: String = "", stopSignal: String? = nil
    ) {
        self.layers = layers
        self.entrypoint = entrypoint
        self.command = command
        self.environment = environment
        self.user = user
        self.workingDirectory = workingDirectory
        self.stopSignal = stopSignal
    }
}

/// Sends requests to the master as the agent, with its certificate or credential.
public struct MasterDoor: Sendable {
    private let open:
        @Sendable (HTTPRequest.Method, String, HTTPFields) async throws(HTTPCallError) -> HTTPCaller.StreamedResponse

    /// A door that a closure opens.
    public init(
        _ open:
            @escaping @Sendable (HTTPRequest.Method, String, HTTPFields) async throws(HTTPCallError) ->
            HTTPCaller.StreamedResponse
    ) {
        self.open = open
    }

    /// Sends a request without a body.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - path: path and query.
    ///   - headers: header fields, without those that say who asks.
    /// - Returns: the answer while it arrives.
    /// - Throws: ``HTTPCallError``.
    public func ask(
        _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields
    ) async throws(HTTPCallError) -> HTTPCaller.StreamedResponse {
        try await open(method, path, headers)
    }
}

/// Where an agent has images from.
public protocol ImageProvider: Sendable {
    /// Has an image on this machine, and keeps it there until the container is released.
    ///
    /// - Parameters:
    ///   - reference: its name.
    ///   - isFresh: whether the registry is asked although an image of that name is here.
    ///   - credential: who to be at its registry, `USER:PASSWORD` in base64; it is kept nowhere.
    ///   - master: the way to the images that the cluster keeps; nil where there is no session.
    ///   - container: who needs it.
    /// - Returns: the image.
    /// - Throws: why it cannot be had, in words for people; nothing is kept then.
    func provide(
        _ reference: String, isFresh: Bool, credential: String?, master: MasterDoor?, for container: ContainerID
    ) async throws -> ProvidedImage

    /// Forgets that a container needs its image; one that needs none is fine.
    func release(_ container: ContainerID)

    /// Forgets all containers of an earlier life that are not among these.
    func keep(only containers: Set<ContainerID>)
}

/// The images that were provided for containers which have not started yet.
final class ProvidedImages: Sendable {
    private let images = Mutex<[ContainerID: ProvidedImage]>([:])

    func put(_ image: ProvidedImage, for container: ContainerID) { images.withLock { $0[container] = image } }

    @discardableResult
    func take(_ container: ContainerID) -> ProvidedImage? { images.withLock { $0.removeValue(forKey: container) } }
}
