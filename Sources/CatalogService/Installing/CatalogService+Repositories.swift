internal import Access
public import ClusterModel
internal import Packages
public import ServicesFramework

/// A repository as people see it.
public struct RepositoryView: Sendable {
    /// What people call it.
    public var name: String
    /// Where it comes from.
    public var address: String
    /// How many packages it has.
    public var packages: Int
    /// How many there are when each version counts.
    public var versions: Int
    /// The key that its packages are signed with, in base64; nil when anybody's are taken.
    public var key: String?
    /// When it was fetched last.
    public var fetchedAt: UnixTime?
    /// Why it could not be fetched the last time, or what of it was left out.
    public var problem: String?
}

/// Where packages come from.
extension CatalogService {
    /// The repositories, in the order in which they are looked through.
    public var repositories: [RepositoryView] {
        desk.repositories.map { repository in
            RepositoryView(
                name: repository.record.name, address: repository.record.address.text,
                packages: repository.content?.names.count ?? 0, versions: repository.content?.count ?? 0,
                key: repository.record.key?.text, fetchedAt: repository.record.fetchedAt, problem: repository.problem)
        }
    }

    /// Adds a repository, which must be there and have packages.
    ///
    /// - Parameters:
    ///   - name: what people call it.
    ///   - address: where it comes from.
    ///   - key: the key that its packages must be signed with, in base64; nil to take anybody's.
    ///   - index: its place, from 0 on; the last when nil.
    ///   - visitor: who asks.
    /// - Throws: ``CatalogProblem``, and what the visitor's rights refuse.
    public func addRepository(
        _ name: String, address: String, key: String?, at index: Int?, visitor: any ServicesVisitor
    ) async throws {
        visitor.note("catalog.add", name)
        try visitor.require(.changeCatalog)
        try RepositoryRecord.check(name: name)
        var record = RepositoryRecord(name: name, address: try RepositoryAddress(address))
        if case .archive = record.address { throw CatalogProblem.unsupportedAddress(address) }
        record.key = try RepositoryRecord.key(key)
        try await desk.add(record, at: index)
    }

    /// Takes a repository out of the list; what is installed from it stays, with the images that it needs.
    ///
    /// - Parameters:
    ///   - name: what people call it.
    ///   - uri: where it comes from; either or both are given.
    ///   - visitor: who asks.
    /// - Throws: ``CatalogProblem``, and what the visitor's rights refuse.
    public func removeRepository(name: String?, uri: String?, visitor: any ServicesVisitor) async throws {
        visitor.note("catalog.remove", name ?? uri ?? "")
        try visitor.require(.changeCatalog)
        guard name != nil || uri != nil else {
            throw CatalogProblem("RepoNameOrUriMissing", "Must specify either the name or URI of the repository")
        }
        try await removeRepository(name: name, uri: uri)
    }

    /// Fetches all repositories again.
    ///
    /// - Parameter visitor: who asks.
    /// - Throws: what the visitor's rights refuse.
    public func refresh(visitor: any ServicesVisitor) async throws {
        visitor.note("catalog.refresh", "all")
        try visitor.require(.changeCatalog)
        await desk.refresh()
    }
}
