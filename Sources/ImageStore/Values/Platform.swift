internal import Glibc

/// What an image was made for, in Go's words.
public struct Platform: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Such as `linux`.
    public var os: String
    /// Such as `amd64` or `arm64`.
    public var architecture: String
    /// Such as `v7`.
    public var variant: String?

    /// A platform of its parts.
    public init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// Reads `OS/ARCHITECTURE[/VARIANT]`.
    ///
    /// - Parameter text: such as `linux/arm64`.
    /// - Throws: ``ImageError`` of code `image.invalid-name`.
    public init(parsing text: String) throws(ImageError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }
        }
        guard (2...3).contains(parts.count), isPlain, text.utf8.count < 64 else {
            throw ImageError(.invalidName, "\"\(text.prefix(80))\" is no platform; write one such as linux/amd64")
        }
        self.init(os: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
    }

    /// This machine's.
    public static let own: Platform = {
        var facts = utsname()
        uname(&facts)
        let machine = withUnsafeBytes(of: facts.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch machine {
        case "x86_64": return Platform(os: "linux", architecture: "amd64")
        case "aarch64": return Platform(os: "linux", architecture: "arm64", variant: "v8")
        case "armv7l": return Platform(os: "linux", architecture: "arm", variant: "v7")
        default: return Platform(os: "linux", architecture: machine)
        }
    }()

    /// Whether what is for another platform runs on this one.
    public func runs(_ other: Platform) -> Bool { distance(to: other) != nil }

    /// How well an image for another platform runs here: 0 is best, `nil` is not at all.
    func distance(to other: Platform) -> Int? {
        guard os == other.os, architecture == other.architecture else { return nil }
        if variant == other.variant { return 0 }
        // The usual one of each architecture may be left out.
        let usual = ["arm64": "v8", "amd64": "v1"][architecture]
        if variant ?? usual == other.variant ?? usual { return 1 }
        guard let mine = Self.number(variant ?? usual), let theirs = Self.number(other.variant ?? usual) else {
            return variant == nil || other.variant == nil ? 50 : nil
        }
        return theirs <= mine ? 1 + mine - theirs : nil
    }

    private static func number(_ variant: String?) -> Int? {
        guard let variant, variant.hasPrefix("v"), let number = Int(variant.dropFirst()), (0..<40).contains(number)
        else {
            return nil
        }
        return number
    }

    /// The form that ``init(parsing:)`` reads.
    public var description: String { "\(os)/\(architecture)" + (variant.map { "/" + $0 } ?? "") }
}
