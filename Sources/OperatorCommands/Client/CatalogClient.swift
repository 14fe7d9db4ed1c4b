internal import Appliance
internal import FoundationEssentials
internal import HTTPTypes

/// Asks for packages, by Cosmos' interface.
struct CatalogClient: Sendable {
    let client: ClusterClient

    init(_ client: ClusterClient) { self.client = client }

    private static func media(_ name: String, _ kind: String, _ version: Int) -> String {
        "application/vnd.dcos.\(name)-\(kind)+json;charset=utf-8;version=v\(version)"
    }

    /// Calls one of its functions.
    ///
    /// - Parameters:
    ///   - name: such as `package.search`.
    ///   - body: what it is called with.
    ///   - version: the version of the answer's form.
    /// - Returns: the answer.
    /// - Throws: ``ApplianceError`` with what the master says.
    func ask(_ name: String, _ body: [String: JSONValue], version: Int = 1) async throws -> [UInt8] {
        let words = name.split(separator: ".").joined(separator: "/")
        let path = name.hasPrefix("service.") ? "/cosmos/" + words : "/" + words
        let answer = try await client.exchange(
            .post, path, try JSONValue.object(body).encoded(), type: Self.media(name, "request", 1),
            accept: Self.media(name, "response", version))
        guard (200..<300).contains(answer.status) else { throw Self.refusal(answer.status, answer.bytes) }
        return answer.bytes
    }

    /// As ``ask(_:_:version:)``, with the answer read.
    func read<Document: Decodable>(
        _ type: Document.Type, _ name: String, _ body: [String: JSONValue], version: Int = 1
    ) async throws -> Document {
        try decode(type, try await ask(name, body, version: version))
    }

    func decode<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws -> Document {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw ApplianceError(
                .failure,
                "\(client.endpoint) does not answer as a master of release \(Program.version) does; check --master")
        }
    }

    /// What is wrong, with a line for each option that is.
    static func refusal(_ status: Int, _ answer: [UInt8]) -> ApplianceError {
        guard let problem = try? JSONValue(parsing: answer), let message = problem["message"]?.text else {
            return ClusterClient.refusal(status, answer)
        }
        let lines = (problem["data"]?["errors"]?.list ?? []).prefix(50).map { error in
            let path = (error["instance"]?["pointer"] ?? error["path"])?.text ?? ""
            let words =
                error["message"]?.text ?? error["error"]?.text
                ?? (error["errors"]?.list ?? []).compactMap(\.text).joined(separator: ", ")
            return "\n  \(option(path)): \(TextTable.clean(words))"
        }
        return ApplianceError(
            status == 401 || status == 403 ? .notPermitted : status == 503 ? .unavailable : .failure,
            TextTable.clean(message) + lines.joined())
    }

    /// `/service/name` as people write an option: `service.name`.
    private static func option(_ pointer: String) -> String {
        let parts = pointer.split(separator: "/").map {
            $0.replacing("~1", with: "/").replacing("~0", with: "~")
        }
        return parts.isEmpty ? "the options" : TextTable.clean(parts.joined(separator: "."))
    }
}

/// What a search finds.
struct PackagesFound: Decodable {
    struct Package: Decodable {
        var name: String
        var currentVersion: String
        var description: String
        var tags: [String]?
        var selected: Bool?
        var framework: Bool?
    }

    var packages: [Package]
}

/// A package in one version.
struct PackageDocument: Decodable {
    struct License: Decodable {
        var name: String
        var url: String
    }

    var name: String
    var version: String
    var maintainer: String?
    var description: String
    var tags: [String]?
    var website: String?
    var scm: String?
    var licenses: [License]?
    var preInstallNotes: String?
    var postInstallNotes: String?
    var minDcosReleaseVersion: String?
    var config: JSONValue?
    var resource: JSONValue?

    /// The container images among its assets, by the names that templates have for them.
    var images: [String] {
        guard case .object(let images)? = resource?["assets"]?["container"]?["docker"] else { return [] }
        return images.sorted { $0.key < $1.key }.compactMap(\.value.text)
    }
}

struct PackageDescribed: Decodable { var package: PackageDocument }

/// The versions of a package, each with its number in the repository.
struct PackageVersions: Decodable {
    var results: [String: String]

    /// The newest first.
    var ordered: [String] {
        results.sorted { (Int($0.value) ?? 0, $0.key) > (Int($1.value) ?? 0, $1.key) }.map(\.key)
    }
}

/// What is installed.
struct PackagesInstalled: Decodable {
    struct Package: Decodable {
        struct Information: Decodable { var packageDefinition: PackageDocument }

        var appId: String
        var packageInformation: Information
    }

    var packages: [Package]
}

/// What an installation answers with.
struct PackageInstalled: Decodable {
    var packageName: String
    var packageVersion: String
    var appId: String?
    var postInstallNotes: String?
}

/// A service that a package became.
struct PackageService: Decodable {
    var package: PackageDocument
    var upgradesTo: [String]
    var downgradesTo: [String]
    var resolvedOptions: JSONValue?
    var userProvidedOptions: JSONValue?
}

struct PackageUpdated: Decodable {
    var marathonDeploymentId: String
}

struct PackagesRemoved: Decodable {
    struct Package: Decodable {
        var packageName: String
        var appId: String
        var packageVersion: String?
        var postUninstallNotes: String?
    }

    var results: [Package]
}
