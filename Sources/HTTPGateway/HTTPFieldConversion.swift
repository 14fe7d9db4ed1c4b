internal import HTTPTypes
internal import NIOHTTP1

extension HTTPFields {
    /// Header fields as parsed by NIO. Fields whose names are not tokens cannot occur: the parser refuses them.
    init(_ headers: HTTPHeaders) {
        self.init()
        reserveCapacity(headers.count)
        for (name, value) in headers {
            guard let name = HTTPField.Name(name) else { continue }
            append(HTTPField(name: name, value: value))
        }
    }
}

extension HTTPHeaders {
    /// Header fields for NIO; names keep the case they were made with.
    init(_ fields: HTTPFields) {
        self.init()
        reserveCapacity(fields.count + 2)
        for field in fields { add(name: field.name.rawName, value: field.value) }
    }
}

/// Header fields that belong to one connection and are never forwarded or taken from a handler (RFC 9110 §7.6.1).
let connectionFields: [HTTPField.Name] = ["connection", "keep-alive", "te", "transfer-encoding", "upgrade", "trailer"]
    .compactMap { HTTPField.Name($0) }
