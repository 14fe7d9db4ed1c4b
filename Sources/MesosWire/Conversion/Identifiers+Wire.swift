public import ClusterModel

/// The messages that hold nothing but an identifier.
public protocol WireIdentifier: Sendable {
    /// The empty message.
    init()
    /// The text.
    var value: String { get set }
}

extension WireFrameworkID: WireIdentifier {}
extension WireAgentID: WireIdentifier {}
extension WireOfferID: WireIdentifier {}
extension WireTaskID: WireIdentifier {}
extension WireExecutorID: WireIdentifier {}
extension WireOperationID: WireIdentifier {}

extension WireIdentifier {
    /// Makes the message for an identifier.
    public init(_ identifier: Identifier<some Any>) {
        self.init()
        value = identifier.value
    }

    /// Reads an identifier that must be usable as one.
    /// - Throws: `.invalidField` with the path `value`.
    func checked<Scope>() throws(WireError) -> Identifier<Scope> {
        let identifier = Identifier<Scope>(value)
        if let defect = identifier.defect { throw .invalidField(path: "value", problem: defect) }
        return identifier
    }

    /// Reads an identifier that is only looked up: an unusable one is merely unknown.
    func unchecked<Scope>() -> Identifier<Scope> { Identifier(value) }
}

extension WireContainerID {
    /// Makes the message for a task's container, with the container of its group.
    public init(_ identifier: ContainerID) {
        self.init()
        value = identifier.value
        if let parent = identifier.parent { self.parent.value = parent.value }
    }
}

extension RoleName {
    /// Reads a role that must be a valid one.
    /// - Throws: `.invalidField` with an empty path.
    static func checked(_ text: String) throws(WireError) -> RoleName {
        let role = RoleName(text)
        if let defect = role.defect { throw .invalidField(path: "", problem: defect) }
        return role
    }
}
