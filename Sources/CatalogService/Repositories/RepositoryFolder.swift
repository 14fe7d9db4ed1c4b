internal import Glibc
internal import LinuxSystem
internal import Packages

/// Why a repository cannot be read, in words that go after "because".
struct RepositoryFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }

    static let tooLarge = RepositoryFailure(
        "it has more than \(PackageLimits.packages) versions of packages, or more than "
            + "\(PackageLimits.repositoryBytes >> 20) MiB of them")
}

/// A folder on this machine in Universe's layout: `packages/R/redis/0/package.json` and so on.
///
/// Links are not followed below it, and nothing but plain files is read.
struct RepositoryFolder {
    /// The longest file.
    static let fileLimit = 8 << 20

    private let root: String

    init(_ path: String) { root = path.hasSuffix("/") ? String(path.dropLast()) : path }

    func tree() throws(RepositoryFailure) -> PackageTree {
        let top = Self.isFolder(root + "/packages") ? root : root + "/repo"
        guard Self.isFolder(top + "/packages") else {
            throw RepositoryFailure("\(root) has no folder \"packages\"")
        }
        var tree = PackageTree()
        for letter in try Self.folders(top + "/packages") {
            for name in try Self.folders("\(top)/packages/\(letter)") {
                for number in try Self.folders("\(top)/packages/\(letter)/\(name)") {
                    let path = "packages/\(letter)/\(name)/\(number)"
                    for file in PackageFiles.Name.allCases {
                        guard let bytes = try Self.read("\(top)/\(path)/\(file.rawValue)") else { continue }
                        guard tree.add("\(path)/\(file.rawValue)", bytes) else { throw .tooLarge }
                    }
                }
            }
        }
        return tree
    }

    /// What lies in the folders of packages and is none of their files, by its path; at most 1,000.
    func strays() throws(RepositoryFailure) -> [String] {
        let top = Self.isFolder(root + "/packages") ? root : root + "/repo"
        var found: [String] = []
        func look(_ path: String, _ depth: Int) throws(RepositoryFailure) {
            let names: [String]
            do throws(SystemError) { names = try listDirectory("\(top)/\(path)").sorted() } catch {
                throw RepositoryFailure("\(error)")
            }
            for name in names where found.count < 1_000 {
                let below = "\(path)/\(name)"
                let isFolder = Self.isFolder("\(top)/\(below)")
                if isFolder, depth < 3 {
                    try look(below, depth + 1)
                } else if isFolder || PackageTree.place(of: below) == nil || Self.kind("\(top)/\(below)") != S_IFREG {
                    found.append(below)
                }
            }
        }
        try look("packages", 0)
        return found
    }

    /// Nil when there is no such file; links and pipes are none.
    private static func read(_ path: String) throws(RepositoryFailure) -> [UInt8]? {
        guard kind(path) == S_IFREG else { return nil }
        do throws(SystemError) { return try readFile(path, limit: fileLimit) } catch {
            throw RepositoryFailure("\(path) cannot be read: \(error.reason)")
        }
    }

    /// The folders in a folder, in their order.
    private static func folders(_ path: String) throws(RepositoryFailure) -> [String] {
        do throws(SystemError) {
            return try listDirectory(path).sorted().filter { isFolder("\(path)/\($0)") }
        } catch { throw RepositoryFailure("\(error)") }
    }

    private static func isFolder(_ path: String) -> Bool { kind(path) == S_IFDIR }

    private static func kind(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }
}
