/// One change of one key.
public enum StoreEvent: Hashable, Sendable {
    /// The key was written; the entry as it was then.
    case put(StoreEntry)
    /// The key was deleted by this revision.
    case deleted(key: String, Revision)

    /// The key that changed.
    public var key: String {
        switch self {
        case .put(let entry): entry.key
        case .deleted(let key, _): key
        }
    }

    /// The revision that changed it.
    public var revision: Revision {
        switch self {
        case .put(let entry): entry.modRevision
        case .deleted(_, let revision): revision
        }
    }

    var bytes: Int {
        switch self {
        case .put(let entry): entry.key.utf8.count + entry.value.count
        case .deleted(let key, _): key.utf8.count
        }
    }
}

/// Changes of one or more whole revisions, in order.
public struct StoreBatch: Hashable, Sendable {
    /// All changes up to this revision have been seen: a watch resumes from the next one.
    public var through: Revision
    /// The changes; never empty.
    public var events: [StoreEvent]

    /// A batch of these parts.
    public init(through: Revision, events: [StoreEvent]) {
        self.through = through
        self.events = events
    }
}

/// Changes below a prefix as they come, without gaps. Each iterator starts from the watch's first revision.
///
/// A slow reader costs no memory: what it has not read is read from the history later. When that history is compacted
/// meanwhile, the iteration throws ``StoreError/compacted(oldest:)``. It throws ``StoreError/closed`` when the store
/// is closed and ends when its task is cancelled.
public struct StoreWatch: AsyncSequence, Sendable {
    /// What the iteration gives.
    public typealias Element = StoreBatch
    /// What the iteration throws.
    public typealias Failure = StoreError

    let source: any WatchSource
    let prefix: String
    let from: Revision

    /// Starts from the watch's first revision.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: source, prefix: prefix, cursor: from)
    }

    /// The place of one reader.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let source: any WatchSource
        let prefix: String
        var cursor: Revision

        /// The next changes, `nil` when the task is cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(StoreError) -> StoreBatch? {
            guard let batch = try await source.nextBatch(prefix: prefix, from: cursor) else { return nil }
            cursor = batch.through.next
            return batch
        }
    }
}

/// The side of a watch that an engine implements: pulling keeps all buffering in the engine's history.
protocol WatchSource: Sendable {
    /// Waits for changes below the prefix at or after a revision.
    ///
    /// - Returns: whole revisions, or `nil` when the task is cancelled.
    func nextBatch(prefix: String, from: Revision) async throws(StoreError) -> StoreBatch?
}
