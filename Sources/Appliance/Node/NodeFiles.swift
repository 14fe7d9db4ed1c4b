internal import AgentNode
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// A node's directory:
///
/// ```
/// node.json        what this node is
/// node.key         its private key: who has this file is this node
/// node.crt         its certificate, and the authority's
/// authority.crt    the cluster's authority, which all certificates are measured by
/// keys.json        the gossip's keys, and who was evicted
/// gossip.json      the node's incarnation, and where others were last seen
/// administrator    the administrator's credential (masters)
/// join-token       the token that `rondo cluster init` prints (masters)
/// master.key       what secrets are sealed with, unless it is kept elsewhere (masters)
/// master/          the store, and the authority's sealed key
/// agent/           the agent's directory
/// images/          the machine's images (`rondo image`)
/// node.log         what the node logs; the file before it is node.log.1
/// rondo.sock       for local commands, unless the directory is the usual one
/// ```
/// Files are for their owner only; the directory may be entered by others, because tasks run below it.
public struct NodeFiles: Sendable {
    /// What a node keeps of itself.
    struct Identity: Codable, Equatable {
        static let format = 2
        var format = Self.format
        var role: String
        var clusterID: String
        var clusterName: String
        /// Where its master was last, `ADDRESS:PORT`; nil when it is the master itself.
        var master: String?
        /// The port of that master's gossip.
        var gossipPort: UInt16?
        /// Whether others can open no connection to this machine, as its operator said; nil when nobody said.
        var behindNAT: Bool?
        /// The same as the node found out itself when it started last.
        var foundBehindNAT: Bool?
        /// The topmost folder that was made on the way to the data directory.
        var madeFolder: String?

        var isBehindNAT: Bool { behindNAT ?? foundBehindNAT ?? false }
    }

    private static let names = [
        "node.json", "node.key", "node.crt", "authority.crt", "keys.json", "gossip.json", "administrator", "join-token",
        "master.key", "master", "agent", "images", "node.log", "node.log.1",
    ]

    let root: String
    let runtime: String

    /// The files of the node that a configuration names.
    ///
    /// - Parameter configuration: `data` and `runtime` count.
    public init(_ configuration: Configuration) {
        root = configuration.path(.data)
        let isUsual = root == ConfigurationKey.data.defaultText
        runtime = isUsual || configuration.isSet(.runtime) ? configuration.path(.runtime) : root
    }

    /// Where the node listens for local commands.
    public var socketPath: String { "\(runtime)/rondo.sock" }
    var storePath: String { "\(root)/master/store.sqlite" }
    var auditDirectory: String { "\(root)/master/audit" }
    var agentDirectory: String { "\(root)/agent" }
    var imageDirectory: String { "\(root)/images" }
    var logPath: String { "\(root)/node.log" }
    private var identityPath: String { "\(root)/node.json" }
    private var administratorPath: String { "\(root)/administrator" }
    private var joinTokenPath: String { "\(root)/join-token" }

    /// The administrator's credential, when this process may read it.
    public var administrator: String? { secret(administratorPath) }
    var joinToken: String? { secret(joinTokenPath) }

    /// Makes the directories; returns the topmost one that had to be made above the node's own.
    @discardableResult
    func prepare(forMaster isMaster: Bool) throws(ApplianceError) -> String? {
        let missing = parents.last { access($0, F_OK) != 0 }
        do throws(SystemError) {
            try makeDirectories(root, mode: 0o711)
            try makeDirectories(runtime, mode: 0o711)
            if isMaster { try makeDirectories("\(root)/master", mode: 0o700) }
            return missing
        } catch {
            throw ApplianceError(
                .failure, "cannot use the data directory: \(error); run as root, or name another with --data")
        }
    }

    /// The directories above the node's own, the nearest first, without the root of all.
    private var parents: [String] {
        var found: [String] = []
        var path = root
        while let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            path = String(path[..<slash])
            found.append(path)
        }
        return found
    }

    func identity() throws(ApplianceError) -> Identity? {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(identityPath, limit: 1 << 20) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw ApplianceError(.failure, "cannot read what this node is: \(error); run as root")
        }
        guard let identity = try? JSONDecoder().decode(Identity.self, from: Data(bytes)) else {
            throw ApplianceError(
                .failure, "\(identityPath) is damaged; restore it, or remove \(root) to begin as a new node")
        }
        guard identity.format <= Identity.format else {
            throw ApplianceError(.failure, "\(identityPath) was written by a newer release; use that one")
        }
        guard identity.format == Identity.format else {
            throw ApplianceError(
                .failure,
                "\(identityPath) is of a release without encryption; let the node leave with that release, and join anew"
            )
        }
        return identity
    }

    func store(_ identity: Identity) throws(ApplianceError) {
        guard let bytes = try? JSONEncoder().encode(identity) else {
            throw ApplianceError(.software, "what this node is cannot be encoded")
        }
        try write([UInt8](bytes), identityPath)
    }

    func storeAdministrator(_ text: String) throws(ApplianceError) {
        try write(Array(text.utf8) + [10], administratorPath)
    }
    func storeJoinToken(_ text: String) throws(ApplianceError) { try write(Array(text.utf8) + [10], joinTokenPath) }

    func write(_ bytes: [UInt8], _ path: String) throws(ApplianceError) {
        do throws(SystemError) { try writeFileAtomically(path, bytes, mode: 0o600) } catch {
            throw ApplianceError(.failure, "cannot store \(path): \(error)")
        }
    }

    private func secret(_ path: String) -> String? {
        guard let bytes = try? readFile(path, limit: 4_096) else { return nil }
        return String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    }

    /// Ends what still runs of an agent whose process is gone.
    func destroyRemains() throws(SystemError) {
        let layout = try CgroupLayout.detect()
        for found in (try? MonitorRecovery.scan(runDirectory: "\(agentDirectory)/run")) ?? [] {
            try MonitorRecovery.purge(containerID: found.containerID, directory: found.directory, layout: layout)
        }
        layout?.removeParentIfEmpty()
        if let problem = AgentNode.purgeNetworks(of: agentDirectory).first {
            throw SystemError(call: "remove the containers' networks (\(problem))", path: agentDirectory, errno: EBUSY)
        }
    }

    /// Whether there is anything of a node, though perhaps no whole one.
    var hasRemains: Bool { Self.names.contains { $0 != "images" && access("\(root)/\($0)", F_OK) == 0 } }

    /// Removes the node's files, and nothing else that may be in the directory. Images may have been there before it.
    func purge(madeFolder: String? = nil, images: Bool = true) throws(SystemError) {
        let made = madeFolder ?? (try? identity())?.madeFolder
        for name in Self.names where images || name != "images" {
            try removeTree("\(root)/\(name)")
        }
        unlink(socketPath)
        rmdir(root)
        if runtime != root { rmdir(runtime) }
        guard let made else { return }
        // Only while they are empty: somebody else may have come to use them.
        for parent in parents where parent.hasPrefix(made) { if rmdir(parent) != 0 { break } }
    }
}

extension NodeFiles {
    func removeSocket() { unlink(socketPath) }

    /// Takes back what was made for a node that came to nothing.
    func removeIfEmpty() {
        unlink(logPath)
        if runtime != root { rmdir(runtime) }
        rmdir(root)
    }
}
