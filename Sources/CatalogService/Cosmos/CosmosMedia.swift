/// A media type of Cosmos' interface: `application/vnd.dcos.package.search-request+json;charset=utf-8;version=v1`.
///
/// Clients compare them byte for byte, so the answer's is written exactly so, without blanks; what comes in is compared
/// by its meaning, as blanks and the order of parameters are up to the client.
struct CosmosMedia: Hashable, Sendable {
    let subtype: String
    let version: Int

    init(_ subtype: String, _ version: Int = 1) {
        self.subtype = "vnd.dcos." + subtype + "+json"
        self.version = version
    }

    static let error = CosmosMedia("package.error")
    static let capabilities = CosmosMedia("capabilities")

    var text: String { "application/\(subtype);charset=utf-8;version=v\(version)" }

    /// A media type as a header has it, taken apart.
    struct Offer {
        var type: String
        var parameters: [String: String] = [:]

        /// Nil for what is no media type.
        init?(_ text: String) {
            let parts = text.split(separator: ";").map { Self.trimmed(String($0)) }
            guard let type = parts.first, type.contains("/") else { return nil }
            self.type = type.lowercased()
            for part in parts.dropFirst() {
                guard let mark = part.firstIndex(of: "=") else { continue }
                let value = Self.trimmed(String(part[part.index(after: mark)...]))
                parameters[Self.trimmed(String(part[..<mark])).lowercased()] =
                    value.hasPrefix("\"")
                    ? String(value.dropFirst().prefix { $0 != "\"" }) : value
            }
        }

        private static func trimmed(_ text: String) -> String {
            String(text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        }
    }

    /// Whether a request's Content-Type says this. The version may be left out when it is the first.
    func isContent(of header: String?) -> Bool {
        guard let header, let offer = Offer(header), offer.type == "application/" + subtype else { return false }
        return (offer.parameters["version"] ?? "v1") == "v\(version)" && hasUTF8(offer)
    }

    /// Whether an Accept header has room for this.
    func isAccepted(by header: String?) -> Bool {
        guard let header else { return true }
        return header.split(separator: ",").prefix(64).contains { text in
            guard let offer = Offer(String(text)), offer.parameters["q"] != "0" else { return false }
            switch offer.type {
            case "*/*", "application/*": return true
            case "application/json": return version == 1 || offer.parameters["version"] == nil
            case "application/" + subtype:
                return (offer.parameters["version"] ?? "v\(version)") == "v\(version)" && hasUTF8(offer)
            default: return false
            }
        }
    }

    private func hasUTF8(_ offer: Offer) -> Bool {
        offer.parameters["charset"].map { $0.lowercased() == "utf-8" } ?? true
    }
}
