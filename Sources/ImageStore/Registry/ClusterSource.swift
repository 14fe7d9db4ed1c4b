public import HTTPGateway
public import HTTPTypes

/// The images that a cluster keeps for its nodes, as one of these nodes reaches them: in the shape of the distribution
/// specification, below a path of their own, over the connection by which the node is known.
///
/// The repository's name there is the whole name of an image, with its registry in front.
public struct ClusterSource: Sendable {
    /// How it is called where registries have their host.
    static let name = "the cluster"
    /// What stands before all of its paths.
    public static let root = "/rondo/v1/registry/v2/"

    /// Sends a request to the master.
    let ask:
        @Sendable (HTTPRequest.Method, String, HTTPFields) async throws(HTTPCallError) -> HTTPCaller.StreamedResponse

    /// A way to the cluster's images.
    ///
    /// - Parameter ask: sends a request with a method, path and headers to the master, which knows who asks.
    public init(
        ask:
            @escaping @Sendable (HTTPRequest.Method, String, HTTPFields) async throws(HTTPCallError) ->
            HTTPCaller.StreamedResponse
    ) {
        self.ask = ask
    }

    /// The name of an image's repository there, as it stands in a path.
    func path(of reference: ImageReference) -> String {
        // Only addresses of IPv6 have what a path does not.
        reference.name.map { character in
            switch character {
            case "[": "%5B"
            case "]": "%5D"
            default: String(character)
            }
        }.joined()
    }
}
