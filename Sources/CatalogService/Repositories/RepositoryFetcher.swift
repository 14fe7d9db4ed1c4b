internal import ImageStore
internal import Packages
internal import Transport

/// Brings the document of a repository here, from wherever it is.
struct RepositoryFetcher: Sendable {
    /// What this program brings along.
    var builtIn: @Sendable () -> [UInt8]
    /// How registries and web servers are spoken to.
    var settings: RegistrySettings
    /// Who to be at a registry.
    var credentials: @Sendable (_ registry: String) async -> RegistryCredentials? = { _ in nil }
    var transport: Transport?

    /// The longest document. All of Universe is 30 MB.
    static let limit = 128 << 20
    /// The media type of the layer of an artifact that is a repository document.
    static let artifactType = "application/vnd.rondo.catalog.repository.v1+json"
    /// What web servers are asked for, as Cosmos asks: some choose by it what they send.
    private static let accept =
        [5, 4, 3].map {
            "application/vnd.dcos.universe.repo+json;charset=utf-8;version=v\($0)"
        }.joined(separator: ", ") + ", application/json, application/zip, */*;q=0.1"

    /// What the repository has.
    func fetch(_ address: RepositoryAddress) async throws(RepositoryFailure) -> PackageRepository {
        switch address {
        case .builtIn: return try Self.repository(builtIn(), address)
        case .archive: throw RepositoryFailure("archives are sent to the master and not fetched")
        case .folder(let path): return PackageRepository(try RepositoryFolder(path).tree(), source: address.text)
        case .web, .registry:
            let bytes = try await download(address)
            guard ZipArchive.isArchive(bytes) else { return try Self.repository(bytes, address) }
            return PackageRepository(try ZipArchive(bytes).tree(), source: address.text)
        }
    }

    /// Reads a document `{"packages": […]}`.
    static func repository(
        _ bytes: [UInt8], _ address: RepositoryAddress
    ) throws(RepositoryFailure) -> PackageRepository {
        do throws(JSONFault) {
            return try PackageRepository(json: bytes, source: address.text)
        } catch { throw RepositoryFailure("what it sends is no repository: \(error)") }
    }

    private func download(_ address: RepositoryAddress) async throws(RepositoryFailure) -> [UInt8] {
        do throws(ImageError) {
            guard case .registry(let name) = address else {
                return try await WebDocument(settings: settings, transport: transport).get(
                    address.text, accept: Self.accept, limit: Self.limit)
            }
            let reference = try ImageReference(parsing: name)
            var settings = settings
            if let known = await credentials(reference.registry) { settings.credentials = known }
            settings.credentialAdvice = "keep them with `rondo image login \(reference.registry)`"
            return try await WebDocument(settings: settings, transport: transport).artifact(
                reference, types: [Self.artifactType], limit: Self.limit)
        } catch { throw RepositoryFailure(error.message) }
    }
}
