import ClusterModel
import Testing

@testable import Networking

@Suite struct RequestTests {
    @Test(arguments: ["a", "A-b_c.9", String(repeating: "x", count: 200)])
    func `an id that can be a file's name is taken`(id: String) throws { try RequestCheck.container(id) }

    @Test(arguments: ["", ".", "..", ".a", "a/b", "a b", "a\0b", "ä", String(repeating: "x", count: 201)])
    func `an id that cannot be a file's name is refused`(id: String) {
        #expect(throws: NetworkError.self) { try RequestCheck.container(id) }
    }

    @Test func `a port that another container has is refused with its name`() {
        let mapping = PortMapping(hostPort: 80, containerPort: 8080)
        #expect(throws: Never.self) { try RequestCheck.mappings([mapping], of: "a", taken: [mapping.key: "a"]) }
        let error = #expect(throws: NetworkError.self) {
            try RequestCheck.mappings([mapping], of: "a", taken: [mapping.key: "b"])
        }
        #expect(error?.kind == .portTaken)
        #expect(error?.description.contains("container b has it") == true)
        let udp = PortMapping(hostPort: 80, containerPort: 8080, transport: .udp)
        #expect(throws: Never.self) { try RequestCheck.mappings([mapping, udp], of: "a", taken: [:]) }
    }

    @Test func `resolvers are read from lines that name them`() {
        let text =
            "# nameserver 1.1.1.1\nnameserver 9.9.9.9\nsearch x\nnameserver\t::1\nnameserver fe80::1%eth0\nnameserver\n"
        #expect(ResolverAddresses.parse(text).map(\.description) == ["9.9.9.9", "::1"])
    }
}

@Suite struct PluginTests {
    private func parse(_ text: String) throws -> PluginConfiguration {
        try PluginConfiguration(parsing: Array(text.utf8), file: "x.conflist")
    }

    @Test func `a list of plugins is read, with what is not understood kept`() throws {
        let configuration = try parse(
            """
            {"cniVersion":"1.0.0","name":"blue","plugins":[
              {"type":"bridge","mtu":9000,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.0.0.0/8"}]]}},
              {"type":"portmap","capabilities":{"portMappings":true},"snat":false,"ratio":0.5,"nothing":null}]}
            """)
        #expect(configuration.plugins.map(\.type) == ["bridge", "portmap"])
        #expect(configuration.mayBeChecked)
        let mapping = PortMapping(hostPort: 80, containerPort: 8080)
        let previous = JSONValue.object(["cniVersion": .string("1.0.0")])
        #expect(
            String(
                decoding: configuration.input(of: configuration.plugins[1], previous: previous, mappings: [mapping]),
                as: UTF8.self)
                == #"{"capabilities":{"portMappings":true},"cniVersion":"1.0.0","name":"blue","nothing":null,"#
                + #""prevResult":{"cniVersion":"1.0.0"},"ratio":0.5,"runtimeConfig":{"portMappings":[{"#
                + #""containerPort":8080,"hostPort":80,"protocol":"tcp"}]},"snat":false,"type":"portmap"}"#)
        let first = configuration.input(of: configuration.plugins[0], previous: nil, mappings: [mapping])
        #expect(!String(decoding: first, as: UTF8.self).contains("runtimeConfig"))
    }

    @Test func `a file of one plugin is a list of one`() throws {
        let configuration = try parse(#"{"cniVersion":"0.3.1","name":"x","type":"ptp"}"#)
        #expect(configuration.plugins.map(\.type) == ["ptp"])
        #expect(!configuration.mayBeChecked)
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"name":"x"}"#, #"{"name":"../x","type":"a"}"#, #"{"name":"x","type":"../a"}"#,
        #"{"name":"x","type":""}"#, #"{"name":"x","plugins":[]}"#, #"{"name":"x","plugins":[{}]}"#,
        #"{"name":"x","type":"a","cniVersion":"9.0"}"#, #"{"name":1,"type":"a"}"#,
        String(repeating: "[", count: 100_000), #"{"name":"x","plugins":[1]}"#,
    ])
    func `what describes no network is refused`(text: String) {
        #expect(throws: NetworkError.self) { try parse(text) }
    }

    @Test func `a result's addresses are those in the container`() throws {
        let result = try PluginResult.parse(
            Array(
                """
                {"cniVersion":"1.0.0","interfaces":[{"name":"br"},{"name":"eth0","sandbox":"/n"}],
                 "ips":[{"address":"10.0.0.1/24","interface":0},
                        {"address":"10.0.0.2/24","gateway":"10.0.0.1","interface":1},
                        {"version":"6","address":"fd00::2/64","interface":99},{"address":"fd00::3/64"}],
                 "dns":{"nameservers":["10.0.0.1","nonsense"]}}
                """.utf8), of: "p")
        let attachment = try PluginResult.attachment(result, interface: "eth0", mappings: [])
        #expect(attachment.addresses.map(\.description) == ["10.0.0.2/24", "fd00::3/64"])
        #expect(attachment.gateways.map(\.description) == ["10.0.0.1"])
        #expect(attachment.dns.map(\.description) == ["10.0.0.1"])
    }

    @Test func `a failure's reason is what the plugin says, or what it wrote to its errors`() {
        #expect(PluginResult.reason(Array(#"{"code":7,"msg":"a","details":"b"}"#.utf8), errors: []) == "a; b")
        #expect(PluginResult.reason([], errors: Array("one\ntwo\n".utf8)) == "one two")
        #expect(PluginResult.reason([1, 2], errors: []) == "no reason given")
    }
}
