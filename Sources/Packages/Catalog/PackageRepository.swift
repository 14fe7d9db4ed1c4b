/// What one repository has. The packages are kept as short JSON, one after the other in a single piece of memory, and
/// read again when somebody asks for one: most of them never are.
public struct PackageRepository: Sendable {
    /// Where it comes from, as people gave it.
    public let source: String
    /// The packages that were left out, with the reasons.
    public let refusals: [PackageRefusal]
    /// What is known of each package without reading it again, in no order.
    let entries: [Entry]
    private let storage: [UInt8]

    /// A package, as far as choosing and searching need it.
    struct Entry: Sendable {
        var name: String
        var version: String
        var releaseVersion: Int
        var minimumRelease: ReleaseNumber?
        var upgradesFrom: [VersionRange]
        var downgradesTo: [VersionRange]
        var range: Range<Int>
    }

    /// How many packages there are, each version counted.
    public var count: Int { entries.count }
    /// The names of the packages.
    public var names: Set<String> { Set(entries.map(\.name)) }
    /// The bytes that the packages take.
    public var storedBytes: Int { storage.count }

    fileprivate init(source: String, builder: Builder) {
        self.source = source
        refusals = builder.refusals
        entries = builder.entries
        // A copy has no room to grow, which could be as much again.
        storage = builder.storage.count == builder.storage.capacity ? builder.storage : Array(builder.storage[...])
    }

