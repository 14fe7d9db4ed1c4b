internal import Access
internal import Console
internal import Crypto
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import NIOCore
internal import Synchronization

/// What the console of one master remembers: nothing but a key for the tokens of its forms, and who follows it.
final class ConsoleState: Sendable {
    /// Signs the tokens of forms. It lives as long as the process: a page from before is loaded again.
    fileprivate let key = SymmetricKey(size: .bits256)
    /// Who follows what changes.
    let hub = ConsoleHub()
    /// Commands with terminals that pages have started.
    let terminals = ConsoleTerminals()
    /// Tells what the gossip says; nil where there is none.
    let gossip = Mutex<(@Sendable () async -> GossipView)?>(nil)

    /// The token of forms for whoever shows a credential.
    fileprivate func token(for holder: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Data(holder.utf8), using: key)
        return ByteText.hex(code.prefix(24))
    }
}

extension ConsoleDesk {
    /// Whom a form's token belongs to: the session itself, so that it ends with it, or the caller where there is none.
    private var holder: String {
        if let cookie = Authentication.session(in: request.headers[.cookie]), visitor.isProven {
            return "session:" + cookie
        }
        return "caller:" + visitor.caller.name
    }

    /// What forms of this visitor's pages send along.
    var formToken: String { node.console.token(for: holder) }

    /// The fields of the form that was sent, after it is certain that it is of a page of this console and this session.
    ///
    /// - Parameter limit: the most bytes.
    /// - Returns: the fields in order.
    /// - Throws: ``GatewayError`` 403 when another page sent it, 413 and 415 for what is no form of ours, 400.
    func form(upTo limit: Int = 256 << 10) async throws -> QueryParameters {
        guard request.headers[.contentType]?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true else {
            throw GatewayError(.unsupportedMediaType, "send the form as application/x-www-form-urlencoded")
        }
        try refuseOtherSites()
        let body = try await request.body.collect(upTo: limit)
        let fields = try QueryParameters(parsing: String(buffer: body))
        // Compared by their hashes, in a time that says nothing of how much is right.
        let sent = SHA256.hash(data: Data((fields[FormField.token] ?? "").utf8))
        guard sent == SHA256.hash(data: Data(formToken.utf8)) else {
            throw GatewayError(
                .forbidden,
                "the form is not of this session, or is from before the master was started anew; go back, load the page "
                    + "again and repeat")
        }
        return fields
    }

    /// Browsers say which site a form comes from, in one header or the other.
    private func refuseOtherSites() throws(GatewayError) {
        let refusal = GatewayError(.forbidden, "forms of other sites are refused")
        if let site = request.headers[.secFetchSite], site != "same-origin" { throw refusal }
        guard let origin = request.headers[.origin] else { return }
        let host = request.headers[.host] ?? ""
        guard origin == "http://\(host)" || origin == "https://\(host)" else { throw refusal }
    }

    // MARK: calls

    /// What one of the master's own interfaces answered to a form.
    struct Answer: Sendable {
        var status: HTTPResponse.Status
        var bytes: ByteBuffer
        var isSuccess: Bool { status.kind == .successful }

        /// What the interface said about a refusal, in one line: its `message` where it is JSON, or the text.
        var message: String {
            struct Refusal: Decodable {
                struct Detail: Decodable {
                    var path: String?
                    var errors: [String]?
                }
                var message: String?
                var details: [Detail]?
            }
            let data = Data(bytes.readableBytesView)
            guard let refusal = try? JSONDecoder().decode(Refusal.self, from: data), let message = refusal.message
            else {
                return String(String(decoding: data, as: UTF8.self).prefix(2_000))
            }
            let details = (refusal.details ?? []).prefix(8).map { detail in
                "\(detail.path ?? "") \((detail.errors ?? []).joined(separator: ", "))"
            }
            return details.isEmpty ? message : message + ": " + details.joined(separator: "; ")
        }
    }

    /// Calls another interface of this master as the visitor, so that a form can do what its visitor may, and no more.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - path: the path with its query, such as `/service/marathon/v2/apps//web`.
    ///   - json: the body.
    ///   - headers: further header fields.
    ///   - handler: answers, such as `node.services(path, request, visitor)`.
    /// - Returns: what it answered, refusals included.
    /// - Throws: ``GatewayError`` for a refusal that the interface throws.
    func call(
        _ method: HTTPRequest.Method, _ path: String, json: [UInt8] = [], headers: HTTPFields = [:],
        _ handler: (GatewayRequest) async throws -> GatewayResponse
    ) async throws -> Answer {
        var fields = headers
        if fields[.contentType] == nil, !json.isEmpty { fields[.contentType] = "application/json" }
        if let host = request.headers[.host] { fields[.host] = host }
        let inner = GatewayRequest(
            method: method, target: try RequestTarget(parsing: path), headers: fields,
            body: GatewayBody(ByteBuffer(bytes: json)), remote: request.remote, isProtected: request.isProtected)
        let response = try await handler(inner)
        guard case .bytes(let bytes) = response.content else {
            throw GatewayError(.internalServerError, "the interface answered with a stream where a document was due")
        }
        return Answer(status: response.status, bytes: bytes)
    }
}

extension HTTPField.Name {
    static let secFetchSite = Self("Sec-Fetch-Site") ?? .eTag
}
