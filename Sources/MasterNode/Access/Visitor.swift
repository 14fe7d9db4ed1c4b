internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Synchronization

/// Who makes one request, from where, and what that one may do. Facades ask it before they do anything.
struct Visitor: Sendable {
    let caller: Caller
    let grants: Grants
    /// The address, or `local`.
    let source: String
    let mode: AccessMode
    /// Whether it has shown something, rather than being let in because everybody is.
    let isProven: Bool
    /// What the audit log will say of the request.
    let note = AuditNote()

    var isKnown: Bool { caller != .anonymous }

    /// Whether the visitor may do something; with an open master most things are everybody's.
    func may(_ action: Action) -> Bool {
        if mode == .open, !Self.isGuarded(action) { return true }
        return AccessPolicy.decide(caller, grants, action).isAllowed
    }

    /// - Throws: ``GatewayError`` 401 when nobody knows who it is, 403 with what would be needed.
    func require(_ action: Action) throws(GatewayError) {
        if mode == .open, !Self.isGuarded(action) { return }
        guard case .denied(let reason) = AccessPolicy.decide(caller, grants, action) else { return }
        guard isKnown else { throw Self.unknown }
        throw GatewayError(.forbidden, reason)
    }

    /// What even an open master keeps for those who have the right.
    private static func isGuarded(_ action: Action) -> Bool {
        switch action {
        case .manageUsers, .manageAccount, .manageKeys, .manageJoinTokens, .readAudit, .secret: true
        default: false
        }
    }

    /// Whether a task's environment, which often holds secrets, is shown.
    func showsEnvironment(of role: RoleName) -> Bool {
        mode == .open ? isProven && isKnown : may(.view(.environments, of: role))
    }

    /// Says to the audit log what is about to be done; the result is added when it is known.
    func noteChange(_ action: String, _ object: String, work: Bool = false) {
        note.set(AuditNote.Content(action: action, object: object, who: nil, isWork: work))
    }

    func noteChange(_ action: Action, work: Bool = false) { noteChange(action.verb, action.object, work: work) }

    /// Nobody knows who it is. The scheme is the one that clients of DC/OS look for.
    static let unknown = GatewayError(
        .unauthorized, "log in first: send 'Authorization: token=TOKEN', or a user and a password with Basic",
        headers: [.wwwAuthenticate: "acsjwt"])
}

/// What one request changes, as far as its facade has said.
final class AuditNote: Sendable {
    struct Content: Sendable {
        var action: String
        var object: String
        /// Whom an attempt to log in is at.
        var who: String?
        /// Whether it belongs to the part of the log that frameworks fill.
        var isWork: Bool
    }

    private let content = Mutex<Content?>(nil)

    func set(_ new: Content) { content.withLock { $0 = new } }
    func take() -> Content? { content.withLock { $0.take() } }
    var isSet: Bool { content.withLock { $0 != nil } }
}
