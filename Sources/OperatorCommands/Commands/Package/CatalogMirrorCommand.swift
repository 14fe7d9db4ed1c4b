internal import Appliance
internal import ArgumentParser
internal import CatalogService
internal import FoundationEssentials
internal import Glibc
internal import HTTPTypes
internal import Identity
internal import ImageStore
internal import LinuxSystem
internal import Packages
internal import Synchronization

/// `rondo catalog mirror`.
struct CatalogMirrorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mirror",
        abstract: "Write packages and their images into one archive, for machines without a network.",
        discussion: """
            Packages come from the cluster's repositories, or with --from from a folder, a document, a URL, an artifact
            or rondo:built-in, without a cluster. Images come from the archives that are named, from this machine, and
            from their registries, in this order. The archive is an OCI layout, which `rondo catalog add` gives to a
            cluster and others read as well.

              rondo catalog mirror packages.tar redis nginx
              rondo catalog mirror packages.tar --from rondo:built-in --image-archive .build/images redis
              rondo catalog mirror packages.tar kafka@2.1.0 --repository Universe --pin --key signing.pem
              rondo catalog add carried packages.tar

            A run that was broken off goes on where it stopped. Without all images the archive is not written, unless
            that is said.
            """)

    @Argument(help: "The archive.") var file: String
    @Argument(help: "Packages, each perhaps with @VERSION. (default: all)") var packages: [String] = []
    @Option(help: ArgumentHelp("Only what this repository of the cluster has.", valueName: "name"))
    var repository: String?
    @Option(help: ArgumentHelp("Where packages come from instead of the cluster.", valueName: "address"))
    var from: String?
    @Flag(help: "Every version instead of the newest.") var allVersions = false
    @Option(
        help: ArgumentHelp(
            "An archive of images, or a directory of archives; may come several times.", valueName: "path"))
    var imageArchive: [String] = []
    @Option(help: ArgumentHelp("For what platform. (default: this machine's)", valueName: "os/arch"))
    var platform: String?
    @Flag(help: "Name each image by the digest of what is in the archive, too; signatures do not hold any more then.")
    var pin = false
    @Option(help: ArgumentHelp("Sign each package with the key of this file.", valueName: "file")) var key: String?
    @Flag(help: "Leave out images that cannot be had.") var skipMissing = false
    @Flag(help: "No images at all.") var packagesOnly = false
    @Flag(help: "Ask no registry.") var offline = false
    @OptionGroup var registries: RegistryOptions
    @OptionGroup var client: ClientOptions

    func run() async throws {
        let key = try key.map(CatalogKey.read)
        var sources = CatalogMirror.Sources()
        sources.pull.platform = try ImageOptions.platform(platform)
        sources.pull.registry = try registries.settings()
        sources.asksRegistries = !offline
        sources.archives = try Self.archives(imageArchive)
        let local = try client.load().path(.data) + "/images"
        if access(local + "/images.json", R_OK | W_OK) == 0 { sources.local = try? ImageStore(root: local) }
        let chosen = try await choose(sources.pull.registry)
        let line = ProgressLine(isShown: Console.isTerminal(STDERR_FILENO))
        let counter = Mutex<(received: Int64, written: Int64)>((0, 0))
        let mirror = CatalogMirror(chosen, sources: sources) { progress in
            switch progress {
            case .found(let name, let place):
                line.end()
                Console.note(TextTable.clean("\(name) from \(place)"))
            case .pulling(let name, .received(let bytes)):
                let sum = counter.withLock { counter in
                    counter.received += bytes
                    return counter.received
                }
                line.show("\(name): \(ImageText.bytes(sum)) received in all")
            case .pulling: break
            case .written(let bytes):
                let sum = counter.withLock { counter in
                    counter.written += bytes
                    return counter.written
                }
                line.show("\(ImageText.bytes(sum)) written")
            }
        }
        defer { line.end() }
        do { try await write(mirror, key) } catch let error as ImageError {
            throw ApplianceError(ImageOptions.exitCode(error.code), error.message)
        }
    }

    private func write(_ mirror: CatalogMirror, _ key: NodeKey?) async throws {
        let work = file + ".images"
        let store = try ImageStore(root: work)
        let (images, missing) = packagesOnly ? ([:], []) : try await mirror.gather(in: store)
        for each in missing {
            Console.note(
                TextTable.clean("no image \(each.image) for \(each.packages.joined(separator: ", ")): \(each.reason)"))
        }
        guard missing.isEmpty || skipMissing else {
            throw ApplianceError(
                .failure,
                "\(missing.count) images are missing and nothing was written; name archives that have them with "
                    + "--image-archive, or leave them out with --skip-missing or --packages-only. What was gathered is in "
                    + "\(work) and is used by the next run")
        }
        let result = try await mirror.write(file, from: store, images, pins: pin, key: key)
        do throws(SystemError) { try removeTree(work) } catch {
            Console.note("cannot remove \(work): \(error.reason)")
        }
        if client.output == "json" {
            return Console.out(try Self.document(result, missing))
        }
        Console.out(
            "\(result.packages) versions of packages, \(result.images.count) images, \(ImageText.bytes(result.bytes))")
    }

    private static func document(_ result: CatalogMirror.Result, _ missing: [CatalogMirror.Missing]) throws -> String {
        let images = result.images.map {
            JSONValue.object(["name": .text($0.name), "digest": .text($0.digest.description)])
        }
        let lacking = missing.map { JSONValue.object(["image": .text($0.image), "reason": .text($0.reason)]) }
        let document: JSONValue = [
            "packages": .integer(Int64(result.packages)), "images": .list(images), "missing": .list(lacking),
            "bytes": .integer(result.bytes),
        ]
        return String(decoding: try document.encoded(), as: UTF8.self)
    }

    /// The packages that are meant.
    private func choose(_ settings: RegistrySettings) async throws -> [PackageDefinition] {
        let found: PackageRepository
        do {
            if let from {
                found = try await RepositorySource.read(from, settings)
            } else {
                let query = repository.map { "?repository=" + PathText.escaped($0) } ?? ""
                let bytes = try await client.withClient { client in
                    try await client.request(.get, "/rondo/v1/catalog/packages" + query, timeout: .seconds(120))
                }
                found = try RepositoryBuilding.repository(bytes, source: "the cluster")
            }
        } catch let problem as CatalogProblem { throw ApplianceError(.failure, problem.message) }
        for refusal in found.refusals { Console.note(TextTable.clean("left out: \(refusal)")) }
        let (chosen, missing) = PackageSelection(packages, allVersions: allVersions).choose(from: found)
        guard missing.isEmpty else {
            throw ApplianceError(
                .failure, "there is no package \(missing.joined(separator: ", ")) where packages come from")
        }
        guard !chosen.isEmpty else { throw ApplianceError(.failure, "there are no packages to write") }
        return chosen
    }

    /// Archives that are named, and those in directories that are named.
    private static func archives(_ paths: [String]) throws -> [String] {
        var all: [String] = []
        for path in paths {
            var facts = stat()
            guard stat(path, &facts) == 0 else { throw ApplianceError(.usage, "there is no \(path)") }
            let isLayout = access(path + "/oci-layout", F_OK) == 0
            guard facts.st_mode & S_IFMT == S_IFDIR, !isLayout else {
                all.append(path)
                continue
            }
            let names: [String]
            do throws(SystemError) { names = try listDirectory(path) } catch {
                throw ApplianceError(.failure, "\(error)")
            }
            let found = names.filter { $0.hasSuffix(".tar") }.sorted()
            guard !found.isEmpty else { throw ApplianceError(.usage, "\(path) has no archives of images (*.tar)") }
            all += found.map { "\(path)/\($0)" }
        }
        return all
    }
}

/// Reads a repository without a cluster.
enum RepositorySource {
    static func read(_ address: String, _ settings: RegistrySettings) async throws -> PackageRepository {
        var facts = stat()
        if !address.contains("://"), stat(address, &facts) == 0 {
            if facts.st_mode & S_IFMT == S_IFDIR {
                return try await RepositoryBuilding.repository(
                    .folder(address), builtIn: { [] }, settings: settings)
            }
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try readFile(address, limit: PackageLimits.repositoryBytes)
            } catch { throw ApplianceError(.failure, "\(error)") }
            return try RepositoryBuilding.repository(bytes, source: address)
        }
        guard address.contains("://") || address == RepositoryAddress.builtInText else {
            throw ApplianceError(.usage, "there is no \(address)")
        }
        return try await RepositoryBuilding.repository(
            try RepositoryAddress(address), builtIn: { BuiltInCatalog.document }, settings: settings)
    }
}
