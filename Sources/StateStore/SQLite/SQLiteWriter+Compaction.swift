import Synchronization

/// How much history a store keeps for watchers, and so how large its file gets: the current entries, this history, and
/// a log of a few MiB. SQLite keeps its pages at least a third full.
public struct CompactionPolicy: Hashable, Sendable {
    /// Revisions kept at least, unless they take more than ``historyBytes``. More lets slower watchers resume.
    public var keepRevisions: Int64
    /// Superseded keys and values kept at most, in bytes.
    public var historyBytes: Int

    /// A policy of these parts.
    public init(keepRevisions: Int64 = 10_000, historyBytes: Int = 32 * 1024 * 1024) {
        self.keepRevisions = max(keepRevisions, 0)
        self.historyBytes = max(historyBytes, 0)
    }
}

/// Superseded records in the order in which they became so.
struct SupersededRecords: Sendable {
    private var records: [SupersededRecord] = []
    private var first = 0
    private(set) var bytes = 0

    mutating func append(_ new: [SupersededRecord]) {
        for record in new {
            records.append(record)
            bytes += record.size
        }
    }

    /// The oldest that are superseded since a revision or before.
    func due(upTo revision: Int64, limit: Int) -> ArraySlice<SupersededRecord> {
        records[first...].prefix(limit).prefix { $0.since <= revision }
    }

    mutating func removeFirst(_ count: Int) {
        for record in records[first..<first + count] { bytes -= record.size }
        first += count
        if first > records.count / 2 {
            records.removeSubrange(..<first)
            first = 0
        }
    }

    /// The revision to forget up to, so that at most `most` bytes stay; `nil` when they do.
    func revision(leaving most: Int) -> Int64? {
        var left = bytes
        var place = first
        while left > most, place < records.count {
            left -= records[place].size
            place += 1
        }
        return place > first ? records[place - 1].since : nil
    }
}

// What keeps the file small, between commits.
extension SQLiteWriter {
    /// Pages in the log that start moving them into the file.
    private static let checkpointPages: Int32 = 1000
    /// Pages in the log that wait for readers to let it start over.
    private static let longestLog: Int32 = 4000
    /// Records removed in one commit: enough to share pages and the flush, few enough not to be felt.
    private static let removedAtOnce = 2048
    /// Compaction goes in steps of this part of the kept revisions.
    private static let stepDivisor: Int64 = 8
    /// Free pages that a file may keep for its own growth; also the most that are given back at once.
    private static let freePages: Int64 = 512

    /// Runs after each group; nobody waits for it, but what comes next does.
    func maintain() {
        guard core.state.withLock({ $0.refusal == nil }) else { return }
        do throws(StoreError) {
            try compactByPolicy()
            if mayGiveBack { try giveBack() }
            if logPages.pointee >= Self.checkpointPages {
                try checkpoint(emptyLog: logPages.pointee >= Self.longestLog)
            }
        } catch {
            // It is noted in the health of the store, and the next write tells.
        }
    }

    private func compactByPolicy() throws(StoreError) {
        let (revision, compacted) = core.state.withLock { ($0.revision, $0.compacted) }
        let step = max(policy.keepRevisions / Self.stepDivisor, 1)
        var target = compacted
        if revision - compacted >= policy.keepRevisions + step { target = revision - policy.keepRevisions }
        if superseded.bytes > policy.historyBytes + policy.historyBytes / 8,
            let bound = superseded.revision(leaving: policy.historyBytes)
        {
            target = max(target, bound)
        }
        // What an explicit or an interrupted compaction left is taken along.
        guard target > compacted || superseded.due(upTo: compacted, limit: 1).count > 0 else { return }
        try forget(upTo: max(target, compacted))
    }

    /// Forgets the history and removes all that it held.
    func compact(upTo revision: Int64) throws(StoreError) {
        let (refusal, current, compacted) = core.state.withLock { ($0.refusal, $0.revision, $0.compacted) }
        if let refusal { throw refusal }
        guard revision <= current else {
            throw .futureRevision(requested: Revision(revision), current: Revision(current))
        }
        guard revision > compacted else { return }
        try forget(upTo: revision)
        while superseded.due(upTo: revision, limit: 1).count > 0 { try forget(upTo: revision) }
        while mayGiveBack { try giveBack() }
    }

    /// Removes one step of what is superseded up to a revision.
    private func forget(upTo revision: Int64) throws(StoreError) {
        // Told to readers before it is done: who reads the history meanwhile looks again afterwards.
        core.state.withLock { $0.compacted = max($0.compacted, revision) }
        let due = superseded.due(upTo: revision, limit: Self.removedAtOnce)
        let records = due.map(\.record).sorted()
        try durably { () throws(SQLiteFailure) in
            let note = try connection.statement("UPDATE meta SET value = ? WHERE name = 'compacted'")
            note.bind(1, revision)
            try note.run()
            let removal = try connection.statement("DELETE FROM record WHERE id = ?")
            for record in records {
                removal.bind(1, record)
                try removal.run()
            }
            return true
        }
        superseded.removeFirst(due.count)
        mayGiveBack = true
    }

    /// Gives one step of free pages back to the file system when there are more than growth will need.
    private func giveBack() throws(StoreError) {
        do {
            let free = try connection.integer("PRAGMA freelist_count")
            let all = try connection.integer("PRAGMA page_count")
            guard free > Self.freePages, free > all / 4 else {
                mayGiveBack = false
                return
            }
            try connection.statement("PRAGMA incremental_vacuum(\(Self.freePages))").run()
        } catch {
            throw record(error, isCommitting: true)
        }
        if logPages.pointee >= Self.checkpointPages { try checkpoint(emptyLog: false) }
    }

    private func checkpoint(emptyLog: Bool) throws(StoreError) {
        do {
            try connection.checkpoint(emptyLog: emptyLog)
        } catch {
            if error.isBusy { return }
            throw record(error, isCommitting: false)
        }
        logPages.pointee = 0
    }
}
