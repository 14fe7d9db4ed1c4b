import Packages

/// Repositories as large as the public Universe.
enum Universe {
    private static func repository(_ packages: [[UInt8]]) -> [UInt8] {
        Array("{\"packages\":[".utf8) + Array(packages.joined(separator: [UInt8(ascii: ",")])) + Array("]}".utf8)
    }

    /// The packages of a repository, again and again under other versions.
    static func copied(_ source: PackageRepository, until count: Int) -> [UInt8] {
        let catalog = PackageCatalog([source])
        let all = catalog.names.flatMap { name in catalog.versions(of: name).map { (name, $0.version) } }
        guard !all.isEmpty else { return repository([]) }
        let packages = (0..<count).compactMap { number -> [UInt8]? in
            let (name, version) = all[number % all.count]
            guard var fields = try? catalog.find(name, version: version).package.json else { return nil }
            let round = number / all.count
            // A second copy of a name each third round: the Universe has 185.
            fields["name"] = .text(round % 4 == 0 ? name : "\(name)-\(round % 4)")
            fields["version"] = .text("\(version)-\(round)")
            fields["releaseVersion"] = .integer(number)
            return JSON.object(fields).bytes
        }
        return repository(packages)
    }

    /// Packages that are made up, with words from a list and options by the hundred.
    static func madeUp(_ count: Int) -> [UInt8] {
        repository((0..<count).map { JSON.object(package($0 % 185, version: $0 / 185)).bytes })
    }

    private static let words = [
        "distributed", "database", "kafka", "stream", "broker", "cache", "search", "spark", "cluster", "metrics",
        "proxy",
        "storage", "object", "graph", "queue", "notebook", "build", "server", "monitoring", "network",
    ]

    private static func package(_ number: Int, version: Int) -> JSONObject {
        func sentence(_ length: Int) -> String {
            (0..<length).map { words[(number * 7 + $0 * $0 * 3 + $0) % words.count] }.joined(separator: " ")
        }
        var properties = JSONObject()
        var template = "{\"id\":\"{{service.name}}\",\"cpus\":{{service.cpus}},\"env\":{"
        for option in 0..<150 {
            properties["option-\(option)"] = .object(
                JSONObject([
                    "type": .text("string"), "default": .text(sentence(3)), "title": .text(sentence(4)),
                    "description": .text(sentence(12)), "pattern": .text("^[a-z ]+$"),
                ]))
            template += "\"OPTION_\(option)\":\"{{service.option-\(option)}}\","
        }
        properties["name"] = .object(JSONObject(["type": .text("string"), "default": .text("name-\(number)")]))
        properties["cpus"] = .object(
            JSONObject(["type": .text("number"), "default": .integer(1), "minimum": .integer(0)]))
        template += "\"LAST\":\"\"}}"
        let service = JSONObject(["type": .text("object"), "properties": .object(properties)])
        let config = JSONObject([
            "type": .text("object"), "properties": .object(JSONObject(["service": .object(service)])),
        ])
        return JSONObject([
            "packagingVersion": .text("4.0"), "name": .text("\(words[number % words.count])-\(number)"),
            "version": .text("\(version).0"), "releaseVersion": .integer(version), "maintainer": .text("a@b.example"),
            "description": .text(sentence(60)),
            "tags": .list((0..<5).map { .text(words[(number + $0) % words.count]) }),
            "config": .object(config),
            "marathon": .object(JSONObject(["v2AppMustacheTemplate": .text(base64(template))])),
        ])
    }

    private static func base64(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var bits = ""
        var (word, size) = (0, 0)
        // Blanks to a whole number of groups, so that nothing has to be padded.
        for byte in Array(text.utf8) + Array(repeating: 0x20, count: (3 - text.utf8.count % 3) % 3) {
            (word, size) = (word << 8 | Int(byte), size + 8)
            while size >= 6 {
                size -= 6
                bits.append(alphabet[word >> size & 63])
                word &= 1 << size - 1
            }
        }
        return bits
    }
}
