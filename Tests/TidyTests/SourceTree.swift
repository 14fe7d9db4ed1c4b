import Foundation

/// The repository as the tidiness tests see it.
enum SourceTree {
    /// The top of the checkout, found from this file.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct File {
        /// Relative to the top.
        var path: String
        var text: String
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// `Sources/X/…` belongs to target X.
        var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    }

    /// Files below a folder whose names end so; generated code and build folders are left out.
    static func files(under folder: String, endingIn suffix: String) -> [File] {
        let base = folder.isEmpty ? root : root.appending(path: folder)
        guard let walker = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil) else { return [] }
        var found: [File] = []
        for case let url as URL in walker {
            let path = String(url.path.dropFirst(root.path.count + 1))
            if path.hasPrefix(".build") || path.hasPrefix("dist/") || path.contains("/Generated/") { continue }
            guard path.hasSuffix(suffix), let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
            found.append(File(path: path, text: text))
        }
        return found.sorted { $0.path < $1.path }
    }

    /// The modules that a file imports.
    static func imports(of file: File) -> [String] {
        file.lines.compactMap { line in
            var words = line.split(separator: " ")
            while let first = words.first,
                first.hasPrefix("@") || ["public", "internal", "private", "package"].contains(first)
            {
                words.removeFirst()
            }
            guard words.first == "import", words.count > 1 else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "func", "protocol", "typealias"]
            let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            return name.split(separator: ".").first.map(String.init)
        }
    }
}
