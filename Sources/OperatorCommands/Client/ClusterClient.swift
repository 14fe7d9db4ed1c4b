internal import Appliance
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import NIOCore
internal import Transport

/// Asks a master, over its port or this machine's socket.
struct ClusterClient: Sendable {
    let configuration: Configuration
    let endpoint: Endpoint
    let caller: HTTPCaller
    private let transport: Transport

    private let token: String?

    init(_ configuration: Configuration) throws {
        self.configuration = configuration
        let target = try ClusterTarget.of(configuration)
        endpoint = target.endpoint
        token = target.token
        transport = Transport(threads: 1)
        caller = HTTPCaller(transport: transport, security: target.security)
    }

    func close() async {
        await caller.shutDown()
        await transport.shutDown()
    }

    var isJSON: Bool { configuration.text(.output) == "json" }

    /// The credential that goes with every request, if any is set.
    var authorization: HTTPFields {
        token.map { [.authorization: "Bearer \($0)"] } ?? [:]
    }

    /// Makes a request and returns the body of a 2xx answer.
    ///
    /// - Throws: ``ApplianceError`` with what the master says.
    func request(
        _ method: HTTPRequest.Method, _ path: String, body: JSONValue? = nil, timeout: Duration = .seconds(30)
    ) async throws -> [UInt8] {
        var headers = authorization
        var bytes: ByteBuffer?
        if let body {
            headers[.contentType] = "application/json"
            bytes = ByteBuffer(bytes: try body.encoded())
        }
        return try accepted(try await call(method, path, headers, bytes, timeout))
    }

    /// Sends a file as the body of a request and returns the body of a 2xx answer.
    ///
    /// - Parameters:
    ///   - path: where to, with a query.
    ///   - file: the file's path.
    ///   - progress: told how many bytes are sent and how many there are.
    /// - Returns: the body.
    /// - Throws: ``ApplianceError`` when the file cannot be read, or with what the master says.
    func upload(
        _ path: String, file: String, progress: @escaping @Sendable (Int64, Int64) -> Void
    ) async throws -> [UInt8] {
        let source: UploadFile
        do throws(SystemError) { source = try UploadFile(file) } catch {
            throw ApplianceError(.failure, "cannot read \(file): \(error.reason)")
        }
        var headers = authorization
        headers[.contentType] = "application/x-tar"
        let body = GatewayBody {
            let piece = try source.next()
            progress(source.sent, source.size)
            return piece
        }
        let response: HTTPCaller.Response
        do throws(HTTPCallError) {
            response = try await caller.upload(
                .post, endpoint, path, headers: headers, body: body, length: source.size, timeout: .seconds(6 * 3_600))
        } catch { throw unreachable(error) }
        return try accepted(response)
    }

    private func accepted(_ response: HTTPCaller.Response) throws -> [UInt8] {
        let answer = [UInt8](response.bytes.readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            if response.status.code == 400,
                String(decoding: answer.prefix(40), as: UTF8.self).hasPrefix("this port speaks TLS")
            {
                throw ApplianceError(
                    .usage,
                    "the master at \(endpoint) speaks TLS; get to know it with `rondo login \(endpoint) --pin PIN`, or name "
                        + "this machine's node with --data")
            }
            throw Self.refusal(response.status.code, answer)
        }
        return answer
    }

