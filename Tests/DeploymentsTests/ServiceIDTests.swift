import Deployments
import Testing

@Suite("Names of services")
struct ServiceIDTests {
    @Test func `paths come into one form, whatever slashes and dots they have`() {
        #expect(ServiceID("//shop//web/").path == "/shop/web")
        #expect(ServiceID("web", in: ServiceID("/shop")).path == "/shop/web")
        #expect(ServiceID("../db", in: ServiceID("/shop/web")).path == "/shop/db")
        #expect(ServiceID("../../../..", in: ServiceID("/shop")) == .root)
        #expect(ServiceID("/shop/web").parent == ServiceID("/shop"))
        #expect(ServiceID("/shop").parent == .root)
        #expect(ServiceID.root.parent == .root)
        #expect(ServiceID("/shop/web").safePath == "shop_web")
        #expect(ServiceID("/shop/web").hostname == "web.shop")
        #expect(ServiceID("/shop/web").topGroup == "shop")
        #expect(ServiceID("/web").topGroup == nil)
    }

    @Test func `a name is within a group when the group's path leads to it`() {
        #expect(ServiceID("/shop/web").isWithin(ServiceID("/shop")))
        #expect(!ServiceID("/shopping/web").isWithin(ServiceID("/shop")))
        #expect(ServiceID("/shop").isWithin(.root))
        #expect(ServiceID("/shop").isWithin(ServiceID("/shop")))
    }

    @Test(arguments: [
        "/Web", "/-web", "/web-", "/a_b", "/a b", "/web/restart", "/tasks", "/a..b", "/ä", "/a.-b", "/a/.",
    ])
    func `names that Marathon refuses are refused`(text: String) {
        // Dots are carried out before anybody looks.
        if text == "/a/." { return #expect(ServiceID(text).path == "/a") }
        #expect(!ServiceID(text).defects.isEmpty, "\(text)")
    }

    @Test(arguments: ["/web", "/0", "/a.b.c", "/web-2/x9", "/restart/web", "/a-b.c-d"])
    func `names that Marathon takes are taken`(text: String) { #expect(ServiceID(text).defects == []) }

    @Test func `a name from which no task id can be made is refused`() {
        #expect(!ServiceID("/" + String(repeating: "a", count: 140)).defects.isEmpty)
        #expect(ServiceID("/" + String(repeating: "a", count: 139)).defects == [])
    }
}
