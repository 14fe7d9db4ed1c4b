/// The two encodings of the interface. What comes in and what goes out are chosen independently.
public enum MediaType: Hashable, Sendable, CaseIterable {
    /// `application/json`: proto field names, enums by name, bytes in base64.
    case json
    /// `application/x-protobuf`: proto2 binary.
    case protobuf

    /// The value for a Content-Type header.
    public var headerValue: String {
        switch self {
        case .json: "application/json"
        case .protobuf: "application/x-protobuf"
        }
    }

    /// Reads a Content-Type header. Parameters such as `charset=utf-8` are tolerated, capitals too.
    /// - Parameter header: nil when the request has none.
    /// - Throws: `.unsupportedMediaType`.
    public init(contentType header: String?) throws(WireError) {
        guard let header else { throw .unsupportedMediaType(nil) }
        guard let type = Self.exact(header[...]) else { throw .unsupportedMediaType(header) }
        self = type
    }

    /// Reads an Accept header: the first of the listed types that can be sent. No header, an empty one and wildcards
    /// mean JSON. Quality values are not weighed, but `q=0` excludes a type.
    /// - Parameter header: nil when the request has none.
    /// - Throws: `.notAcceptable`.
    public init(accept header: String?) throws(WireError) {
        guard let header, header.contains(where: { $0 != " " && $0 != "\t" }) else {
            self = .json
            return
        }
        for item in header.split(separator: ",") {
            if Self.isExcluded(item) { continue }
            if let type = Self.exact(item) {
                self = type
                return
            }
            let name = Self.name(item)
            if name == "*/*" || name == "application/*" {
                self = .json
                return
            }
        }
        throw .notAcceptable(header)
    }

    private static func exact(_ item: Substring) -> MediaType? {
        let name = name(item)
        return allCases.first { $0.headerValue == name }
    }

    private static func name(_ item: Substring) -> String {
        let end = item.firstIndex(of: ";") ?? item.endIndex
        return item[..<end].trimmed.lowercased()
    }

    private static func isExcluded(_ item: Substring) -> Bool {
        item.split(separator: ";").dropFirst().contains { parameter in
            let text = parameter.trimmed.lowercased()
            guard text.hasPrefix("q=") else { return false }
            return Double(text.dropFirst(2)) == 0
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
