public import HTTPTypes
internal import Packages

/// Why the catalog refuses something, with the type, the words and the data by which clients of Cosmos know it.
public struct CatalogProblem: Error, Sendable {
    /// What clients tell problems apart by, such as `PackageNotFound`.
    public let type: String
    /// One sentence for people.
    public let message: String
    /// The status of the answer.
    public let status: HTTPResponse.Status
    /// What the problem is about, by name.
    let data: JSONObject

    /// What is wrong in particular, each with its place, where there is more than one thing.
    public var details: [String] {
        (data["errors"]?.list ?? []).prefix(100).compactMap { error in
            if let text = error["error"]?.text { return text }
            guard let message = error["message"]?.text else { return nil }
            return (error["instance"]?["pointer"]?.text).map { "\($0.isEmpty ? "/" : $0): \(message)" } ?? message
        }
    }

    init(
        _ type: String, _ message: String, _ data: KeyValuePairs<String, JSON> = [:],
        status: HTTPResponse.Status = .badRequest
    ) {
        self.type = type
        self.message = message
        self.data = JSONObject(data)
        self.status = status
    }
}

/// Packages and services.
extension CatalogProblem {
    static func noPackage(_ name: String) -> CatalogProblem {
        CatalogProblem("PackageNotFound", "Package [\(name)] not found", ["packageName": .text(name)])
    }

    static func noVersion(_ version: String, of name: String) -> CatalogProblem {
        CatalogProblem(
            "VersionNotFound", "Version [\(version)] of package [\(name)] not found",
            ["packageName": .text(name), "packageVersion": .text(version)])
    }

    static let alreadyInstalled = CatalogProblem(
        "PackageAlreadyInstalled", "Package is already installed", status: .conflict)

    static func notInstalled(_ name: String) -> CatalogProblem {
        CatalogProblem("PackageNotInstalled", "Package [\(name)] is not installed", ["packageName": .text(name)])
    }

    static func notInstalled(_ name: String, as app: String) -> CatalogProblem {
        CatalogProblem(
            "UninstallNonExistentAppForPackage", "Package [\(name)] with id [\(app)] is not installed",
            ["packageName": .text(name), "appId": .text(app)])
    }

    static func ambiguous(_ name: String, _ apps: [String]) -> CatalogProblem {
        CatalogProblem(
            "AmbiguousAppId", "Multiple apps named [\(name)] are installed: [\(apps.joined(separator: ", "))]",
            ["packageName": .text(name), "appIds": .list(apps.map(JSON.text))])
    }

    static func noService(_ app: String) -> CatalogProblem {
        CatalogProblem(
            "MarathonAppNotFound", "Unable to locate service with marathon appId: '\(app)'", ["appId": .text(app)])
    }

    static func noTemplate(_ name: String, _ version: String) -> CatalogProblem {
        CatalogProblem(
            "ServiceMarathonTemplateNotFound",
            "Package: [\(name)] version: [\(version)] does not have a Marathon template defined and can not be rendered",
            ["packageName": .text(name), "packageVersion": .text(version)])
    }

    static func wrongOptions(_ errors: [JSON]) -> CatalogProblem {
        CatalogProblem("JsonSchemaMismatch", "Options JSON failed validation", ["errors": .list(errors)])
    }

    static let noSchema = CatalogProblem(
        "OptionsNotAllowed", "No schema available to validate the provided options")

    static let optionsNotStored = CatalogProblem(
        "OptionsNotStored", "The service has no stored options; give all of them and say that they replace the old ones"
    )

    static func changedID(_ new: String, _ old: String) -> CatalogProblem {
        CatalogProblem(
            "AppIdChanged", "The new appId \(new) must be equal to the old appId \(old)",
            ["newAppId": .text(new), "oldAppId": .text(old)])
    }

    static func badUpdate(from current: String, to wanted: String, valid: [String]) -> CatalogProblem {
        let ways = valid.isEmpty ? "it has no other version to go to" : "it can go to \(valid.joined(separator: ", "))"
        return CatalogProblem(
            "BadVersionUpdate", "Version \(current) cannot become version \(wanted): \(ways)",
            [
                "currentVersion": .text(current), "updateVersion": .text(wanted),
                "validVersions": .list(valid.map(JSON.text)),
            ])
    }

