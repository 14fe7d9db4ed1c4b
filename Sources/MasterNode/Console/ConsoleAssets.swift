internal import CConsole
internal import Console
internal import Crypto
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import NIOCore

/// The console's own files. Their addresses carry their hash, so that browsers keep them for good.
struct ConsoleAssets: Sendable {
    private struct File: Sendable {
        var name: String
        var type: String
        var hash: String
        var bytes: ByteBuffer
        var path: String { "/ui/assets/\(hash)/\(name)" }
    }

    static let shared = ConsoleAssets()

    private let files: [File]
    /// Where they are.
    let paths: Frame.Assets

    private init() {
        func file(_ name: String, _ type: String, _ start: UnsafePointer<UInt8>?, _ length: Int) -> File {
            let bytes = Array(UnsafeBufferPointer(start: start, count: start == nil ? 0 : length))
            let hash = ByteText.hex(SHA256.hash(data: bytes).prefix(10))
            return File(name: name, type: type, hash: hash, bytes: ByteBuffer(bytes: bytes))
        }
        let style = file(
            "console.css", "text/css; charset=utf-8", rondo_console_style(), Int(rondo_console_style_length()))
        let script = file(
            "console.js", "text/javascript; charset=utf-8", rondo_console_script(),
            Int(rondo_console_script_length()))
        let icon = file("icon.svg", "image/svg+xml", rondo_console_icon(), Int(rondo_console_icon_length()))
        files = [style, script, icon]
        paths = Frame.Assets(style: style.path, script: script.path, icon: icon.path)
    }

    func response(_ hash: String, _ name: String, _ request: GatewayRequest) throws -> GatewayResponse {
        guard let file = files.first(where: { $0.name == name && $0.hash == hash }) else {
            throw GatewayError(.notFound, "the console has no such file in this release; load the page again")
        }
        let tag = "\"\(file.hash)\""
        let headers: HTTPFields = [
            .contentType: file.type, .cacheControl: "public, max-age=31536000, immutable", .eTag: tag,
            .xContentTypeOptions: "nosniff", .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'",
        ]
        if request.headers[.ifNoneMatch] == tag { return .complete(.notModified, headers: headers) }
        return .complete(.ok, headers: headers, bytes: file.bytes)
    }
}
