internal import ClusterModel
internal import FrameworkRuntime
internal import LinuxSystem
internal import Logging
internal import Packages
internal import StateStore
internal import Synchronization

/// The repositories of a cluster: their list in the store, what they have in memory, and the last good document of each
/// on disk.
///
/// Changes go one after the other; whoever looks sees the last complete catalog.
final class RepositoryDesk: Sendable {
    /// A repository and what it has.
    struct Repository: Sendable {
        var record: RepositoryRecord
        /// Nil until it could be fetched once.
        var content: PackageRepository?
        /// Why it could not be fetched the last time, or what of it was left out.
        var problem: String?
    }

    private struct State {
        var list = RepositoryList(records: [], revision: nil)
        var repositories: [Repository] = []
        var catalog = PackageCatalog([])
    }

    private let store: any StateStore
    private let documents: DocumentShelf
    private let fetcher: RepositoryFetcher
    private let release: ReleaseNumber?
    private let now: @Sendable () -> UnixTime
    private let logger: Logger
    private let changes = OneAtATime()
    private let state = Mutex(State())

    init(
        store: any StateStore, shelf: DocumentShelf, fetcher: RepositoryFetcher, release: ReleaseNumber?,
        now: @escaping @Sendable () -> UnixTime, logger: Logger
    ) {
        self.store = store
        documents = shelf
        self.fetcher = fetcher
        self.release = release
        self.now = now
        self.logger = logger
    }

    var catalog: PackageCatalog { state.withLock(\.catalog) }
    var repositories: [Repository] { state.withLock(\.repositories) }

    // MARK: loading and fetching

    /// Reads the list, and for each repository what was fetched last; asks no other machine.
    func load() async throws {
        _ = await changes.enter()
        defer { changes.leave() }
        let stored = try await RepositoryList.load(store)
        let list =
            stored
            ?? RepositoryList(records: [RepositoryRecord(name: "Rondo", address: .builtIn)], revision: nil)
        var repositories: [Repository] = []
        for record in list.records {
            var repository = Repository(record: record)
            if record.address == .builtIn {
                repository.content = try? await fetcher.fetch(.builtIn)
            } else if let digest = record.document,
                let bytes = documents.read(digest, limit: PackageLimits.repositoryBytes)
            {
                repository.content = try? RepositoryFetcher.repository(bytes, record.address)
            }
            if repository.content == nil { repository.problem = "it has not been fetched yet" }
            repositories.append(repository)
        }
        show(list, repositories)
    }

    /// Fetches all repositories again. One that cannot be reached keeps what it had.
    func refresh() async {
        _ = await changes.enter()
        defer { changes.leave() }
        var (list, repositories) = state.withLock { ($0.list, $0.repositories) }
        for index in repositories.indices where repositories[index].record.address.isElsewhere {
            let name = repositories[index].record.name
            do throws(RepositoryFailure) {
                try await fetch(&repositories[index])
            } catch {
                logger.warning("repository \(name) cannot be fetched; it keeps what it had: \(error)")
                repositories[index].problem = error.description
            }
        }
        list.records = repositories.map(\.record)
        do { try await list.save(store) } catch {
            logger.warning("the list of repositories cannot be stored: \(error)")
        }
        show(list, repositories)
    }

    /// Fetches a repository and checks it against its key and against what it had before.
    private func fetch(_ repository: inout Repository) async throws(RepositoryFailure) {
        try take(try await fetcher.fetch(repository.record.address), into: &repository)
    }

    /// Checks what a repository has now.
    private func take(_ found: PackageRepository, into repository: inout Repository) throws(RepositoryFailure) {
        var content = found
        if let key = repository.record.key {
            content = content.filtered { key.verifies($0) ? nil : "it is not signed with the repository's key" }
            guard content.count > 0 || content.refusals.isEmpty else {
                throw RepositoryFailure("nothing in it is signed with the key that was given for it")
            }
        }
        var changed: [String] = []
        if let before = repository.content { (content, changed) = content.keeping(before) }
        do throws(SystemError) {
            repository.record.document = try documents.keep(content.document)
        } catch { throw RepositoryFailure("its packages cannot be kept: \(error)") }
        repository.record.fetchedAt = now()
        repository.content = content
        repository.problem = Self.problem(content, changed)
    }

