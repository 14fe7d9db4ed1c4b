import Testing
import Transport

@Suite struct EndpointTests {
    @Test(arguments: [
        ("127.0.0.1:5050", "127.0.0.1:5050", true), ("localhost:80", "127.0.0.1:80", true),
        ("[::1]:5050", "[::1]:5050", true), ("[0:0:0:0:0:0:0:1]:0", "[::1]:0", true),
        ("0.0.0.0:65535", "0.0.0.0:65535", false), ("[2001:DB8::1]:443", "[2001:db8::1]:443", false),
        ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true), ("unix:/run/x.sock", "unix:/run/x.sock", true),
        ("10.1.2.3:1", "10.1.2.3:1", false),
    ])
    func `an address is read and written in its canonical form`(
        text: String, canonical: String, isLoopback: Bool
    ) throws {
        let endpoint = try Endpoint(parsing: text)
        #expect(endpoint.description == canonical)
        #expect(endpoint.isLoopback == isLoopback)
        #expect(try Endpoint(parsing: endpoint.description) == endpoint)
    }

    @Test(arguments: [
        "", ":", "5050", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999", "::1:5050", "[::1]", "[::1", "[::1]5050", "[127.0.0.1]:1", "example.org:80",
        "127.1:80", "256.0.0.1:80", "[::1%lo]:80", "127.0.0.1 :80", "unix:",
        "unix:" + String(repeating: "x", count: 108),
        "127.0.0.1:8\u{0}0", ":5050", "[]:1", "１27.0.0.1:1", "127.0.0.1:５",
    ])
    func `what is not an address is refused with a reason`(text: String) {
        let error = #expect(throws: EndpointError.self) { try Endpoint(parsing: text) }
        #expect(error?.description.isEmpty == false)
    }
}