    /// Makes a request with bytes of any type and returns whatever the answer is.
    func exchange(
        _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8]? = nil, type: String? = nil, accept: String? = nil
    ) async throws -> (status: Int, bytes: [UInt8]) {
        var headers = authorization
        if let type { headers[.contentType] = type }
        if let accept { headers[.accept] = accept }
        let response = try await call(method, path, headers, body.map { ByteBuffer(bytes: $0) }, .seconds(30))
        return (response.status.code, [UInt8](response.bytes.readableBytesView))
    }

    private func call(
        _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields, _ body: ByteBuffer?, _ timeout: Duration
    ) async throws -> HTTPCaller.Response {
        do throws(HTTPCallError) {
            return try await caller.call(
                method, endpoint, path, headers: headers, body: body, timeout: timeout, responseLimit: 256 << 20)
        } catch { throw unreachable(error) }
    }

    private func unreachable(_ error: HTTPCallError) -> any Error {
        guard case .unreachable(let endpoint, let reason) = error else { return error }
        return ApplianceError(
            .unavailable,
            "no master answers at \(endpoint) (\(reason)); start one with `rondo dev` or `rondo cluster init`, or "
                + "name its address with --master")
    }

    /// A refusal; DC/OS' interface has another word for it, and those of jobs and services say what is wrong where.
    private struct Failure: Decodable {
        struct Detail: Decodable {
            var path: String?
            var errors: [String]?
        }

        var message: String?
        var description: String?
        var details: [Detail]?

        /// Everything in one line; a detail without a path is about the whole.
        var text: String? {
            guard let words = message ?? description else { return nil }
            let found = (details ?? []).prefix(20).map { detail in
                let errors = (detail.errors ?? []).joined(separator: ", ")
                let path = detail.path ?? ""
                return path.isEmpty || path == "/" ? errors : "\(path) \(errors)"
            }
            return found.isEmpty ? words : "\(words): \(found.joined(separator: "; "))"
        }
    }

    static func refusal(_ status: Int, _ answer: [UInt8]) -> ApplianceError {
        let plain = String(decoding: answer.prefix(2_000), as: UTF8.self)
        let failure = try? JSONDecoder().decode(Failure.self, from: Data(answer))
        let words = failure?.text ?? plain
        let message = words.split(separator: "\n").joined(separator: " ")
        return ApplianceError(
            status == 401 || status == 403 ? .notPermitted : status == 503 ? .unavailable : .failure,
            message.isEmpty ? "the master answers with status \(status)" : message)
    }

    /// Reads a document of the master.
    func document<Document: Decodable>(_ type: Document.Type, _ path: String) async throws -> (Document, [UInt8]) {
        let bytes = try await request(.get, path)
        do {
            return (try JSONDecoder().decode(Document.self, from: Data(bytes)), bytes)
        } catch {
            throw ApplianceError(
                .failure, "\(endpoint) does not answer as a master of release \(Program.version) does; check --master")
        }
    }

    /// Reads an answer line by line, for as long as it goes on.
    func lines(_ path: String, _ each: ([UInt8]) throws -> Void) async throws {
        let response = try await caller.stream(.get, endpoint, path, headers: authorization)
        guard response.status.code == 200 else {
            let text = try await response.body.collect(upTo: 64 << 10)
            throw Self.refusal(response.status.code, [UInt8](text.readableBytesView))
        }
        var line: [UInt8] = []
        for try await piece in response.body {
            for byte in piece.readableBytesView {
                guard byte == 10 else {
                    line.append(byte)
                    continue
                }
                try each(line)
                line = []
            }
        }
        if !line.isEmpty { try each(line) }
    }

    /// Shows a document: as it is for programs, or as text for people.
    func show<Document: Decodable>(_ type: Document.Type, _ path: String, _ text: (Document) -> String) async throws {
        if isJSON {
            Console.out(String(decoding: try await request(.get, path), as: UTF8.self))
        } else {
            Console.out(text(try await document(type, path).0))
        }
    }
}

/// Puts names into paths and queries.
enum PathText {
    /// Everything but unreserved characters (RFC 3986 §2.3) as `%XX`.
    static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || [0x2d, 0x2e, 0x5f, 0x7e].contains(byte)
            if isPlain { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return byte < 16 ? "%0\(digits)" : "%\(digits)"
        }.joined()
    }

    /// `TASK` or `FRAMEWORK/TASK` as a path: only the first slash is one.
    static func taskPath(_ name: String) -> String {
        name.split(separator: "/", maxSplits: 1).map { escaped(String($0)) }.joined(separator: "/")
    }
}
