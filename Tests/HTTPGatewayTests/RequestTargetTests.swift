import HTTPGateway
import HTTPTypes
import Testing

@Suite struct RequestTargetTests {
    @Test(arguments: [
        ("/", "/"), ("//", "/"), ("/master/frameworks/", "/master/frameworks"),
        ("/v2/apps//group/app", "/v2/apps/group/app"), ("/a%20b", "/a b"), ("/%C3%A4", "/ä"), ("/a+b", "/a+b"),
        ("/state.json?x=1", "/state.json"), ("http://h:1/a?b", "/a"), ("http://h", "/"), ("HTTP://h?x=1", "/"),
        ("/...", "/..."), ("/a;b=c", "/a;b=c"),
    ])
    func `a path is decoded and normalised`(raw: String, path: String) throws {
        #expect(try RequestTarget(parsing: raw).path == path)
    }

    @Test func `an escaped slash stays inside its segment`() throws {
        let target = try RequestTarget(parsing: "/v2/apps/%2Fgroup%2Fapp?x")
        #expect(target.segments == ["v2", "apps", "/group/app"])
        #expect(target.rawPath == "/v2/apps/%2Fgroup%2Fapp")
    }

    @Test(arguments: [
        "", "a", "?x", "/%", "/%4", "/%zz", "/%ff", "/%00", "/a/../b", "/a/%2e%2E/b", "/./a", "/a b", "/a#b", "/ä",
        "/?x=%", "/?x=%ff", "http:///a", "*/a", "/\u{7F}",
    ])
    func `a target that could mean something else is refused`(raw: String) {
        let error = #expect(throws: GatewayError.self) { try RequestTarget(parsing: raw) }
        #expect(error?.status == .badRequest)
    }

    @Test func `a target that is too long is refused`() {
        let error = #expect(throws: GatewayError.self) {
            try RequestTarget(parsing: "/" + String(repeating: "a", count: RequestTarget.lengthLimit))
        }
        #expect(error?.status == .uriTooLong)
    }

    @Test func `a query keeps order, repetition and empty values`() throws {
        let query = try RequestTarget(parsing: "/p?embed=a&embed=b&force=True&x=&y&&q=a+b%2Bc&k%3D=v=w").query
        #expect(query.values(of: "embed") == ["a", "b"])
        #expect(query["force"] == "True")
        #expect(query["x"] == "")
        #expect(query["y"] == "")
        #expect(query["q"] == "a b+c")
        #expect(query["k="] == "v=w")
        #expect(query["none"] == nil)
        #expect(query.items.count == 7)
    }

    @Test func `a query with too many parameters is refused`() {
        let text = "/?" + (0...QueryParameters.countLimit).map { "\($0)" }.joined(separator: "&")
        #expect(throws: GatewayError.self) { try RequestTarget(parsing: text) }
    }
}
