public import Access

/// Who makes a request, as far as the services must know.
public protocol ServicesVisitor: Sendable {
    /// Asks for a right.
    ///
    /// - Throws: the refusal to answer with.
    func require(_ action: Action) throws

    /// Whether the visitor may have a right.
    func may(_ action: Action) -> Bool

    /// Says to the audit log what is about to be done.
    func note(_ action: String, _ object: String)
}
