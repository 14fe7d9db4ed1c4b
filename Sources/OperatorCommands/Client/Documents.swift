/// Amounts by name; ranges and sets are text.
typealias Amounts = [String: JSONValue]

struct TaskDocument: Decodable {
    var id: String
    var framework: String
    var frameworkName: String?
    var name: String?
    var state: String
    var ended: Bool
    var node: String
    var hostname: String?
    var role: String
    var user: String?
    var resources: Amounts
    var directory: String?
    var container: String?
    var tty: Bool?
    var firstStatusAt: String?
    var lastStatusAt: String?
    var reason: String?
    var message: String?
    var statuses: [StatusDocument]?
    var command: CommandDocument?
}

struct StatusDocument: Decodable {
    var state: String
    var timestamp: Double
    var reason: String?
    var message: String?
}

struct CommandDocument: Decodable {
    var shell: Bool
    var value: String?
    var argv: [String]?
}

struct TasksDocument: Decodable { var tasks: [TaskDocument] }

struct NodeDocument: Decodable {
    var id: String
    var hostname: String
    var address: String
    var port: Int
    var state: String
    var version: String
    var registeredAt: String?
    var resources: Amounts
    var used: Amounts
    var offered: Amounts
    var attributes: [String: JSONValue]
    var tasks: Int
    var taskList: [TaskDocument]?
}

struct NodesDocument: Decodable { var nodes: [NodeDocument] }

struct FrameworkDocument: Decodable {
    struct Tasks: Decodable {
        var live: Int
        var ended: Int
    }

    var id: String
    var name: String
    var user: String
    var principal: String?
    var hostname: String?
    var state: String
    var roles: [String]
    var suppressedRoles: [String]
    var capabilities: [String]
    var failoverTimeoutSeconds: Double
    var registeredAt: String?
    var used: Amounts
    var offered: Amounts
    var tasks: Tasks
    var taskList: [TaskDocument]?
}

struct FrameworksDocument: Decodable { var frameworks: [FrameworkDocument] }

struct RoleDocument: Decodable {
    struct Member: Decodable {
        var id: String
        var name: String?
        var dominantShare: Double
    }

    var name: String
    var weight: Double
    var dominantShare: Double
    var dominantResource: String?
    var allocated: [String: Double]
    var frameworks: [Member]
}

struct RolesDocument: Decodable { var roles: [RoleDocument] }

struct ExplanationsDocument: Decodable {
    struct Explanation: Decodable {
        var subject: String
        var facts: [String]
        var agents: [Line]
    }

    struct Line: Decodable {
        var node: String
        var hostname: String
        var role: String
        var text: String
        var offerable: String
    }

    var explanations: [Explanation]
}

struct ClusterDocument: Decodable {
    struct Leader: Decodable {
        var id: String
        var hostname: String
        var address: String
        var port: Int
    }

    struct Frameworks: Decodable {
        var connected: Int
        var disconnected: Int
    }

    var id: String
    var name: String
    var version: String
    var startedAt: String
    var leader: Leader
    var nodes: [String: Int]
    var frameworks: Frameworks
    var tasks: Int
    var resources: [String: Double]
}

struct TokensDocument: Decodable {
    struct Token: Decodable {
        var id: String
        var role: String
        var expiresAt: String
        var usesLeft: Int
    }

    var tokens: [Token]
}

struct NewTokenDocument: Decodable {
    var id: String
    var role: String
    var expiresAt: String
    var usesLeft: Int
    var token: String
}
