/// What an agent knows of a master's items, and how it learns of changes.
///
/// A master that was restarted knows its agents from its store, but their tasks only when they are back. Until then the
/// names of tasks on agents that it still waits for stay what they were: those tasks run.
public struct NameReplica: Sendable {
    /// What is known, to ask for what comes after it; nil for nothing.
    public private(set) var mark: NameMark?
    private var items: [String: NameItem] = [:]
    /// Tasks as the life of the master before this one knew them.
    private var kept: [String: NameItem] = [:]
    private var isWhole = false

    /// Knows nothing.
    public init() {}

    /// Takes a master's answer.
    ///
    /// - Parameter changes: the answer.
    /// - Returns: what names are to be made from now; nil when that did not change, or more is needed first.
    public mutating func take(_ changes: NameChanges) -> NameSource? {
        if changes.mark.epoch != mark?.epoch {
            // Changes to something unknown; to ask again without a mark brings everything.
            guard changes.isWhole else {
                mark = nil
                return nil
            }
            if isWhole { kept = tasks }
            isWhole = false
        }
        mark = changes.mark
        if changes.isWhole { items = [:] }
        items.merge(changes.changed) { $1 }
        for key in changes.removed { items[key] = nil }
        if changes.hasMore { return nil }
        isWhole = true
        kept = kept.filter { key, item in
            guard items[key] == nil, case .task(let task) = item,
                case .agent(_, true) = items[NameItem.key(ofAgent: task.agent)]
            else { return false }
            return true
        }
        return NameSource(items: items.merging(kept) { own, _ in own })
    }

    /// All tasks that have names now.
    private var tasks: [String: NameItem] {
        items.merging(kept) { own, _ in own }.filter { if case .task = $0.value { true } else { false } }
    }
}
