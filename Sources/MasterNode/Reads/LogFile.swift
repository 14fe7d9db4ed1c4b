internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore

/// The master's own log under the path `/master/log`, by Mesos' file endpoints. No other file can be reached.
struct LogFile: Sendable {
    /// Where it is on this machine; nil when the log goes elsewhere.
    let path: String?

    /// The name under which clients ask for it.
    static let name = "/master/log"
    /// The most bytes of one answer.
    static let readLimit = 256 << 10

    struct Facts: Sendable {
        var size: Int
        var modifiedSeconds: Int
        var mode: UInt32
        var links: Int
    }

    func respond(_ action: Route.FileAction, _ query: QueryParameters) throws -> GatewayResponse {
        guard let wanted = query["path"], !wanted.isEmpty else {
            throw GatewayError(.badRequest, "parameter 'path' is missing; the master has \(Self.name)")
        }
        switch action {
        case .read:
            let offset = try ReadFacade.number(query["offset"], "offset", least: -1) ?? -1
            let length = try ReadFacade.number(query["length"], "length", least: -1) ?? -1
            let facts = try facts(of: wanted)
            if offset < 0 {
                return .json { json in
                    json.field("data", "" as StaticString)
                    json.field("offset", facts.size)
                }
            }
            let bytes = try read(offset: offset, length: length, size: facts.size)
            return .json(capacity: bytes.count + 64) { json in
                json.field("data", Self.wholeCharacters(bytes))
                json.field("offset", offset)
            }
        case .browse:
            guard wanted == Self.name || wanted == "/master" else { throw Self.missing(wanted) }
            let facts = try facts(of: Self.name)
            var writer = JSONWriter()
            writer.list { json in
                json.object { json in
                    json.field("path", Self.name)
                    json.field("nlink", facts.links)
                    json.field("size", facts.size)
                    json.field("mtime", Double(facts.modifiedSeconds))
                    json.field("mode", Self.modeText(facts.mode))
                    json.field("uid", "root" as StaticString)
                    json.field("gid", "root" as StaticString)
                }
            }
            return .json(.ok, writer.buffer)
        case .download: return try download(wanted)
        }
    }

    /// - Throws: ``GatewayError`` 404 when it is not the log, or there is none.
    func facts(of wanted: String) throws -> Facts {
        var status = stat()
        guard wanted == Self.name, let path, stat(path, &status) == 0 else { throw Self.missing(wanted) }
        return Facts(
            size: Int(status.st_size), modifiedSeconds: Int(status.st_mtim.tv_sec), mode: status.st_mode,
            links: Int(status.st_nlink))
    }

    /// A length of -1 stands for all that there is; at most ``readLimit`` bytes come back.
    func read(offset: Int, length: Int, size: Int) throws -> [UInt8] {
        guard let path, offset < size else { return [] }
        let count = min(length < 0 ? Self.readLimit : length, Self.readLimit, size - offset)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.missing(Self.name) }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, pread(descriptor, buffer.baseAddress, count, off_t(offset)))
        }
        return bytes
    }

    private func download(_ wanted: String) throws -> GatewayResponse {
        let facts = try facts(of: wanted)
        let headers: HTTPFields = [
            .contentType: "application/octet-stream", .contentDisposition: "attachment; filename=\"log\"",
        ]
        return .stream(.ok, headers: headers) { writer in
            var offset = 0
            while offset < facts.size {
                let bytes = try read(offset: offset, length: -1, size: facts.size)
                if bytes.isEmpty { return }
                offset += bytes.count
                try await writer.write(ByteBuffer(bytes: bytes))
            }
        }
    }

    /// Leaves out a character that is cut off at the end, so that the next read begins with it.
    static func wholeCharacters(_ bytes: [UInt8]) -> String {
        var end = bytes.count
        var back = 0
        while back < 4, back < bytes.count {
            let byte = bytes[bytes.count - 1 - back]
            back += 1
            if byte & 0xC0 == 0x80 { continue }
            let width = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
            if width > back { end = bytes.count - back }
            break
        }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    private static func modeText(_ mode: UInt32) -> String {
        let letters = Array("rwxrwxrwx")
        var text = "-"
        for bit in 0..<9 { text.append(mode & (1 << UInt32(8 - bit)) == 0 ? "-" : letters[bit]) }
        return text
    }

    private static func missing(_ wanted: String) -> GatewayError {
        GatewayError(
            .notFound, "there is no file \(wanted.prefix(200)) here; the master has \(name), agents have the rest")
    }
}
