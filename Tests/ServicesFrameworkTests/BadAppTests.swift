import FrameworkRuntime
import HTTPTypes
import Testing

@Suite("Wrong apps", .timeLimit(.minutes(2)))
struct BadAppTests {
    @Test func `each is refused with the path of what is wrong`() async throws {
        try await ServicesAPIFixture.with { api in
            #expect(BadApp.all.count >= 300)
            for app in BadApp.all {
                let answer = try await api.call(.post, "/v2/apps", app.body)
                #expect(answer.status == 422, "\(app.name) \(answer.body)")
                #expect(answer.body["message"] == .text("Object is not valid"), "\(app.name)")
                #expect(answer.body.paths.contains(app.path), "\(app.name): \(answer.body)")
            }
            #expect(try await api.call(.get, "/v2/apps").body["apps"] == .list([]))
        }
    }

    @Test func `what is wrong in a group has the path through the group`() async throws {
        try await ServicesAPIFixture.with { api in
            let bad: [(String, String)] = [
                ("{}", "/id"), (#"{"id":"/A"}"#, "/groups(0)/id"), (#"{"id":"/g","apps":[{}]}"#, "/apps(0)/id"),
                (#"{"id":"/g","apps":[{"id":"a","cmd":"x","cpus":-1}]}"#, "/apps(0)/cpus"),
                (#"{"id":"/g","apps":[{"id":"a","cmd":"x","cpus":"1"}]}"#, "/apps(0)/cpus"),
                (#"{"id":"/g","apps":[{"id":"a","cmd":"x"},{"id":"a","cmd":"y"}]}"#, "/apps"),
                (#"{"id":"/g","groups":[{"id":"h","apps":[{"id":"a"}]}]}"#, "/groups(0)/apps(0)"),
                (#"{"id":"/g","groups":[{"id":"h","groups":1}]}"#, "/groups(0)/groups"),
                (#"{"id":"/g","dependencies":[1]}"#, "/dependencies(0)"), (#"{"id":"/g","more":1}"#, "/more"),
                (#"{"id":"/g","pods":[{"id":"p","containers":[]}]}"#, "/pods(0)/containers"),
                (#"{"id":"/g","apps":[{"id":"/h/a","cmd":"x"}]}"#, "/groups(0)/apps(0)"),
                (
                    #"{"id":"/g","apps":[{"id":"a","cmd":"x","dependencies":["../b"]},"#
                        + #"{"id":"b","cmd":"x","dependencies":["../a"]}]}"#, "/"
                ),
            ]
            for (body, path) in bad {
                let answer = try await api.call(.post, "/v2/groups", body)
                #expect(answer.status == 422, "\(body) \(answer.body)")
                #expect(answer.body.paths.contains(path), "\(body): \(answer.body)")
            }
        }
    }

    @Test func `everything that is wrong is said at once`() async throws {
        try await ServicesAPIFixture.with { api in
            let shape = try await api.call(.post, "/v2/apps", #"{"id":1,"cpus":"x","mem":true,"foo":1}"#)
            #expect(Set(shape.body.paths) == ["/id", "/cpus", "/mem", "/foo"])
            let content = try await api.call(.post, "/v2/apps", #"{"id":"/A","cpus":-1,"mem":-1}"#)
            #expect(Set(content.body.paths) == ["/id", "/cpus", "/mem", "/"])
        }
    }

    @Test(arguments: [
        "", "{", "nope", "{\"id\":}", "\u{0}", "[[[[", "{\"id\":\"a\",}", "{\"a\":1e999}", "{\"a\":01}",
        "{\"a\":\"\u{1}\"}",
        "{} x", "{\"a\" 1}", "\"\\ud800\"", "[1,]", "tru", "-", "1.", "{'a':1}",
        String(repeating: "[", count: 10_000), String(repeating: "{\"a\":", count: 5_000),
    ])
    func `what is not JSON is a bad request`(body: String) async throws {
        try await ServicesAPIFixture.with { api in
            for path in ["/v2/apps", "/v2/groups"] {
                let answer = try await api.call(.post, path, body)
                #expect(answer.status == 400, "\(body.prefix(40))")
                #expect(answer.body["message"] == .text("Invalid JSON"))
            }
            #expect(try await api.call(.put, "/v2/apps/a", body).status == 400)
        }
    }

    @Test func `a definition that is too large is refused`() async throws {
        try await ServicesAPIFixture.with { api in
            let labels = (0..<4_000).map { "\"l\($0)\":\"\(String(repeating: "x", count: 90))\"" }.joined(
                separator: ",")
            let answer = try await api.call(.post, "/v2/apps", #"{"id":"/a","cmd":"x","labels":{"# + labels + "}}")
            #expect(answer.status == 422 && answer.body.paths == ["/"])
        }
    }
}