    /// What the services framework refused, in its words.
    static func refusedService(_ status: HTTPResponse.Status, _ message: String, _ details: JSON?) -> CatalogProblem {
        CatalogProblem("MarathonBadResponse", message, details.map { ["errors": $0] } ?? [:], status: status)
    }
}

/// Requests.
extension CatalogProblem {
    static func unreadable(_ reason: String) -> CatalogProblem {
        CatalogProblem("JsonParsingError", "Unable to parse the string as a JSON value: \(reason)")
    }

    static func undecodable(_ type: String, _ reason: String) -> CatalogProblem {
        CatalogProblem(
            "JsonDecodingError", "Unable to decode the JSON value as a \(type): \(reason)",
            ["typeName": .text(type), "causeMessage": .text(reason)])
    }

    static func contentType(_ found: String?, expected: String) -> CatalogProblem {
        let what = found.map { "Unsupported Content-Type: \($0)" } ?? "Unspecified Content-Type"
        return CatalogProblem(
            "UnsupportedContentType", "\(what) Accept: \(expected)",
            ["supported": .list([.text(expected)]), "actual": found.map(JSON.text) ?? .null])
    }
}

extension CatalogProblem {
    static func notAcceptable(_ types: [String]) -> CatalogProblem {
        CatalogProblem(
            "NotAcceptable", "Item with Accept header must have as an accepted type: \(types.joined(separator: ", "))",
            ["supported": .list(types.map(JSON.text))])
    }
}

/// Repositories.
extension CatalogProblem {
    static func unsupportedAddress(_ text: String) -> CatalogProblem {
        CatalogProblem(
            "UnsupportedRepositoryUri",
            "Repository URI [\(text.prefix(200))] uses an unsupported scheme. Only https, http, oci and file are supported",
            ["uri": .text(String(text.prefix(2_048)))])
    }

    static func unreachable(_ name: String, _ address: String, _ reason: String) -> CatalogProblem {
        CatalogProblem(
            "RepositoryUriConnection", "Could not access data at URI for repository [\(name)]: \(address): \(reason)",
            [
                "repository": .object(JSONObject(["name": .text(name), "uri": .text(address)])),
                "cause": .text(reason),
            ])
    }

    static func present(name: String?, uri: String?) -> CatalogProblem {
        let message =
            switch (name, uri) {
            case (let name?, let uri?):
                "Repository name [\(name)] and URI [\(uri)] are both already present in the list"
            case (let name?, nil): "Repository name [\(name)] is already present in the list"
            default: "Repository URI [\(uri ?? "")] is already present in the list"
            }
        return CatalogProblem("RepositoryAlreadyPresent", message, names(name, uri))
    }

    static func absent(name: String?, uri: String?) -> CatalogProblem {
        let message =
            switch (name, uri) {
            case (let name?, let uri?): "Neither repository name [\(name)] nor URI [\(uri)] are present in the list"
            case (let name?, nil): "Repository name [\(name)] is not present in the list"
            default: "Repository URI [\(uri ?? "")] is not present in the list"
            }
        return CatalogProblem("RepositoryNotPresent", message, names(name, uri))
    }

    private static func names(_ name: String?, _ uri: String?) -> KeyValuePairs<String, JSON> {
        switch (name, uri) {
        case (let name?, let uri?): ["name": .text(name), "uri": .text(uri)]
        case (let name?, nil): ["name": .text(name)]
        default: ["uri": .text(uri ?? "")]
        }
    }

    static func position(_ index: Int, most: Int) -> CatalogProblem {
        let allowed = most == 0 ? "can be at most 0" : "must be between 0 and \(most) inclusive."
        return CatalogProblem(
            "RepositoryAddIndexOutOfBounds", "Index (\(index)) is out of range. Index value \(allowed)",
            ["attempted": .integer(index), "max": .integer(most)])
    }
}