    /// Reads a repository in which the packages are combined: `{"packages": […]}`. A package that is wrong is left out,
    /// and does not keep the others out.
    ///
    /// - Parameters:
    ///   - bytes: the JSON.
    ///   - source: where it comes from.
    /// - Throws: ``JSONFault`` when the whole is no such repository.
    public init(json bytes: [UInt8], source: String) throws(JSONFault) {
        guard bytes.count <= PackageLimits.repositoryBytes else {
            throw JSONFault(
                offset: 0, reason: "has \(bytes.count) bytes, at most \(PackageLimits.repositoryBytes) are taken")
        }
        var builder = Builder()
        let result = bytes.withUnsafeBufferPointer { bytes -> Result<Void, JSONFault> in
            do throws(JSONFault) {
                return .success(try Self.read(bytes, into: &builder))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        self.init(source: source, builder: builder)
    }

    /// Takes a repository in the folder layout.
    public init(_ tree: PackageTree, source: String) {
        var builder = Builder()
        for (path, files) in tree.packages {
            do throws(PackageRefusal) {
                builder.add(try files.combined())
            } catch {
                builder.refuse(PackageRefusal(name: error.name ?? path, version: error.version, defects: error.defects))
            }
        }
        for refusal in tree.refusals { builder.refuse(refusal) }
        self.init(source: source, builder: builder)
    }

    /// Reads the list of packages, each of them for itself.
    private static func read(_ bytes: UnsafeBufferPointer<UInt8>, into builder: inout Builder) throws(JSONFault) {
        var reader = JSONReader(bytes, limits: JSONLimits(bytes: bytes.count, values: .max))
        try reader.expect("{")
        var found = false
        reader.skipSpace()
        if !reader.take("}") {
            repeat {
                reader.skipSpace()
                guard reader.isAtQuote else { throw reader.fault("expected a name in quotes") }
                let name = try reader.text()
                try reader.expect(":")
                if name == "packages", !found {
                    found = true
                    try list(&reader, bytes, into: &builder)
                } else {
                    try reader.skip()
                }
                reader.skipSpace()
            } while reader.take(",")
            try reader.expect("}")
        }
        reader.skipSpace()
        guard reader.isAtEnd else { throw reader.fault("something follows the end of the repository") }
        guard found else { throw JSONFault(offset: 0, reason: "has no list of packages") }
    }

    private static func list(
        _ reader: inout JSONReader, _ bytes: UnsafeBufferPointer<UInt8>, into builder: inout Builder
    ) throws(JSONFault) {
        try reader.expect("[")
        reader.skipSpace()
        if reader.take("]") { return }
        repeat {
            reader.skipSpace()
            let start = reader.index
            try reader.skip()
            guard builder.seen < PackageLimits.packages else {
                throw reader.fault("has more than \(PackageLimits.packages) packages")
            }
            builder.add(json: UnsafeBufferPointer(rebasing: bytes[start..<reader.index]), at: start)
            reader.skipSpace()
        } while reader.take(",")
        try reader.expect("]")
    }

    /// A package by its number, from 0 on.
    public subscript(_ number: Int) -> PackageDefinition {
        get throws(PackageRefusal) {
            guard entries.indices.contains(number) else { throw PackageRefusal(defects: [.init("", "is not there")]) }
            return try definition(of: entries[number])
        }
    }

    /// A package, read again from its text.
    func definition(of entry: Entry) throws(PackageRefusal) -> PackageDefinition {
        let json: JSON
        do throws(JSONFault) {
            json = try JSON.parsed(storage[entry.range], limits: .stored)
        } catch {
            throw PackageRefusal(name: entry.name, version: entry.version, defects: [.init("", error.description)])
        }
        return try PackageDefinition(json)
    }

    /// A package's definition as JSON, as it is kept.
    func text(of entry: Entry) -> ArraySlice<UInt8> { storage[entry.range] }
}

/// Keeping and choosing.
extension PackageRepository {
    /// All of it as one document `{"packages": […]}`, from which the same repository is read.
    public var document: [UInt8] {
        var bytes = Array(#"{"packages":["#.utf8)
        bytes.reserveCapacity(storage.count + entries.count + 16)
        for (index, entry) in entries.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += text(of: entry)
        }
        return bytes + Array("]}".utf8)
    }

    /// All packages in the order in which they came, read one after the other.
    public var packages: some Sequence<PackageDefinition> { entries.lazy.compactMap { try? definition(of: $0) } }

    /// The packages that nothing is against; the others are left out, with the reason that the closure gives for a
    /// package's whole definition.
    public func filtered(_ objection: (JSONObject) -> String?) -> PackageRepository {
        var builder = Builder()
        for refusal in refusals { builder.refuse(refusal) }
        for entry in entries {
            do throws(PackageRefusal) {
                let package = try definition(of: entry)
                guard let reason = objection(package.json) else {
                    builder.add(package)
                    continue
                }
                builder.refuse(
                    PackageRefusal(name: entry.name, version: entry.version, defects: [.init("", reason)]))
            } catch { builder.refuse(error) }
        }
        return PackageRepository(source: source, builder: builder)
    }

    /// What several repositories have together; a version that more than one has is the first one's.
    ///
    /// - Parameter repositories: the repositories, the first ones count most.
    /// - Returns: one repository.
    public static func merged(_ repositories: [PackageRepository]) -> PackageRepository {
        var seen: Set<[String]> = []
        let packages = repositories.flatMap { repository in
            repository.packages.filter { seen.insert([$0.name, $0.version]).inserted }
        }
        return PackageRepository(packages, source: repositories.first?.source ?? "")
    }

    /// A repository of some packages.
    ///
    /// - Parameters:
    ///   - packages: the packages, in their order.
    ///   - source: where they come from.
    public init(_ packages: [PackageDefinition], source: String) {
        var builder = Builder()
        for package in packages { builder.add(package) }
        self.init(source: source, builder: builder)
    }

    /// The same with every version that was there before as it was then: what is published does not change.
    ///
    /// - Parameter before: what the repository had.
    /// - Returns: the repository, and the versions that had changed, as `name version`.
    public func keeping(_ before: PackageRepository) -> (repository: PackageRepository, changed: [String]) {
        var old: [[String]: Entry] = [:]
        for entry in before.entries { old[[entry.name, entry.version]] = entry }
        var builder = Builder()
        for refusal in refusals { builder.refuse(refusal) }
        var changed: [String] = []
        for entry in entries {
            let past = old[[entry.name, entry.version]]
            let isSame = past.map { before.text(of: $0) == text(of: entry) } ?? true
            if !isSame { changed.append("\(entry.name) \(entry.version)") }
            do throws(PackageRefusal) {
                guard !isSame, let past else {
                    builder.add(try definition(of: entry))
                    continue
                }
                builder.add(try before.definition(of: past))
            } catch { builder.refuse(error) }
        }
        return (PackageRepository(source: source, builder: builder), changed)
    }
}

/// Gathers packages.
private struct Builder {
    var entries: [PackageRepository.Entry] = []
    var storage: [UInt8] = []
    var refusals: [PackageRefusal] = []
    /// How many there were, whatever became of them.
    var seen = 0

    mutating func refuse(_ refusal: PackageRefusal) {
        if refusals.count < PackageLimits.refusals { refusals.append(refusal) }
    }

    mutating func add(json bytes: UnsafeBufferPointer<UInt8>, at offset: Int) {
        seen += 1
        do throws(JSONFault) {
            guard bytes.count <= PackageLimits.package.bytes else {
                throw JSONFault(offset: 0, reason: "has \(bytes.count) bytes, which is too large")
            }
            var reader = JSONReader(bytes, limits: PackageLimits.package)
            let json = try reader.whole()
            do throws(PackageRefusal) { add(try PackageDefinition(json)) } catch { refuse(error) }
        } catch {
            let fault = JSONFault(offset: offset + error.offset, reason: error.reason)
            refuse(PackageRefusal(defects: [.init("", fault.description)]))
        }
    }

    mutating func add(_ package: PackageDefinition) {
        guard entries.count < PackageLimits.packages else {
            let reason = "is one too many; a repository may have \(PackageLimits.packages) packages"
            return refuse(PackageRefusal(name: package.name, version: package.version, defects: [.init("", reason)]))
        }
        let start = storage.count
        JSON.object(package.json).write(to: &storage)
        entries.append(
            PackageRepository.Entry(
                name: package.name, version: package.version, releaseVersion: package.releaseVersion,
                minimumRelease: package.minimumRelease, upgradesFrom: package.upgradesFrom,
                downgradesTo: package.downgradesTo, range: start..<storage.count))
    }
}

extension JSONLimits {
    /// Of what was taken before and written shorter; only escapes can have made it longer.
    fileprivate static let stored = JSONLimits(
        bytes: .max, values: PackageLimits.package.values, depth: PackageLimits.package.depth)
}
