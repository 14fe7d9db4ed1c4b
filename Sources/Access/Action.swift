public import ClusterModel

/// What somebody wants to do, and to what. Every right that can be given is a case here.
public enum Action: Hashable, Sendable {
    /// Subscribe a framework that takes offers in a role.
    case registerFramework(RoleName)
    /// End a framework that has this role.
    case tearDownFramework(RoleName)
    /// Run commands as an account of the agents' machines; the empty name is the account of the agent itself.
    case runAs(String)
    /// End a task of a role.
    case killTask(RoleName)
    /// Run a command in the container of a task; nil where the role cannot be told.
    case execute(RoleName?)
    /// Reserve resources for a role, give them back, make and destroy volumes on them.
    case reserve(RoleName)
    /// Change a role's weight.
    case setWeight(RoleName)
    /// Change a role's quota.
    case setQuota(RoleName)
    /// See something of a role's tasks, or of the whole cluster.
    case view(View, of: RoleName?)
    /// Change a node's standing.
    case changeNode(NodeChange, String)
    /// Take part in the cluster as a node.
    case takePart(NodeDuties)
    /// Make, list and revoke join tokens for nodes with these duties.
    case manageJoinTokens(NodeDuties)
    /// Rotate the cluster's keys.
    case manageKeys
    /// Make, change and delete users and what they may do.
    case manageUsers
    /// See a user, change that user's password, make and end that user's tokens.
    case manageAccount(String)
    /// Use a secret or the list of them.
    case secret(SecretUse, path: String)
    /// Install, change and uninstall packages whose services have this role.
    case installPackage(RoleName)
    /// Change the list of package repositories.
    case changeCatalog
    /// Read the audit log.
    case readAudit

    /// What can be seen.
    public enum View: String, Hashable, Sendable, CaseIterable {
        /// Which nodes, frameworks and tasks there are, and how they are.
        case state
        /// What tasks and the master itself print.
        case logs
        /// What is in tasks' work directories.
        case files
        /// The environment of tasks' commands, which often holds secrets.
        case environments
    }

    /// What becomes of a node.
    public enum NodeChange: String, Hashable, Sendable, CaseIterable {
        /// It gets no new tasks and loses those that it has.
        case drain
        /// It is shut out, and its certificate with it.
        case evict
        /// It is declared dead for good.
        case markGone = "mark-gone"
        /// It leaves by itself.
        case leave
    }

    /// What is done to a secret.
    public enum SecretUse: String, Hashable, Sendable, CaseIterable {
        case read, write, list
    }
}

extension Action {
    /// The right that allows it, as rules name it.
    public var verb: String {
        switch self {
        case .registerFramework: "framework.register"
        case .tearDownFramework: "framework.tear-down"
        case .runAs: "task.run-as"
        case .killTask: "task.kill"
        case .execute: "task.exec"
        case .reserve: "resources.reserve"
        case .setWeight: "role.weight"
        case .setQuota: "role.quota"
        case .view(let view, _): "view." + view.rawValue
        case .changeNode(let change, _): "node." + change.rawValue
        case .takePart: "node.take-part"
        case .manageJoinTokens: "tokens.manage"
        case .manageKeys: "keys.manage"
        case .manageUsers: "users.manage"
        case .manageAccount: "account.manage"
        case .secret(let use, _): "secret." + use.rawValue
        case .installPackage: "catalog.install"
        case .changeCatalog: "catalog.change"
        case .readAudit: "audit.read"
        }
    }

    /// What it is done to, as rules name it; ``AccessRule/everything`` for the whole cluster.
    public var object: String {
        switch self {
        case .registerFramework(let role), .tearDownFramework(let role), .killTask(let role), .reserve(let role),
            .setWeight(let role), .setQuota(let role), .installPackage(let role):
            role.value
        case .execute(let role), .view(_, let role): role?.value ?? AccessRule.everything
        case .runAs(let account): account
        case .changeNode(_, let node): node
        case .takePart(let duties), .manageJoinTokens(let duties): duties.contains(.master) ? "master" : "agent"
        case .manageAccount(let name): name
        case .secret(_, let path): path
        case .manageKeys, .manageUsers, .changeCatalog, .readAudit: AccessRule.everything
        }
    }

    /// The role that it is about, if it is about one.
    var role: RoleName? {
        switch self {
        case .registerFramework(let role), .tearDownFramework(let role), .killTask(let role), .reserve(let role),
            .setWeight(let role), .setQuota(let role), .installPackage(let role):
            role
        case .execute(let role), .view(_, let role): role
        default: nil
        }
    }
}

extension Action {
    /// Whether an account has all rights on its machine: `root`, number 0 however it is written, with or without a
    /// group, and the empty name, which stands for the account of the agent itself.
    public static func isRootAccount(_ account: String) -> Bool {
        let user = account.prefix { $0 != ":" }
        return user.isEmpty || user == "root" || Int(user) == 0
    }
}
