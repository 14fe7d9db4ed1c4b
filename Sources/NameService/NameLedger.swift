/// What a master keeps for its agents' names: the items as they are, and in which order they came to be so.
///
/// Each change has a revision. Who knows everything up to one is told what has changed since: each item once, as it is
/// now, oldest change first, so many at a time. What is gone is remembered for a while only; who asks for changes before
/// that is told everything again. So neither what is kept nor what is said grows with the number of changes, and a
/// listener that was away for a second or a day is treated alike.
public struct NameLedger: Sendable {
    /// Items told at a time; some hundred bytes each.
    public static let page = 500
    /// Removals that are remembered at least.
    static let memory = 2_000

    private struct Entry {
        /// Nil when it is gone.
        var item: NameItem?
        var revision: UInt64
    }

    /// Which life of which master this is.
    public let epoch: String
    /// The number of the newest change.
    public private(set) var revision: UInt64 = 0
    private var entries: [String: Entry] = [:]
    /// How many of them are not gone.
    private var live = 0
    /// Which key changed when, oldest first. Of several changes of one key only the last one counts.
    private var log: [(revision: UInt64, key: String)] = []
    /// Changes up to here are not known any more as far as they were removals.
    private var forgotten: UInt64 = 0

    /// Begins without items.
    ///
    /// - Parameter epoch: another one than any ledger before had.
    public init(epoch: String) { self.epoch = epoch }

    /// The items as they are now.
    public var items: [String: NameItem] { entries.compactMapValues(\.item) }

    /// Makes an item what it is now.
    ///
    /// - Parameters:
    ///   - key: its key.
    ///   - item: nil when it is gone.
    /// - Returns: whether that is a change.
    @discardableResult
    public mutating func set(_ key: String, _ item: NameItem?) -> Bool {
        guard entries[key]?.item != item else { return false }
        revision += 1
        live += (item == nil ? 0 : 1) - (entries[key]?.item == nil ? 0 : 1)
        entries[key] = Entry(item: item, revision: revision)
        log.append((revision, key))
        if log.count > 2 * (live + Self.memory) { compact() }
        return true
    }

    /// Makes all items what they are now; those that are not named are gone.
    ///
    /// - Parameter items: all of them.
    public mutating func replace(with items: [String: NameItem]) {
        for key in entries.keys.filter({ items[$0] == nil }).sorted() { set(key, nil) }
        for (key, item) in items.sorted(by: { $0.key < $1.key }) { set(key, item) }
    }

    /// Forgets a framework's tasks.
    ///
    /// - Parameter framework: its id.
    public mutating func removeTasks(of framework: String) {
        let prefix = NameItem.prefix(ofTasksOf: framework)
        for key in entries.keys.filter({ $0.hasPrefix(prefix) }).sorted() { set(key, nil) }
    }

    /// What somebody does not know yet.
    ///
    /// - Parameters:
    ///   - mark: what it knows; nil for nothing.
    ///   - limit: items at most.
    /// - Returns: changes, without any when nothing is new.
    public func changes(after mark: NameMark?, limit: Int = page) -> NameChanges {
        var known = NameMark(epoch: epoch, revision: 0, base: revision)
        var isWhole = true
        if let mark, mark.epoch == epoch, mark.base >= forgotten, mark.base <= revision, mark.revision <= revision {
            known = mark
            isWhole = false
        }
        var answer = NameChanges(mark: known, isWhole: isWhole, hasMore: false, changed: [:], removed: [])
        for (number, key) in log[place(after: known.revision)...] {
            guard let entry = entries[key], entry.revision == number else { continue }
            // Who knows nothing need not be told what is gone.
            if entry.item == nil, isWhole { continue }
            guard answer.changed.count + answer.removed.count < limit else {
                answer.hasMore = true
                return answer
            }
            if let item = entry.item { answer.changed[key] = item } else { answer.removed.append(key) }
            answer.mark.revision = number
        }
        answer.mark = NameMark(epoch: epoch, revision: revision, base: revision)
        return answer
    }

    /// Whether somebody knows all there is.
    public func isKnown(_ mark: NameMark?) -> Bool {
        mark == NameMark(epoch: epoch, revision: revision, base: revision)
    }

    /// The place of the first change with a higher revision.
    private func place(after known: UInt64) -> Int {
        var (low, high) = (0, log.count)
        while low < high {
            let middle = (low + high) / 2
            if log[middle].revision <= known { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What changed again since is dropped, and of what is gone all but the newest.
    private mutating func compact() {
        log = log.filter { entries[$0.key]?.revision == $0.revision }
        var removals = log.filter { entries[$0.key]?.item == nil }
        removals.removeLast(min(removals.count, Self.memory))
        guard let last = removals.last else { return }
        forgotten = last.revision
        for (_, key) in removals { entries[key] = nil }
        log = log.filter { entries[$0.key] != nil }
    }
}
