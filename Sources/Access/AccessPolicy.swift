internal import ClusterModel

/// Whether something may be done.
public enum Decision: Hashable, Sendable {
    /// It may.
    case allowed
    /// It may not, with a sentence that says which right is missing.
    case denied(String)

    /// Whether it may.
    public var isAllowed: Bool { self == .allowed }
}

/// Who may do what.
///
/// | caller | may |
/// |---|---|
/// | root | everything |
/// | node | take part in what its certificate says, see the state, leave |
/// | user | what its roles and rules say, and look after its own account |
/// | anonymous | nothing |
///
/// What needs no right at all (logging in, joining with a token) is not asked here.
public enum AccessPolicy {
    /// Decides.
    ///
    /// - Parameters:
    ///   - caller: who asks.
    ///   - grants: what that user may do; ignored for all but users.
    ///   - action: what for.
    /// - Returns: the decision, with its reason when it is no.
    public static func decide(_ caller: Caller, _ grants: Grants, _ action: Action) -> Decision {
        let isAllowed =
            switch caller {
            case .root: true
            case .anonymous: false
            case .node(let id, let duties): allows(node: id, duties, action)
            case .user(let name): allows(user: name, grants, action)
            }
        return isAllowed ? .allowed : .denied(reason(caller, action))
    }

    private static func allows(node: String, _ duties: NodeDuties, _ action: Action) -> Bool {
        switch action {
        case .takePart(let wanted): !wanted.isEmpty && duties.isSuperset(of: wanted)
        case .view(.state, _): true
        case .changeNode(.leave, let other): node == other
        default: false
        }
    }

    private static func allows(user: String, _ grants: Grants, _ action: Action) -> Bool {
        if case .manageAccount(let name) = action, name == user { return true }
        return grants.roles.contains { allows($0, of: user, action) } || grants.rules.contains { $0.allows(action) }
    }

    private static func allows(_ role: UserRole, of user: String, _ action: Action) -> Bool {
        switch role {
        case .administrator: true
        case .operator: allowsOperator(action)
        case .user(let own): allows(userOf: own, user, action)
        case .viewer:
            switch action {
            case .view(.state, _), .view(.logs, _): true
            default: false
            }
        }
    }

    private static func allowsOperator(_ action: Action) -> Bool {
        switch action {
        case .registerFramework, .tearDownFramework, .killTask, .execute, .reserve, .setWeight, .setQuota, .view,
            .changeNode, .installPackage, .changeCatalog, .readAudit:
            true
        case .runAs(let account): !Action.isRootAccount(account)
        case .manageJoinTokens(let duties): duties == .agent
        case .secret(let use, _): use == .list
        case .takePart, .manageKeys, .manageUsers, .manageAccount: false
        }
    }

    private static func allows(userOf own: RoleName, _ user: String, _ action: Action) -> Bool {
        switch action {
        // Who there is and how full it is, everybody may see who may use some of it.
        case .view(.state, _): true
        case .registerFramework, .tearDownFramework, .killTask, .execute, .reserve, .view, .installPackage:
            action.role.map { contains(own.value, $0.value) } ?? false
        case .runAs(let account): account == "nobody" || account == user && !Action.isRootAccount(account)
        case .secret(_, let path): path.hasPrefix(own.value + "/")
        default: false
        }
    }

    /// Whether a role is this one or below it.
    private static func contains(_ own: String, _ role: String) -> Bool { role == own || role.hasPrefix(own + "/") }

    // MARK: what is said

    private static func reason(_ caller: Caller, _ action: Action) -> String {
        let what = short(action.verb + ":" + action.object)
        switch caller {
        case .root: return ""
        case .anonymous: return "\(short(action.verb)) needs to know who asks; log in first"
        case .node(let id, _):
            return "the node \(short(id)) may not do \(what); a node may only take part in what its certificate says"
        case .user(let name):
            return "the user \(short(name)) may not do \(what); that takes the role "
                + "\(rolesThatAllow(action).joined(separator: " or ")), or the rule \(what)"
        }
    }

    private static func rolesThatAllow(_ action: Action) -> [String] {
        var roles: [UserRole] = [.viewer]
        if let role = action.role, role.defect == nil { roles.append(.user(of: role)) }
        if case .secret(_, let path) = action, let slash = path.firstIndex(of: "/") {
            roles.append(.user(of: RoleName(String(path[..<slash]))))
        }
        roles += [.operator, .administrator]
        // Nobody is called "", so no role is named for what only the owner of an account may do.
        return roles.filter { allows($0, of: "", action) }.map { short($0.description) }
    }

    private static func short(_ text: String) -> String { text.utf8.count <= 120 ? text : text.prefix(100) + "…" }
}
