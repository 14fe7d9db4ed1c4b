internal import Appliance
internal import FoundationEssentials
internal import ImageStore

/// How images are shown.
enum ImageText {
    /// An image for programs.
    struct Document: Encodable {
        struct Layer: Encodable {
            var digest: String
            var diffID: String
            var mediaType: String
            var size: Int64
        }

        var name: String?
        var digest: String
        var platform: String
        var size: Int64
        var entrypoint: [String]
        var cmd: [String]
        var env: [String]
        var user: String
        var workingDirectory: String
        var exposedPorts: [String]
        var volumes: [String]
        var stopSignal: String?
        var labels: [String: String]
        var layers: [Layer]
        var usedBy: [String]

        init(_ image: StoredImage, _ store: ImageStore) throws {
            name = image.reference?.description
            digest = image.digest.description
            platform = image.config.platform.description
            size = image.size
            entrypoint = image.config.entrypoint
            cmd = image.config.cmd
            env = image.config.env
            user = image.config.user
            workingDirectory = image.config.workingDirectory
            exposedPorts = image.config.exposedPorts
            volumes = image.config.volumes
            stopSignal = image.config.stopSignal
            labels = image.config.labels
            layers = image.layers.map { layer in
                Layer(
                    digest: layer.blob.digest.description, diffID: layer.diffID.description,
                    mediaType: layer.blob.mediaType, size: layer.blob.size)
            }
            usedBy = try store.users(of: image)
        }
    }

    static func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Console.out(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// An image in one line.
    static func line(_ image: StoredImage) -> String {
        "\(image.reference?.description ?? "-")  \(image.digest.short)  \(bytes(image.size))"
    }

    static func table(_ images: [StoredImage], _ usage: ImageUsage) -> String {
        var table = TextTable("IMAGE", "DIGEST", "PLATFORM", "LAYERS#", "SIZE#")
        for image in images {
            table.add(
                image.reference?.description, image.digest.short, image.config.platform.description,
                "\(image.layers.count)", bytes(image.size))
        }
        return table.text
            + "\n\nOn the disk: \(bytes(usage.blobBytes)) of blobs, \(bytes(usage.layerBytes)) of unpacked layers"
            + (usage.reclaimableBytes > 0 ? "; \(bytes(usage.reclaimableBytes)) are needed by no image" : "")
    }

    static func details(_ image: StoredImage, _ users: [String]) -> String {
        var facts = TextFacts()
        facts.add("Name", image.reference?.description)
        facts.add("Digest", image.digest.description)
        facts.add("Platform", image.config.platform.description)
        facts.add("Size", bytes(image.size))
        facts.add("Entrypoint", words(image.config.entrypoint))
        facts.add("Command", words(image.config.cmd))
        facts.add("User", image.config.user)
        facts.add("Directory", image.config.workingDirectory)
        facts.add("Ports", image.config.exposedPorts.joined(separator: ", "))
        facts.add("Volumes", image.config.volumes.joined(separator: ", "))
        facts.add("Stop signal", image.config.stopSignal)
        for variable in image.config.env { facts.add("Env", variable) }
        for (key, value) in image.config.labels.sorted(by: { $0.key < $1.key }) {
            facts.add("Label", "\(key)=\(value)")
        }
        for layer in image.layers { facts.add("Layer", "\(layer.diffID.short)  \(bytes(layer.blob.size))") }
        facts.add("Used by", users.joined(separator: ", "))
        return facts.text
    }

    static func show(_ removed: Removed, _ isJSON: Bool) throws {
        if isJSON {
            return try printJSON([
                "blobs": Int64(removed.blobs), "layers": Int64(removed.layers), "bytes": removed.bytes,
            ])
        }
        Console.out("removed \(removed.blobs) blobs and \(removed.layers) layers, \(bytes(removed.bytes))")
    }

    private static func words(_ list: [String]) -> String {
        list.map { $0.contains(" ") || $0.isEmpty ? "\"\($0)\"" : $0 }.joined(separator: " ")
    }

    /// A number of bytes in a few digits.
    static func bytes(_ count: Int64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(count)
        var unit = 0
        while value >= 999.5, unit < units.count - 1 {
            value /= 1_000
            unit += 1
        }
        if unit == 0 || value >= 99.95 { return "\(Int(value.rounded())) \(units[unit])" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
