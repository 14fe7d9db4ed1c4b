/// Whom to trust outside of the cluster.
public struct WebTrust: Sendable, Hashable {
    /// The name that the server's certificate must have; `nil` when the server is known by its address, which the
    /// certificate must have then.
    public var name: String?
    /// A file of authorities in PEM; `nil` takes those that the machine's distribution brings.
    public var authorities: String?

    /// A server by name or address.
    ///
    /// - Parameters:
    ///   - name: the server's name, `nil` when only its address is known.
    ///   - authorities: a file of authorities in PEM; `nil` takes the machine's.
    public init(name: String?, authorities: String? = nil) {
        self.name = name
        self.authorities = authorities
    }
}
