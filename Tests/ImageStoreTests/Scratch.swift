import Glibc
import Testing

@testable import ImageStore

/// A directory of one test, removed with it; beside the tree that is unpacked lies what must not be touched.
final class Scratch {
    let path: String
    var tree: String { path + "/tree" }
    var outside: String { path + "/outside" }

    init() throws {
        var template = Array("/tmp/rondo-images-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ImageError(.system, "mkdtemp failed") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        mkdir(tree, 0o755)
        mkdir(outside, 0o755)
        try write("outside/secret", "secret")
        mkdir(outside + "/directory", 0o700)
    }

    deinit { try? removeAll(path) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else { throw ImageError(.system, "cannot write \(name)") }
        defer { close(file) }
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw ImageError(.system, "short write") }
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

    /// Unpacks an archive into the tree.
    @discardableResult
    func unpack(_ archive: [UInt8], _ limits: LayerLimits = .small) throws -> LayerFacts {
        try write("layer", archive)
        let file = open(path + "/layer", O_RDONLY)
        defer {
            close(file)
            unlink(path + "/layer")
        }
        return try LayerUnpacker(file, into: tree, limits).run()
    }

    /// Every file that is not in the tree: its kind, mode, links, size, owner and time.
    func surroundings() -> [String] {
        var lines: [String] = []
        func look(_ path: String) {
            var facts = stat()
            lstat(path, &facts)
            let line = [
                path, String(facts.st_mode, radix: 8), "\(facts.st_nlink)", "\(facts.st_size)", "\(facts.st_uid)",
                "\(facts.st_mtim.tv_sec).\(facts.st_mtim.tv_nsec)",
            ]
            lines.append(line.joined(separator: " "))
            if facts.st_mode & S_IFMT == S_IFDIR { for name in names(path) { look(path + "/" + name) } }
        }
        look(outside)
        return lines + names(path)
    }

    private func names(_ path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { found.append(name) }
        }
        return found.sorted()
    }

    // MARK: - Looking into the tree

    func facts(_ name: String) -> stat? {
        var facts = stat()
        return lstat(tree + "/" + name, &facts) == 0 ? facts : nil
    }

    func kind(_ name: String) -> mode_t? { facts(name).map { $0.st_mode & S_IFMT } }
    func mode(_ name: String) -> mode_t? { facts(name).map { $0.st_mode & 0o7777 } }

    func isWhiteout(_ name: String) -> Bool {
        facts(name).map { $0.st_mode & S_IFMT == S_IFCHR && $0.st_rdev == 0 } ?? false
    }

    func text(_ name: String) -> String? {
        let file = open(tree + "/" + name, O_RDONLY | O_NOFOLLOW)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(file, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    func target(_ name: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink(tree + "/" + name, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func entries(_ name: String = "") -> [String] { names(tree + "/" + name) }
}

extension LayerLimits {
    /// Limits that tests can reach.
    static var small: LayerLimits {
        var limits = LayerLimits()
        limits.entries = 2_000
        limits.bytes = 64 << 20
        limits.freeBytes = 1 << 20
        limits.ratio = 50
        limits.headerBytes = 64 << 10
        limits.attributeBytes = 256 << 10
        return limits
    }
}
