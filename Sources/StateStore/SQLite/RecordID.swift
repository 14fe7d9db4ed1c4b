/// How the history is numbered: a record's number is its revision followed by its place within the revision.
///
/// One ascending number serves as the table's only key, so a commit writes at the end of one B-tree and nowhere else:
/// no index, no table of current values. That is what keeps a commit near the cost of its flush.
enum RecordID {
    private static let placeBits: Int64 = 20
    /// The largest revision whose records still have numbers.
    static let lastRevision: Int64 = (1 << 43) - 1

    static func first(of revision: Int64) -> Int64 { min(max(revision, 0), lastRevision) << placeBits }

    /// The number of a record; its place is below ``StoreLimits/changes``, which is below 2^20.
    static func make(revision: Int64, place: Int) -> Int64 { first(of: revision) | Int64(place) }

    static func revision(of record: Int64) -> Int64 { record >> placeBits }
}
