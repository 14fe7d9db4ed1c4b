internal import ClusterModel
internal import FoundationEssentials

/// What plugins answer (CNI specification 1.0, section 5).
enum PluginResult {
    private static let mostAddresses = 64

    static func parse(_ bytes: [UInt8], of plugin: String) throws(NetworkError) -> JSONValue {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)), value.members != nil else {
            throw NetworkError(.plugin, "the plugin \(plugin) has answered with something that is no JSON object")
        }
        return value
    }

    static func encode(_ value: JSONValue) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { Array($0) } ?? []
    }

    /// The reason that a plugin gives for its failure.
    static func reason(_ output: [UInt8], errors: [UInt8]) -> String {
        let value = try? JSONDecoder().decode(JSONValue.self, from: Data(output))
        let parts = [value?["msg"]?.text, value?["details"]?.text].compactMap { $0 }.filter { !$0.isEmpty }
        let text = parts.isEmpty ? String(decoding: errors.suffix(1000), as: UTF8.self) : parts.joined(separator: "; ")
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.isEmpty ? "no reason given" : String(line.prefix(1000))
    }

    /// What of the result concerns the container.
    static func attachment(
        _ result: JSONValue, interface: String, mappings: [PortMapping]
    ) throws(NetworkError) -> Attachment {
        var attachment = Attachment(interface: interface, portMappings: mappings)
        let interfaces = result["interfaces"]?.list ?? []
        for entry in (result["ips"]?.list ?? []).prefix(mostAddresses) {
            guard let text = entry["address"]?.text, let address = NetworkPrefix(text) else {
                throw NetworkError(.plugin, "the plugins' result has an address that is none")
            }
            // Addresses of the host's side have an interface that is in no sandbox.
            if let place = entry["interface"]?.number {
                guard let owner = interfaces.indices.contains(Int(clamping: place)) ? interfaces[Int(place)] : nil,
                    owner["sandbox"]?.text?.isEmpty == false
                else { continue }
            }
            attachment.addresses.append(address)
            if let gateway = entry["gateway"]?.text.flatMap({ NetworkAddress($0) }) {
                attachment.gateways.append(gateway)
            }
        }
        attachment.dns = (result["dns"]?["nameservers"]?.list ?? []).prefix(8).compactMap {
            $0.text.flatMap { NetworkAddress($0) }
        }
        return attachment
    }
}
