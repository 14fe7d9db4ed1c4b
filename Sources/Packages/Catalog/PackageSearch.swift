/// What a search says of a package: its newest version, and which others there are.
public struct SearchResult: Sendable {
    /// The package's name.
    public var name: String
    /// Its newest version.
    public var currentVersion: String
    /// What the newest version is.
    public var description: String
    /// Words it is found by.
    public var tags: [String]
    /// Whether it brings a framework.
    public var isFramework: Bool
    /// Whether it is one of those that are shown first; nil when it does not say.
    public var isSelected: Bool?
    /// Its pictures as JSON, if it has any.
    public var images: JSON?
}

/// The texts that are searched: one line for each name, made when the catalog is, so that a search reads no packages.
struct PackageSearch: Sendable {
    private struct Line: Sendable {
        var result: SearchResult
        var name: [UInt8]
        var tags: [[UInt8]]
        var description: [UInt8]
    }

    private let lines: [Line]

    /// The longest query; what is longer is nowhere.
    static let queryBytes = 256

    /// - Parameters:
    ///   - places: the versions of each name, newest first.
    ///   - repositories: where they are.
    init(_ places: [ArraySlice<PackageCatalog.Place>], of repositories: [PackageRepository]) {
        lines = places.compactMap { places in
            guard let newest = places.first else { return nil }
            let repository = repositories[newest.repository]
            guard let package = try? repository.definition(of: repository.entries[newest.entry]) else { return nil }
            let result = SearchResult(
                name: package.name, currentVersion: package.version, description: package.description,
                tags: package.tags, isFramework: package.isFramework, isSelected: package.isSelected,
                images: package.images)
            return Line(
                result: result, name: Self.folded(package.name), tags: package.tags.map(Self.folded),
                description: Self.folded(package.description))
        }.sorted { left, right in
            let (first, second) = (left.result.isSelected == true, right.result.isSelected == true)
            return first == second ? left.result.name < right.result.name : first
        }
    }

    private static func folded(_ text: String) -> [UInt8] { Array(text.lowercased().utf8) }

    /// How well a package answers a query; the first is the best.
    private enum Rank: Int { case same, begins, inName, tag, inTag, description }

    /// The packages that answer a query, those that are shown first before others, in the order of their names.
    func all(_ query: String) -> [(result: SearchResult, rank: Int)] {
        guard query.utf8.count <= Self.queryBytes else { return [] }
        let query = Self.folded(query)
        if query.contains(UInt8(ascii: "*")) {
            let pieces = query.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
            return lines.compactMap { line in Self.rank(line, pieces).map { (line.result, $0.rawValue) } }
        }
        return lines.compactMap { line in Self.rank(line, query).map { (line.result, $0.rawValue) } }
    }

    private static func rank(_ line: Line, _ query: [UInt8]) -> Rank? {
        if line.name == query { return .same }
        if line.name.starts(with: query) { return .begins }
        if contains(line.name, query) { return .inName }
        if line.tags.contains(query) { return .tag }
        if line.tags.contains(where: { contains($0, query) }) { return .inTag }
        return contains(line.description, query) ? .description : nil
    }

    private static func rank(_ line: Line, _ pieces: [[UInt8]]) -> Rank? {
        if fits(line.name, pieces) { return .same }
        if line.tags.contains(where: { fits($0, pieces) }) { return .tag }
        return fits(line.description, pieces) ? .description : nil
    }

    /// Whether a text holds another; an empty one is everywhere.
    private static func contains(_ text: [UInt8], _ piece: [UInt8]) -> Bool {
        find(piece, in: text[...]) != nil
    }

    private static func find(_ piece: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard let first = piece.first else { return text.startIndex }
        var index = text.startIndex
        while index + piece.count <= text.endIndex {
            if text[index] == first, text[index..<index + piece.count].elementsEqual(piece) { return index }
            index += 1
        }
        return nil
    }

    /// Whether a whole text fits pieces with anything between them. Each piece is taken where it comes first, so that
    /// nothing has to be tried again.
    private static func fits(_ text: [UInt8], _ pieces: [[UInt8]]) -> Bool {
        guard let first = pieces.first, let last = pieces.last, pieces.count > 1 else { return false }
        guard text.count >= first.count + last.count, text.starts(with: first),
            text.suffix(last.count).elementsEqual(last)
        else { return false }
        var rest = text[first.count..<text.count - last.count]
        for piece in pieces.dropFirst().dropLast() {
            guard let place = find(piece, in: rest) else { return false }
            rest = rest[(place + piece.count)...]
        }
        return true
    }
}

/// In which order packages are found.
public enum SearchOrder: Sendable {
    /// As Cosmos answers: those that are shown first, then by name.
    case selectedFirst
    /// Those first whose name is meant, then those whose name holds the query, then tags, then descriptions.
    case bestFirst
}

extension PackageCatalog {
    /// The packages that a query is about: it stands in the name, a tag or the description, whatever the case of the
    /// letters. With `*` in it, it must fit the whole of one of these, a `*` standing for anything. An empty query is
    /// about all packages.
    public func search(_ query: String, order: SearchOrder = .selectedFirst) -> [SearchResult] {
        let found = search.all(query)
        switch order {
        case .selectedFirst: return found.map(\.result)
        case .bestFirst:
            return found.enumerated()
                .sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element.result)
        }
    }
}
