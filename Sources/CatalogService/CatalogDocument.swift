internal import Deployments
internal import FrameworkRuntime
public import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Packages

/// `/rondo/v1/catalog`: the repositories with what Cosmos' list has no room for.
extension CatalogService {
    /// The repositories, what is in them, and what is wrong with them.
    public func document() -> GatewayResponse {
        var text = JSONText()
        text.object { json in
            json.list("repositories") { json in
                for repository in desk.repositories {
                    json.object { json in
                        json.field("name", repository.record.name)
                        json.field("uri", repository.record.address.text)
                        json.field("packages", repository.content?.names.count ?? 0)
                        json.field("versions", repository.content?.count ?? 0)
                        json.field("key", repository.record.key?.text)
                        json.field("fetchedAt", repository.record.fetchedAt.map(TimeText.iso8601))
                        json.field("problem", repository.problem)
                    }
                }
            }
        }
        return .complete(
            .ok, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: text.bytes))
    }

    /// All packages in one document, as the repositories have them; of those that several have, the first one's.
    ///
    /// - Parameter request: `repository` is the name of one, for what that one has alone.
    /// - Returns: `{"packages": […]}`.
    /// - Throws: ``GatewayError`` 404 when there is no such repository.
    public func packages(_ request: GatewayRequest) throws -> GatewayResponse {
        var repositories = desk.repositories
        if let name = request.query["repository"] {
            repositories = repositories.filter { $0.record.name == name }
            guard !repositories.isEmpty else {
                throw GatewayError(
                    .notFound, "there is no repository \(name.prefix(100)); `rondo catalog list` shows those there are")
            }
        }
        let document = PackageRepository.merged(repositories.compactMap(\.content)).document
        return .complete(
            .ok, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: document))
    }

    /// Fetches all repositories again.
    ///
    /// - Returns: ``document()`` after that.
    public func refreshed() async -> GatewayResponse {
        await desk.refresh()
        await tidyImages()
        return document()
    }

    /// A refusal that came before the call was looked at, in the form of Cosmos' interface.
    public static func failure(_ error: GatewayError) -> GatewayResponse {
        let type =
            switch error.status.code {
            case 401: "Unauthorized"
            case 403: "Forbidden"
            case 404: "NotFound"
            case 503: "ServiceUnavailable"
            default: "RequestRefused"
            }
        var response = CosmosFacade.answer(CatalogProblem(type, error.message, status: error.status))
        for field in error.headers { response.headers.append(field) }
        return response
    }
}