    private static func problem(_ content: PackageRepository, _ changed: [String]) -> String? {
        var words: [String] = []
        if !changed.isEmpty {
            words.append(
                "\(changed.count) published versions were changed, which is refused: "
                    + changed.prefix(3).joined(separator: ", "))
        }
        if let first = content.refusals.first { words.append("\(content.refusals.count) left out, as \(first)") }
        return words.isEmpty ? nil : String(words.joined(separator: "; ").prefix(500))
    }

    private func show(_ list: RepositoryList, _ repositories: [Repository]) {
        let catalog = PackageCatalog(repositories.compactMap(\.content), release: release)
        state.withLock { $0 = State(list: list, repositories: repositories, catalog: catalog) }
        documents.clean(keeping: Set(repositories.compactMap(\.record.document)))
    }

    // MARK: changing the list

    /// Adds a repository, which must be there and have packages.
    func add(_ record: RepositoryRecord, at index: Int?) async throws {
        try await add(record, at: index) { repository throws(RepositoryFailure) in
            try await self.fetch(&repository)
            return nil
        }
    }

    /// Adds a repository whose document has come in an archive.
    ///
    /// - Parameters:
    ///   - record: the repository.
    ///   - index: where it goes in the list; nil is the end.
    ///   - document: what is in it.
    ///   - keep: keeps its images; called when nothing else is against it, before the repository is in the list.
    ///   - forget: takes back what `keep` did.
    /// - Throws: ``CatalogProblem``, or what `keep` and the store say.
    func add(
        _ record: RepositoryRecord, at index: Int?, document: [UInt8], keep: @escaping @Sendable () throws -> Void,
        forget: @escaping @Sendable () -> Void
    ) async throws {
        try await add(record, at: index) { repository throws(RepositoryFailure) in
            let content = try RepositoryFetcher.repository(document, record.address)
            try self.take(content, into: &repository)
            guard repository.content.map({ $0.count > 0 }) == true else {
                throw RepositoryFailure(
                    "no package in it can be used: \(content.refusals.first?.description ?? "it is empty")")
            }
            return Images(keep: keep, forget: forget)
        }
    }

    private struct Images {
        var keep: @Sendable () throws -> Void
        var forget: @Sendable () -> Void
    }

    private func add(
        _ record: RepositoryRecord, at index: Int?, fill: (inout Repository) async throws(RepositoryFailure) -> Images?
    ) async throws {
        _ = await changes.enter()
        defer { changes.leave() }
        var (list, repositories) = state.withLock { ($0.list, $0.repositories) }
        let (name, uri) = (record.name, record.address.text)
        let hasName = list.records.contains { $0.name == name }
        let hasAddress = list.records.contains { $0.address == record.address }
        guard !hasName, !hasAddress else {
            throw CatalogProblem.present(name: hasName ? name : nil, uri: hasAddress ? uri : nil)
        }
        if let index, !(0...repositories.count).contains(index) {
            throw CatalogProblem.position(index, most: repositories.count)
        }
        guard repositories.count < RepositoryRecord.countLimit else {
            throw CatalogProblem(
                "RepositoryLimit", "There are \(repositories.count) repositories; no more than that are taken")
        }
        var repository = Repository(record: record)
        let images: Images?
        do throws(RepositoryFailure) { images = try await fill(&repository) } catch {
            throw CatalogProblem.unreachable(name, uri, error.description)
        }
        repositories.insert(repository, at: index ?? repositories.count)
        list.records = repositories.map(\.record)
        try images?.keep()
        do { try await list.save(store) } catch {
            images?.forget()
            throw error
        }
        show(list, repositories)
    }

    /// Takes a repository out of the list. What is installed from it stays.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - uri: or its address.
    ///   - before: called with its name while it is still in the list.
    /// - Returns: its name.
    /// - Throws: ``CatalogProblem`` when there is none, or what `before` and the store say.
    @discardableResult
    func remove(
        name: String?, uri: String?, before: (String) async throws -> Void = { _ in }
    ) async throws -> String {
        _ = await changes.enter()
        defer { changes.leave() }
        var (list, repositories) = state.withLock { ($0.list, $0.repositories) }
        let index = repositories.firstIndex { repository in
            (name == nil || repository.record.name == name) && (uri == nil || repository.record.address.text == uri)
        }
        guard let index else { throw CatalogProblem.absent(name: name, uri: uri) }
        let removed = repositories.remove(at: index).record
        try await before(removed.name)
        list.records = repositories.map(\.record)
        try await list.save(store)
        show(list, repositories)
        return removed.name
    }
}
