import HTTPGateway
import HTTPTypes
import Testing

/// What hostile or broken clients send, and what they may get for it; 0 is a closed connection without an answer.
private let cases: [(name: String, bytes: String, statuses: [Int])] = [
    ("not HTTP", "hello\r\n\r\n", [400]), ("TLS hello", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}", [400]),
    ("empty lines only, then end", "\r\n\r\n", [0]),
    ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]),
    ("version 2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", [400, 505]), ("version 0.9", "GET /\r\n\r\n", [400, 505]),
    ("version 1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", [400, 505]),
    ("version nonsense", "GET / HTTX/1.1\r\nHost: h\r\n\r\n", [400]),
    ("long version", "GET / HTTP/1.1111111\r\nHost: h\r\n\r\n", [400]),
    ("no version digits", "GET / HTTP/.\r\n\r\n", [400]),
    ("unknown method", "FOO / HTTP/1.1\r\nHost: h\r\n\r\n", [400, 501]),
    ("lower-case method", "get / HTTP/1.1\r\nHost: h\r\n\r\n", [400, 501]),
    ("CONNECT", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", [400, 501]),
    ("no target", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("star with GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("space in target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("bad escape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("escaped NUL", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("dot segments", "GET /../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("escaped dot segments", "GET /%2e%2e/x HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("bytes above ASCII in target", "GET /ä HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("fragment", "GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("control byte in target", "GET /\u{1} HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    ("long target", "GET /" + String(repeating: "a", count: 20_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", [414]),
    ("no host", "GET / HTTP/1.1\r\n\r\n", [400]), ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    ("space before colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", [400]),
    ("folded field", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", [400]),
    ("field without colon", "GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n", [400]),
    ("empty field name", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", [400]),
    ("bad field name", "GET / HTTP/1.1\r\nHost: h\r\nX@Y: x\r\n\r\n", [400]),
    ("NUL in value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\u{0}b\r\n\r\n", [400]),
    ("bare CR in value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", [400]),
    ("negative length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", [400]),
    ("length with sign", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", [400]),
    ("length in hex", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", [400]),
    ("empty length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", [400]),
    (
        "length over 64 bits", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", [400]
    ),
    (
        "largest length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n",
        [0, 400, 413]
    ),
    (
        "two equal lengths", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        [400]
    ),
    (
        "two different lengths", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        [400]
    ),
    (
        "length and chunked",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]
    ),
    ("unknown coding", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", [400, 501]),
    ("coding after chunked", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", [400, 501]),
    (
        "chunked twice",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        [400, 501]
    ),
    ("chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    ("bad chunk size", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", [400]),
    ("negative chunk size", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", [400]),
    (
        "huge chunk size", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        [400]
    ),
    (
        "chunk longer than said",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", [400]
    ),
    (
        "bad trailer", "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n",
        [400]
    ),
    (
        "trailer without value",
        "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX:\r\n\r\n",
        [200, 400]
    ),
    ("unknown expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\n\r\n", [417]),
    (
        "many fields",
        "GET / HTTP/1.1\r\nHost: h\r\n" + (0..<500).map { "X\($0): y\r\n" }.joined() + "\r\n", [431]
    ),
    ("large field", "GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "y", count: 100_000) + "\r\n\r\n", [431]),
    ("endless field name", "GET / HTTP/1.1\r\n" + String(repeating: "y", count: 100_000), [431]),
    ("ends in the head", "GET / HTTP/1.1\r\nHost", [0, 400]),
    ("ends in the body", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", [0, 400]),
    ("upgrade to h2c", "GET /ping HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", [200, 400]),
    ("garbage behind a request", "GET /ping HTTP/1.1\r\nHost: h\r\n\r\ngarbage\r\n\r\n", [200]),
]

@Suite(.timeLimit(.minutes(2))) struct MalformedRequestTests {
    @Test(arguments: cases.indices)
    func `a malformed request is refused and the server lives on`(index: Int) async throws {
        let (name, bytes, statuses) = cases[index]
        try await Loopback.run(handler: demo) { loopback in
            let client = try RawClient(port: loopback.port)
            await client.send(bytes)
            // A peer that waits for more must see the end of it.
            client.endOutput()
            let answer = try #require(await client.readToEnd(), "\(name): the connection stayed open")
            let status = answer.isEmpty ? 0 : Int(answer.dropFirst("HTTP/1.1 ".count).prefix(3))
            #expect(status.map(statuses.contains) == true, "\(name): \(answer)")
            if answer.count > 12, status != 200 {
                #expect(answer.lowercased().contains("connection: close"), "\(name)")
                #expect(answer.hasSuffix("\n"), "\(name)")
            }
            try await loopback.expectAlive()
        }
    }

    @Test func `every single byte that a request line may start with is survived`() async throws {
        try await Loopback.run(handler: demo) { loopback in
            for byte in UInt8.min...UInt8.max {
                let client = try RawClient(port: loopback.port)
                await client.send([byte, byte, 0x0D, 0x0A, 0x0D, 0x0A])
                client.endOutput()
                #expect(await client.readToEnd() != nil)
            }
            try await loopback.expectAlive()
        }
    }
}
