/// One piece of what names are made from, as masters tell agents.
public enum NameItem: Hashable, Sendable, Codable {
    /// A master, and whether it leads.
    case master(NameSource.Node, leads: Bool)
    /// An agent. It is awaited while a restarted master knows it from its store alone, and none of its tasks.
    case agent(NameSource.Node, isAwaited: Bool)
    /// A connected framework.
    case framework(NameSource.Framework)
    /// A task that runs.
    case task(NameSource.Task)

    /// The key of a master.
    public static func key(ofMaster id: String) -> String { "m/\(id)" }
    /// The key of an agent.
    public static func key(ofAgent id: String) -> String { "a/\(id)" }
    /// The key of a framework.
    public static func key(ofFramework id: String) -> String { "f/\(id)" }
    /// The key of a task.
    public static func key(ofTask id: String, framework: String) -> String { "t/\(framework)/\(id)" }
    /// What the keys of a framework's tasks begin with.
    public static func prefix(ofTasksOf framework: String) -> String { "t/\(framework)/" }
}

/// How much somebody knows of a master's items.
public struct NameMark: Hashable, Sendable, Codable {
    /// Which life of which master counts the revisions.
    public var epoch: String
    /// All that was told up to here is known.
    public var revision: UInt64
    /// Of what has gone since then nothing is known yet; behind `revision` in the middle of an answer in several parts.
    public var base: UInt64

    /// Makes a mark.
    public init(epoch: String, revision: UInt64, base: UInt64) {
        self.epoch = epoch
        self.revision = revision
        self.base = base
    }
}

/// Some changes to the items of a master, in the order in which they came.
public struct NameChanges: Hashable, Sendable, Codable {
    /// What one knows who has taken these changes.
    public var mark: NameMark
    /// Whether what was known before must be forgotten first.
    public var isWhole: Bool
    /// Whether more follows at once. What is known until then is of no moment.
    public var hasMore: Bool
    /// New and changed items.
    public var changed: [String: NameItem]
    /// Keys of items that are gone.
    public var removed: [String]
}

extension NameSource {
    /// Puts items together, in the order of their keys.
    public init(items: [String: NameItem]) {
        self.init()
        for (_, item) in items.sorted(by: { $0.key < $1.key }) {
            switch item {
            case .master(let node, let leads):
                masters.append(node)
                if leads { leader = node.id }
            case .agent(let node, _): agents.append(node)
            case .framework(let framework): frameworks.append(framework)
            case .task(let task): tasks.append(task)
            }
        }
    }
}
