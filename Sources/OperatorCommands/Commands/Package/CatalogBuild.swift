internal import Appliance
internal import ArgumentParser
internal import CatalogService
internal import Glibc
internal import Identity
internal import ImageStore
internal import LinuxSystem
internal import Packages

/// `rondo catalog build`.
struct CatalogBuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Make a repository document out of a folder of packages.",
        discussion: """
            The folder is in Universe's layout: packages/R/redis/0/package.json, config.json, resource.json,
            marathon.json.mustache. The document goes to a web server, or as an artifact into a registry, from where
            `rondo catalog add` takes it. Packages that are wrong are left out, and the command ends with an error then;
            `rondo catalog lint` says more.

              rondo catalog build packages > repo.json
              rondo catalog build packages --key signing.pem --to repo.json
              rondo catalog build packages --pin --key signing.pem --to oci://registry.example.org/catalog:1
            """)

    @Argument(help: "The folder.") var folder: String
    @Option(help: ArgumentHelp("Sign each package with the key of this file.", valueName: "file")) var key: String?
    @Option(
        help: ArgumentHelp(
            "Where the document goes: a file, or oci://HOST/NAME:TAG. (default: standard output)",
            valueName: "file|address"))
    var to: String?
    @Flag(help: "Name each image by the digest, too, that its registry or this machine has under its tag now.")
    var pin = false
    @OptionGroup var registries: RegistryOptions
    @OptionGroup var options: ImageOptions

    func run() async throws {
        let key = try key.map(CatalogKey.read)
        let settings = try registries.settings()
        let local = try options.file.load([.data: options.data]).path(.data) + "/images"
        let bytes: [UInt8]
        let repository: PackageRepository
        do {
            repository = try await RepositorySource.read(folder, settings)
            var packages = Array(repository.packages)
            if pin {
                let store = access(local + "/images.json", R_OK | W_OK) == 0 ? try? ImageStore(root: local) : nil
                packages = try await RepositoryBuilding.pinned(packages, settings: settings, local: store)
            }
            bytes = try RepositoryBuilding.document(of: packages, key: key)
            try await CatalogPush.write(bytes, to, settings)
        } catch let error as ImageError {
            throw ApplianceError(ImageOptions.exitCode(error.code), error.message)
        } catch let problem as CatalogProblem { throw ApplianceError(.failure, problem.message) }
        for refusal in repository.refusals { Console.note(TextTable.clean(refusal.description)) }
        guard repository.refusals.isEmpty else {
            throw ApplianceError(
                .failure, "\(repository.refusals.count) versions of packages are wrong and were left out")
        }
        Console.note("\(repository.count) versions of packages")
    }
}

/// `rondo catalog push`.
struct CatalogPush: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Publish a repository as an artifact in a registry.",
        discussion: """
            What is published is a repository document, as `rondo catalog build` writes it, or a folder of packages. The
            name is the old artifact's until all of the new one is there. Credentials are those of `rondo image pull`.

              rondo catalog push repo.json oci://registry.example.org/catalog:1
              rondo catalog push packages oci://registry.rack:5000/catalog:1 --plain-http registry.rack:5000
              rondo catalog add ours oci://registry.example.org/catalog:1
            """)

    @Argument(help: "A repository document, or a folder.") var source: String
    @Argument(help: "oci://HOST/NAME:TAG.") var address: String
    @OptionGroup var registries: RegistryOptions

    func run() async throws {
        let settings = try registries.settings()
        do {
            guard case .registry = try RepositoryAddress(address) else {
                throw ApplianceError(.usage, "\(address) is no artifact; write oci://HOST/NAME:TAG")
            }
            let repository = try await RepositorySource.read(source, settings)
            if let first = repository.refusals.first {
                throw ApplianceError(
                    .failure,
                    "\(repository.refusals.count) versions of packages in \(source) are wrong, so nothing is published: "
                        + first.description)
            }
            try await Self.write(repository.document, address, settings)
            Console.note("\(repository.count) versions of packages")
        } catch let error as ImageError {
            throw ApplianceError(ImageOptions.exitCode(error.code), error.message)
        } catch let problem as CatalogProblem { throw ApplianceError(.failure, problem.message) }
    }

    /// Writes a document to where it is to go; nil is standard output.
    static func write(_ document: [UInt8], _ place: String?, _ settings: RegistrySettings) async throws {
        guard let place else { return Console.out(String(decoding: document, as: UTF8.self)) }
        guard place.hasPrefix("oci://") else {
            do throws(SystemError) { return try writeFileAtomically(place, document, mode: 0o644) } catch {
                throw ApplianceError(.failure, "\(error)")
            }
        }
        let digest = try await RepositoryBuilding.push(
            document, to: try RepositoryAddress(place), settings: settings)
        Console.note("published \(place), \(digest)")
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
