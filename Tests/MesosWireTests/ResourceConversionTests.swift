import ClusterModel
import MesosWire
import Testing

@Suite struct ResourceConversionTests {
    func resource(_ text: String) throws -> Resource {
        try Resource(WireCodec.decode(WireResource.self, from: Array(text.utf8), as: .json))
    }

    func text(_ resource: Resource, _ form: ResourceForm) throws -> String {
        String(decoding: try WireCodec.encode(WireResource(resource, form), as: .json), as: UTF8.self)
    }

    private let cpu = #""name":"cpus","type":"SCALAR","scalar":{"value":1}"#

    @Test func `a role alone is a static reservation`() throws {
        #expect(
            try resource("{\(cpu),\"role\":\"eng\"}").kind.reservations
                == [Reservation(kind: .fixed, role: RoleName("eng"))])
        #expect(try resource("{\(cpu),\"role\":\"*\"}").kind.reservations.isEmpty)
        #expect(try resource("{\(cpu)}").kind.reservations.isEmpty)
    }

    @Test func `a role with a reservation is a dynamic one`() throws {
        let read = try resource(
            "{\(cpu),\"role\":\"eng\",\"reservation\":{\"principal\":\"p\",\"labels\":{\"labels\":[{\"key\":\"k\"}]}}}")
        #expect(
            read.kind.reservations
                == [Reservation(kind: .dynamic, role: RoleName("eng"), principal: "p", labels: [Label(key: "k")])])
    }

    @Test func `a stack of reservations is read in its order`() throws {
        let read = try resource(
            "{\(cpu),\"reservations\":[{\"type\":\"STATIC\",\"role\":\"eng\"},{\"type\":\"DYNAMIC\",\"role\":\"eng/web\"}]}"
        )
        #expect(
            read.kind.reservations == [
                Reservation(kind: .fixed, role: RoleName("eng")),
                Reservation(kind: .dynamic, role: RoleName("eng/web")),
            ])
    }

    @Test(arguments: [
        (#""role":"*","reservation":{}"#, "reservation"), (#""role":"a b""#, "role"), (#""role":"""#, "role"),
        (#""role":"eng","reservations":[{"type":"STATIC","role":"ops"}]"#, "role"),
        (#""reservation":{},"reservations":[{"type":"STATIC","role":"ops"}]"#, "reservation"),
        (#""reservations":[{"role":"ops"}]"#, "reservations[0].type"),
        (#""reservations":[{"type":"STATIC","role":"*"}]"#, "reservations[0].role"),
        (#""reservations":[{"type":"DYNAMIC","role":"a"},{"type":"STATIC","role":"a/b"}]"#, "reservations[1].type"),
        (#""reservations":[{"type":"DYNAMIC","role":"a"},{"type":"DYNAMIC","role":"ab"}]"#, "reservations[1].role"),
        (#""provider_id":{"value":"x"}"#, "provider_id"), (#""disk":{}"#, "disk"), (#""shared":{}"#, "shared"),
    ])
    func `a reservation or a detail that cannot be is named`(fields: String, path: String) throws {
        let error = #expect(throws: WireError.self) { try resource("{\(cpu),\(fields)}") }
        guard case .invalidField(let named, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(named == path)
    }

    @Test(arguments: [
        #"{"name":"cpus","type":"SCALAR","scalar":{"value":-0.5}}"#, #"{"name":"cpus","type":"SCALAR"}"#,
        #"{"name":"cpus","type":"SCALAR","scalar":{"value":1e300}}"#, #"{"name":"cpus","type":"SET","set":{}}"#,
        #"{"name":"gpus","type":"SCALAR","scalar":{"value":0.5}}"#,
        #"{"name":"","type":"SCALAR","scalar":{"value":1}}"#,
        #"{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":2,"end":1}]}}"#, #"{"name":"x","type":"TEXT"}"#,
        #"{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":5},{"begin":5,"end":6}]}}"#,
        #"{"name":"s","type":"SET","set":{"item":["a","a"]}}"#,
        #"{"name":"ports","type":"SCALAR","scalar":{"value":1}}"#,
        #"{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"persistence":{"id":"../x"}}}"#,
        #"{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"RAW","profile":"p"}}}"#,
    ])
    func `an amount that cannot be is refused`(text: String) {
        #expect(throws: WireError.self) { try resource(text) }
    }

    @Test func `each form is written as its readers know it`() throws {
        let one = Resource(
            kind: ResourceKind(
                name: "cpus", reservations: [Reservation(kind: .dynamic, role: RoleName("eng"), principal: "p")]),
            value: .scalar(Quantity(1.5)!))
        let amount = #"{"name":"cpus","type":"SCALAR","scalar":{"value":1.5}"#
        #expect(
            try text(one, ResourceForm(.older, allocatedTo: RoleName("eng")))
                == amount + #","role":"eng","reservation":{"principal":"p"},"allocation_info":{"role":"eng"}}"#)
        #expect(
            try text(one, ResourceForm(.refined))
                == amount + #","reservations":[{"principal":"p","role":"eng","type":"DYNAMIC"}]}"#)
        #expect(
            try text(one, ResourceForm(.both))
                == amount + #","role":"eng","reservation":{"principal":"p"},"reservations":"#
                + #"[{"principal":"p","role":"eng","type":"DYNAMIC"}]}"#)
        let free = Resource.scalar("cpus", 1.5)
        #expect(try text(free, ResourceForm(.older)) == amount + #","role":"*"}"#)
        #expect(try text(free, ResourceForm(.refined)) == amount + "}")
        #expect(try text(free, ResourceForm(.both)) == amount + #","role":"*"}"#)
    }

    @Test func `every framework is told of allocations, in the form it can read`() {
        let role = RoleName("eng")
        #expect(ResourceForm(for: [], role: role) == ResourceForm(.older, allocatedTo: role))
        #expect(ResourceForm(for: [.multiRole], role: role) == ResourceForm(.older, allocatedTo: role))
        #expect(
            ResourceForm(for: [.multiRole, .reservationRefinement], role: role)
                == ResourceForm(.refined, allocatedTo: role))
    }

    @Test(arguments: 0..<UInt64(300))
    func `resources come back equal from every form that can hold them`(seed: UInt64) throws {
        var random = Seeded(state: seed)
        let stacked = Bool.random(using: &random)
        let resources = try Resources(
            (0..<Int.random(in: 0...6, using: &random)).compactMap { Self.random($0, stacked, &random) })
        for form in [ResourceForm(.refined), ResourceForm(.both), ResourceForm(.older, allocatedTo: RoleName("x"))] {
            for type in MediaType.allCases {
                var request = WireRequest()
                request.resources = resources.wire(form)
                let bytes = try WireCodec.encode(request, as: type)
                let back = try Resources(WireCodec.decode(WireRequest.self, from: bytes, as: type).resources)
                #expect(back == resources, "seed \(seed), \(form), \(type)")
            }
        }
    }

    private static func random(_ index: Int, _ stacked: Bool, _ random: inout Seeded) -> Resource? {
        var stack: [Reservation] = []
        let layers = Int.random(in: 0...(stacked ? 3 : 1), using: &random)
        for layer in 0..<layers {
            stack.append(
                Reservation(
                    kind: layer == 0 && Bool.random(using: &random) ? .fixed : .dynamic,
                    role: RoleName((stack.last.map { $0.role.value + "/" } ?? "") + "r\(index)")))
        }
        if stack.last?.kind == .dynamic {
            stack[stack.count - 1].principal = "p"
            stack[stack.count - 1].labels = [Label(key: "k", value: "v"), Label(key: "l")]
        }
        switch index % 4 {
        case 0:
            return Resource(
                kind: ResourceKind(name: "cpus", reservations: stack, isRevocable: Bool.random(using: &random)),
                value: .scalar(Quantity(thousandths: Int64.random(in: 1...1_000_000_000, using: &random))!))
        case 1:
            let begin = UInt64.random(in: 0...UInt64.max / 2, using: &random)
            return Resource(
                kind: ResourceKind(name: "ports", reservations: stack),
                value: .ranges(RangeSet([RangeSet.Range(begin: begin, end: begin + 7)!])))
        case 2:
            return Resource(kind: ResourceKind(name: "names", reservations: stack), value: .set(["ä", "b\(index)"]))
        default:
            let disk = DiskDetails(
                persistenceID: "v\(index)", principal: "p", containerPath: "data", isReadOnly: true,
                sourceRoot: "/srv", sourceKind: "PATH")
            return Resource(
                kind: ResourceKind(
                    name: "disk", reservations: stack, disk: disk, isShared: Bool.random(using: &random)),
                value: .scalar(Quantity(64)!))
        }
    }
}
