/// What a registry wants to be shown (`WWW-Authenticate`, RFC 9110 §11).
enum AuthChallenge: Equatable {
    /// A token of a server.
    case bearer(realm: String, service: String?, scope: String?)
    /// Name and password.
    case basic

    /// The first of a header's challenges that can be answered; Bearer before Basic.
    ///
    /// - Parameter headers: the values of all such headers.
    init?(_ headers: [String]) {
        let all = headers.flatMap(Self.parse)
        if let bearer = all.first(where: { $0.scheme == "bearer" }), let realm = bearer.parameters["realm"] {
            self = .bearer(realm: realm, service: bearer.parameters["service"], scope: bearer.parameters["scope"])
        } else if all.contains(where: { $0.scheme == "basic" }) {
            self = .basic
        } else {
            return nil
        }
    }

    private struct Challenge {
        var scheme: String
        var parameters: [String: String] = [:]
    }

    /// `Scheme key=value, key="quoted", Scheme …`; what is malformed ends the reading.
    private static func parse(_ header: String) -> [Challenge] {
        var challenges: [Challenge] = []
        var rest = Array(header.utf8.prefix(8_192))[...]
        func word() -> String {
            let word = rest.prefix { $0 > 0x20 && $0 < 0x7F && !#",="#.utf8.contains($0) && $0 != 0x22 }
            rest = rest.dropFirst(word.count)
            return String(decoding: word, as: UTF8.self)
        }
        func skip() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") } }
        while true {
            skip()
            let name = word()
            guard !name.isEmpty else { return challenges }
            guard rest.first == UInt8(ascii: "=") else {
                challenges.append(Challenge(scheme: name.lowercased()))
                continue
            }
            rest = rest.dropFirst()
            var value = ""
            if rest.first == 0x22 {
                rest = rest.dropFirst()
                var bytes: [UInt8] = []
                while let byte = rest.first, byte != 0x22 {
                    rest = rest.dropFirst()
                    if byte == UInt8(ascii: "\\"), let escaped = rest.first {
                        bytes.append(escaped)
                        rest = rest.dropFirst()
                    } else {
                        bytes.append(byte)
                    }
                }
                guard rest.first == 0x22 else { return challenges }
                rest = rest.dropFirst()
                value = String(decoding: bytes, as: UTF8.self)
            } else {
                value = word()
            }
            guard !challenges.isEmpty else { return challenges }
            challenges[challenges.count - 1].parameters[name.lowercased()] = value
        }
    }
}
