/// What every engine refuses, so that content can move between them (etcd's own limits are close to these).
public enum StoreLimits {
    /// The longest key or prefix, in bytes of UTF-8.
    public static let keyBytes = 1024
    /// The longest value, in bytes.
    public static let valueBytes = 512 * 1024
    /// The most operations in a transaction, and the most compares.
    public static let operations = 128
    /// The most bytes of keys and values in a transaction.
    public static let transactionBytes = 1024 * 1024
    /// The most keys one transaction may change, by prefix deletions.
    public static let changes = 65_536
    /// The most entries in a page.
    public static let pageEntries = 10_000
    /// A page ends after the entry that reaches this many bytes of keys and values.
    public static let pageBytes = 4 * 1024 * 1024
    /// A watch batch ends after the revision that reaches this many events.
    public static let batchEvents = 1000
    /// A watch batch ends after the revision that reaches this many bytes of keys and values.
    public static let batchBytes = 1024 * 1024
    /// The longest time of a lease.
    public static let leaseTTL: Duration = .seconds(365 * 24 * 3600)

    static func check(key: String) throws(StoreError) {
        guard !key.isEmpty else { throw .invalidKey("a key is empty; give it at least one byte") }
        try check(prefix: key)
    }

    static func check(prefix: String) throws(StoreError) {
        let utf8 = prefix.utf8
        guard utf8.count <= keyBytes else {
            throw .invalidKey("a key has \(utf8.count) bytes; use at most \(keyBytes)")
        }
        guard !utf8.contains(0) else { throw .invalidKey("a key contains a zero byte; leave it out") }
    }

    static func check(pageLimit limit: Int) throws(StoreError) {
        guard (1...pageEntries).contains(limit) else { throw .invalidLimit(limit) }
    }

    static func check(lease id: LeaseID, ttl: Duration) throws(StoreError) {
        guard id.number > 0 else { throw .invalidLease("lease id \(id) is not positive; choose one from 1 up") }
        guard ttl >= .milliseconds(1), ttl <= leaseTTL else {
            throw .invalidLease("lease time \(ttl) is not within 1 ms and 365 days; choose one that is")
        }
    }

    /// - Returns: the bytes of keys and values.
    @discardableResult
    static func check(_ transaction: StoreTransaction) throws(StoreError) -> Int {
        let count = max(transaction.operations.count, transaction.compares.count)
        guard count <= operations else { throw .tooManyOperations(count) }
        var bytes = 0
        for compare in transaction.compares {
            try check(key: compare.key)
            bytes += compare.key.utf8.count
            if case .value(let key, let value) = compare { bytes += try checked(value: value, of: key) }
        }
        for operation in transaction.operations {
            switch operation {
            case .put(let key, let value, _):
                try check(key: key)
                bytes += try key.utf8.count + checked(value: value, of: key)
            case .delete(let key):
                try check(key: key)
                bytes += key.utf8.count
            case .deletePrefix(let prefix):
                try check(prefix: prefix)
                bytes += prefix.utf8.count
            }
        }
        guard bytes <= transactionBytes else { throw .transactionTooLarge(bytes: bytes) }
        try checkOverlaps(transaction.operations)
        return bytes
    }

    private static func checked(value: [UInt8], of key: String) throws(StoreError) -> Int {
        guard value.count <= valueBytes else { throw .valueTooLarge(key: key, bytes: value.count) }
        return value.count
    }

    /// etcd refuses a transaction whose result would depend on how overlapping operations are ordered; so do we.
    private static func checkOverlaps(_ operations: [StoreTransaction.Operation]) throws(StoreError) {
        guard operations.count > 1 else { return }
        var keys: Set<KeyBytes> = []
        var prefixes: [KeyBytes] = []
        for operation in operations {
            switch operation {
            case .put(let key, _, _), .delete(let key):
                guard keys.insert(KeyBytes(key)).inserted else { throw .duplicateKey(key) }
            case .deletePrefix(let text):
                let prefix = KeyBytes(text)
                guard !prefixes.contains(where: { $0.hasPrefix(prefix) || prefix.hasPrefix($0) }) else {
                    throw .duplicateKey(text)
                }
                prefixes.append(prefix)
            }
        }
        for prefix in prefixes {
            // In the order of the operations, so that every engine names the same key.
            for case .put(let key, _, _) in operations where KeyBytes(key).hasPrefix(prefix) {
                throw .duplicateKey(key)
            }
            for case .delete(let key) in operations where KeyBytes(key).hasPrefix(prefix) { throw .duplicateKey(key) }
        }
    }
}
