public import Identity
public import ImageStore
public import Packages

/// Making a repository document out of packages, and publishing it.
public enum RepositoryBuilding {
    /// Combines packages.
    ///
    /// - Parameters:
    ///   - packages: the packages, in their order.
    ///   - key: who signs each; nil leaves them as they are, with the signatures that they have.
    /// - Returns: `{"packages": […]}`.
    /// - Throws: what the library of the key says.
    public static func document(of packages: [PackageDefinition], key: NodeKey?) throws -> [UInt8] {
        let entries = try packages.map { package in
            var entry = package.json
            if let key { entry[EntrySignature.field] = .text(try EntrySignature.sign(entry, with: key)) }
            return JSON.object(entry)
        }
        return JSON.object(JSONObject(["packages": .list(entries)])).bytes
    }

    /// Publishes a repository document as an OCI artifact.
    ///
    /// - Parameters:
    ///   - document: `{"packages": […]}`.
    ///   - address: `oci://HOST/NAME:TAG`.
    ///   - settings: how registries are spoken to.
    /// - Returns: the digest of the artifact.
    /// - Throws: ``CatalogProblem`` when the address is another one, ``ImageError`` with what the registry says.
    public static func push(
        _ document: [UInt8], to address: RepositoryAddress, settings: RegistrySettings
    ) async throws -> Digest {
        guard case .registry(let name) = address else {
            throw CatalogProblem(
                "UnsupportedRepositoryUri", "\(address.text) is no artifact; write oci://HOST/NAME:TAG")
        }
        return try await WebDocument(settings: settings).push(
            LayoutDocument(type: RepositoryFetcher.artifactType, bytes: document), to: ImageReference(parsing: name))
    }

    /// Packages whose images are named by digest, too.
    ///
    /// - Parameters:
    ///   - packages: the packages.
    ///   - settings: how registries are spoken to, which are asked what they have under the images' tags.
    ///   - local: this machine's images, for those that no registry has.
    /// - Returns: the packages; those whose images were pinned have no signature any more.
    /// - Throws: ``ImageError`` when nobody has an image.
    public static func pinned(
        _ packages: [PackageDefinition], settings: RegistrySettings, local: ImageStore?
    ) async throws -> [PackageDefinition] {
        var digests: [String: Digest] = [:]
        for image in packages.flatMap(\.dockerAssets).map(\.image) where digests[image] == nil {
            let reference = try ImageReference(parsing: image)
            guard reference.digest == nil else { continue }
            do throws(ImageError) {
                digests[image] = try await WebDocument(settings: settings).digest(of: reference)
            } catch {
                guard let known = try local?.image(reference)?.digest else { throw error }
                digests[image] = known
            }
        }
        return packages.map { package in package.replacingImages { ImagePin.pinned($0, digests[$0]) } }
    }

    /// Reads a repository from where it is, as a master would.
    ///
    /// - Parameters:
    ///   - address: a folder, a file, a URL, an artifact, or what this program brings along.
    ///   - builtIn: the document that this program brings along.
    ///   - settings: how servers are spoken to.
    /// - Returns: what it has, with the packages that were left out.
    /// - Throws: ``CatalogProblem`` when it cannot be read.
    public static func repository(
        _ address: RepositoryAddress, builtIn: @escaping @Sendable () -> [UInt8], settings: RegistrySettings
    ) async throws -> PackageRepository {
        do throws(RepositoryFailure) {
            return try await RepositoryFetcher(builtIn: builtIn, settings: settings, transport: nil).fetch(address)
        } catch {
            throw CatalogProblem("RepositoryUnreadable", "\(address.text) is no repository: \(error)")
        }
    }

    /// Reads a repository document that is there.
    ///
    /// - Parameters:
    ///   - bytes: `{"packages": […]}`.
    ///   - source: where it comes from.
    /// - Returns: what it has, with the packages that were left out.
    /// - Throws: ``CatalogProblem`` when it is none.
    public static func repository(_ bytes: [UInt8], source: String) throws -> PackageRepository {
        do throws(JSONFault) { return try PackageRepository(json: bytes, source: source) } catch {
            throw CatalogProblem("RepositoryUnreadable", "\(source) is no repository: \(error)")
        }
    }
}
