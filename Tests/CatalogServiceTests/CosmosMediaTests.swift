import Testing

@testable import CatalogService

@Suite("Cosmos' media types")
struct CosmosMediaTests {
    private let search = CosmosMedia("package.search-request")

    @Test func `they are written as clients compare them`() {
        #expect(
            CosmosMedia("package.describe-response", 3).text
                == "application/vnd.dcos.package.describe-response+json;charset=utf-8;version=v3")
        #expect(CosmosMedia.error.text == "application/vnd.dcos.package.error+json;charset=utf-8;version=v1")
    }

    @Test(
        arguments: [
            ("application/vnd.dcos.package.search-request+json;charset=utf-8;version=v1", true),
            ("application/vnd.dcos.package.search-request+json; version=v1; charset=UTF-8", true),
            ("Application/vnd.dcos.package.search-request+json;charset=\"utf-8\"", true),
            ("application/vnd.dcos.package.search-request+json;charset=utf-8;version=v2", false),
            ("application/vnd.dcos.package.search-request+json;charset=latin1;version=v1", false),
            ("application/vnd.dcos.package.install-request+json;charset=utf-8;version=v1", false),
            ("application/json", false), ("", false), (";;;", false),
        ])
    func `a request's type is compared by its meaning`(header: String, isRight: Bool) {
        #expect(search.isContent(of: header) == isRight)
    }

    @Test func `a request without a type is none`() { #expect(!search.isContent(of: nil)) }

    @Test func `an answer is in a form that the client takes, the newest first`() {
        func chosen(_ accept: String?) -> Int? {
            CosmosRoute.describe.responses.first { $0.isAccepted(by: accept) }?.version
        }
        let type = "application/vnd.dcos.package.describe-response+json;charset=utf-8;version="
        #expect(chosen(nil) == 3)
        #expect(chosen("*/*") == 3)
        #expect(chosen(type + "v3") == 3)
        #expect(chosen(type + "v2") == 2)
        #expect(chosen(type + "v2," + type + "v3") == 3)
        #expect(chosen(type + "v1") == nil)
        #expect(chosen("text/html") == nil)
        #expect(chosen("*/*;q=0") == nil)
    }

    @Test func `every path leads to one call, and services are not below service`() {
        for route in CosmosRoute.allCases { #expect(CosmosRoute(route.path) == route) }
        #expect(Set(CosmosRoute.allCases.map(\.path)).count == CosmosRoute.allCases.count)
        #expect(CosmosRoute(["service", "update"]) == nil && CosmosRoute(["package"]) == nil)
        #expect(CosmosRoute.addRepository.request.text.contains("package.repository.add-request"))
        #expect(CosmosRoute.updateService.request.text.contains("vnd.dcos.service.update-request"))
    }
}
