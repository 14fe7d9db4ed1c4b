internal import Appliance
internal import ArgumentParser
internal import CatalogService
internal import Glibc
internal import Identity
internal import LinuxSystem

/// `rondo catalog build`.
struct CatalogBuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Make a repository document out of a folder of packages.",
        discussion: """
            The folder is in Universe's layout: packages/R/redis/0/package.json, config.json, resource.json,
            marathon.json.mustache. The document goes to a web server, from where `rondo catalog add` takes it. Packages
            that are wrong are left out, and the command ends with an error then.

              rondo catalog build packages > repo.json
              rondo catalog build packages --key signing.pem --to repo.json
            """)

    @Argument(help: "The folder.") var folder: String
    @Option(help: ArgumentHelp("Sign each package with the key of this file.", valueName: "file")) var key: String?
    @Option(help: ArgumentHelp("Where the document goes. (default: standard output)", valueName: "file"))
    var to: String?

    func run() throws {
        let document = try RepositoryBuilding.document(folder: folder, key: try key.map(CatalogKey.read))
        if let to {
            do throws(SystemError) { try writeFileAtomically(to, document.bytes, mode: 0o644) } catch {
                throw ApplianceError(.failure, "\(error)")
            }
        } else {
            Console.out(String(decoding: document.bytes, as: UTF8.self))
        }
        for refusal in document.refusals { Console.note(TextTable.clean(refusal)) }
        guard document.refusals.isEmpty else {
            throw ApplianceError(
                .failure, "\(document.refusals.count) versions of packages are wrong and were left out")
        }
        Console.note("\(document.count) versions of packages")
    }
}

/// `rondo catalog key`.
struct CatalogKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Show the public half of a key for signing packages, and make the key if need be.",
        discussion: """
            The file is a P-256 key in PEM; whoever has it signs. What is printed goes to those who add the repository.

              rondo catalog key signing.pem
              rondo catalog add ours https://packages.example.org/repo.json --key "$(rondo catalog key signing.pem)"
            """)

    @Argument(help: "The file.") var file: String

    func run() throws {
        let isThere = access(file, F_OK) == 0
        let key = isThere ? try Self.read(file) : NodeKey()
        if !isThere {
            do throws(SystemError) { try writeFileAtomically(file, key.pem) } catch {
                throw ApplianceError(.failure, "cannot make \(file): \(error.reason)")
            }
            Console.note("made \(file); keep it safe, as whoever has it can sign packages")
        }
        Console.out(EntryKey(key).text)
    }

    static func read(_ file: String) throws -> NodeKey {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(file, limit: 64 << 10) } catch {
            throw ApplianceError(.failure, "cannot read \(file): \(error.reason); `rondo catalog key` makes one")
        }
        guard let key = try? NodeKey(pem: bytes) else {
            throw ApplianceError(.failure, "\(file) is no P-256 key in PEM; `rondo catalog key` makes one")
        }
        return key
    }
}
