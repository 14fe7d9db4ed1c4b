/// A point in the store's history. The empty store is at 0; each transaction that changes something adds 1.
///
/// No stored value and no public id may contain one: moving to another engine changes them all.
public struct Revision: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByIntegerLiteral {
    /// The number, from 0.
    public let number: Int64

    /// A revision by its number.
    public init(_ number: Int64) { self.number = number }

    /// A revision by its number.
    public init(integerLiteral value: Int64) { number = value }

    /// The number in digits.
    public var description: String { String(number) }

    /// The revision after this one; the largest number stays itself.
    public var next: Revision { Revision(number == .max ? number : number + 1) }

    /// Whether the left one is older.
    public static func < (left: Revision, right: Revision) -> Bool { left.number < right.number }
}

/// The name of a lease: a positive number chosen by who grants it.
public struct LeaseID: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByIntegerLiteral {
    /// The number, from 1.
    public let number: Int64

    /// A lease by its number.
    public init(_ number: Int64) { self.number = number }

    /// A lease by its number.
    public init(integerLiteral value: Int64) { number = value }

    /// The number in digits.
    public var description: String { String(number) }

    /// Whether the left one has the smaller number.
    public static func < (left: LeaseID, right: LeaseID) -> Bool { left.number < right.number }
}

/// A key with its value and where they stand in the history.
public struct StoreEntry: Hashable, Sendable {
    /// The key. Keys are equal when their UTF-8 bytes are; they are ordered by these bytes.
    public var key: String
    /// The value.
    public var value: [UInt8]
    /// The revision that created the key, the last time it was created.
    public var createRevision: Revision
    /// The revision that wrote this value.
    public var modRevision: Revision
    /// How often the key was written since it was created, from 1.
    public var version: Int64
    /// The lease that deletes the key when it ends.
    public var lease: LeaseID?

    /// An entry of these parts.
    public init(
        key: String, value: [UInt8], createRevision: Revision, modRevision: Revision, version: Int64,
        lease: LeaseID? = nil
    ) {
        self.key = key
        self.value = value
        self.createRevision = createRevision
        self.modRevision = modRevision
        self.version = version
        self.lease = lease
    }
}

/// Part of a listing: entries that were all current at one revision.
public struct StorePage: Hashable, Sendable {
    /// The entries in the order of their keys' bytes.
    public var entries: [StoreEntry]
    /// The revision they were current at.
    public var revision: Revision
    /// Whether there are further keys after the last one.
    public var more: Bool

    /// A page of these parts.
    public init(entries: [StoreEntry], revision: Revision, more: Bool) {
        self.entries = entries
        self.revision = revision
        self.more = more
    }
}

/// How a store is doing.
public struct StoreStatus: Hashable, Sendable {
    /// The newest revision.
    public var revision: Revision
    /// The newest revision whose history is gone; a watch can start at the next.
    public var compacted: Revision
    /// How many keys there are.
    public var keys: Int
    /// How many leases there are.
    public var leases: Int
    /// Why writes are refused until ``StateStore/probe()`` succeeds; `nil` while they are not.
    public var readOnlyReason: String?

    /// Whether writes are refused.
    public var isReadOnly: Bool { readOnlyReason != nil }

    /// A status of these parts.
    public init(revision: Revision, compacted: Revision, keys: Int, leases: Int, readOnlyReason: String? = nil) {
        self.revision = revision
        self.compacted = compacted
        self.keys = keys
        self.leases = leases
        self.readOnlyReason = readOnlyReason
    }
}
