import MesosWire
import Testing

@Suite struct MediaTypeTests {
    @Test(arguments: [
        ("application/json", MediaType.json), ("application/json; charset=utf-8", .json), ("APPLICATION/JSON", .json),
        (" application/json ;x=y", .json), ("application/x-protobuf", .protobuf),
    ])
    func `a content type is read with its parameters and in any case`(header: String, type: MediaType) throws {
        #expect(try MediaType(contentType: header) == type)
    }

    @Test(arguments: ["", "text/plain", "application/jsonx", "json", "*/*", "application/json, text/plain", ";"])
    func `another content type is refused with 415`(header: String) {
        let error = #expect(throws: WireError.self) { try MediaType(contentType: header) }
        #expect(error?.httpStatus == 415)
        #expect(error?.message.contains("application/json") == true)
    }

    @Test func `a missing content type is refused with 400`() {
        let error = #expect(throws: WireError.unsupportedMediaType(nil)) { try MediaType(contentType: nil) }
        #expect(error?.httpStatus == 400)
    }

    @Test(arguments: [
        (nil, MediaType.json), ("", .json), ("*/*", .json), ("application/*", .json), ("text/html, */*;q=0.1", .json),
        ("application/x-protobuf", .protobuf), ("application/json;q=0, application/x-protobuf", .protobuf),
        ("text/html, application/x-protobuf, application/json", .protobuf), ("application/json", .json),
    ])
    func `the first type that can be sent is taken from Accept`(header: String?, type: MediaType) throws {
        #expect(try MediaType(accept: header) == type)
    }

    @Test(arguments: ["text/html", "application/json;q=0", ",", "application/xml, text/*"])
    func `an Accept without such a type is refused with 406`(header: String) {
        let error = #expect(throws: WireError.self) { try MediaType(accept: header) }
        #expect(error?.httpStatus == 406)
    }

    @Test func `a hostile header is shortened and made printable in the message`() throws {
        let error = #expect(throws: WireError.self) {
            try MediaType(contentType: "a\r\nb" + String(repeating: "x", count: 5_000))
        }
        let message = try #require(error).message
        #expect(message.utf8.count < 300)
        #expect(!message.contains { $0.isNewline })
    }
}
