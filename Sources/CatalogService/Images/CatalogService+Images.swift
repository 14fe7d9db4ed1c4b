internal import Access
internal import FrameworkRuntime
public import HTTPGateway
internal import HTTPTypes
internal import ImageStore
internal import Logging
internal import NIOCore
internal import Packages
public import ServicesFramework

/// Archives with packages and images, and the images that the cluster keeps.
extension CatalogService {
    /// `POST /rondo/v1/catalog/archives?name=NAME&key=KEY&index=NUMBER` with an archive as its body: adds a repository,
    /// and keeps its images for all nodes.
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - visitor: who asks.
    /// - Returns: ``document()`` after that.
    /// - Throws: ``GatewayError``; nothing of the archive is kept then.
    public func addArchive(_ request: GatewayRequest, visitor: any ServicesVisitor) async throws -> GatewayResponse {
        let query = request.query
        let name = query["name"] ?? ""
        visitor.note("catalog.add", name)
        try visitor.require(.changeCatalog)
        return try await refusing {
            try RepositoryRecord.check(name: name)
            guard !name.hasPrefix(" "), !name.hasSuffix(" ") else {
                throw CatalogProblem("RepositoryNameInvalid", "A repository's name has no blanks around it")
            }
            let key = try RepositoryRecord.key(query["key"])
            let index = try query["index"].map { text throws(CatalogProblem) in
                guard let number = Int(text) else {
                    throw CatalogProblem("RepositoryAddIndexOutOfBounds", "The index is not a number")
                }
                return number
            }
            // Before gigabytes are read.
            if self.desk.repositories.contains(where: { $0.record.name == name }) {
                throw CatalogProblem.present(name: name, uri: nil)
            }
            let shelf = try self.images.shelf()
            let arrival = try await self.images.receive(request.body)
            let content = try await shelf.take(
                arrival.path,
                documents: .init(type: RepositoryFetcher.artifactType, limit: RepositoryFetcher.limit))
            do {
                guard let document = content.documents.first, content.documents.count == 1 else {
                    throw GatewayError(
                        .badRequest,
                        content.documents.isEmpty
                            ? "the archive has images and no packages; `rondo image import FILE --cluster` takes it"
                            : "the archive has more than one document of packages")
                }
                var record = RepositoryRecord(
                    name: name, address: .archive(DocumentShelf.digest(document.bytes)))
                record.key = key
                let owner = ClusterImages.owner(name)
                try await self.desk.add(record, at: index, document: document.bytes) {
                    try shelf.keep(content, by: owner)
                } forget: {
                    try? shelf.release { $0 == owner }
                }
            } catch {
                shelf.drop(content)
                throw error
            }
            return self.document()
        }
    }

    /// Takes a repository out of the list. Of its images, those that services name stay until none does.
    ///
    /// - Parameters:
    ///   - name: the repository.
    ///   - uri: or its address.
    /// - Throws: ``CatalogProblem`` when there is none, or what the services framework or the store says.
    func removeRepository(name: String?, uri: String?) async throws {
        let used = try await imagesInUse()
        let removed = try await desk.remove(name: name, uri: uri) { name in
            _ = try? self.images.shelf().share(from: ClusterImages.owner(name), to: ClusterImages.services) {
                used.contains($0)
            }
        }
        do throws(ImageError) {
            try images.shelf().release { $0 == ClusterImages.owner(removed) }
        } catch { logger.error("the images of repository \(removed) cannot be removed: \(error)") }
    }

    /// The whole names of the images that services and pods have.
    private func imagesInUse() async throws -> Set<String> {
        Set(try await services.imagesInUse().compactMap { try? ImageReference(parsing: $0).description })
    }

    /// Removes images that were only kept for services which are over.
    func tidyImages() async {
        do {
            let shelf = try images.shelf()
            let kept = try shelf.images().filter { $0.owner == ClusterImages.services }
            guard !kept.isEmpty else { return }
            let used = try await imagesInUse()
            for image in kept where !used.contains(image.name) {
                _ = try shelf.release(image.name, of: ClusterImages.services)
            }
        } catch { logger.warning("the cluster's images cannot be tidied: \(error)") }
    }

    // MARK: - Images by themselves

    /// `/rondo/v1/catalog/images`: the images that the cluster keeps. GET lists them, POST gives it those of an archive
    /// (`?as=NAME`), DELETE takes one away (`?name=NAME`).
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - visitor: who asks.
    /// - Returns: all images after that.
    /// - Throws: ``GatewayError``.
    public func images(_ request: GatewayRequest, visitor: any ServicesVisitor) async throws -> GatewayResponse {
        try await refusing {
            switch request.method {
            case .post: try await self.addImages(request, visitor)
            case .delete: try self.removeImage(request, visitor)
            default: break
            }
            return try self.imageList()
        }
    }

    private func addImages(_ request: GatewayRequest, _ visitor: any ServicesVisitor) async throws {
        let name = try request.query["as"].map { text throws(ImageError) in try ImageReference(parsing: text) }
        visitor.note("image.import", name?.description ?? "an archive")
        try visitor.require(.changeCatalog)
        let shelf = try images.shelf()
        let arrival = try await images.receive(request.body)
        let content = try await shelf.take(arrival.path, as: name)
        do throws(ImageError) { try shelf.keep(content, by: ClusterImages.cluster, adds: true) } catch {
            shelf.drop(content)
            throw error
        }
    }

    private func removeImage(_ request: GatewayRequest, _ visitor: any ServicesVisitor) throws {
        let name = try ImageReference(parsing: request.query["name"] ?? "").description
        visitor.note("image.remove", name)
        try visitor.require(.changeCatalog)
        guard try images.shelf().release(name, of: ClusterImages.cluster) else {
            throw GatewayError(
                .notFound,
                "nobody gave the cluster an image \(name); those of a repository go with it (`rondo catalog remove`)")
        }
    }

    private func imageList() throws -> GatewayResponse {
        let kept = try images.shelf().images()
        var text = JSONText()
        text.object { json in
            json.list("images") { json in
                for image in kept {
                    json.object { json in
                        json.field("name", image.name)
                        json.field("digest", image.digest.description)
                        json.field("keptFor", image.owner)
                        json.field("served", image.isServed)
                        json.field("bytes", Int(image.size))
                    }
                }
            }
        }
        return .complete(.ok, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: text.bytes))
    }

    /// Gives the errors of images and of the catalog the form of answers.
    private func refusing(_ work: () async throws -> GatewayResponse) async throws -> GatewayResponse {
        do { return try await work() } catch let error as ImageError {
            throw GatewayError(error)
        } catch let problem as CatalogProblem {
            throw GatewayError(problem.status, problem.message)
        }
    }
}
