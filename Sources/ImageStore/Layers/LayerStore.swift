internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// Unpacked layers, each once, however many images have it.
///
/// A layer is named by the digest of its uncompressed archive. It is unpacked under another name, synced, and renamed
/// when everything is right, so a layer that is there is whole. The names are short, since mount(2) takes only one page
/// of them; the digest is written down inside and compared.
struct LayerStore: Sendable {
    let directory: StoreDirectory
    let blobs: BlobStore
    let limits: LayerLimits

    private static let factsLimit = 64 << 10

    private func place(_ diffID: Digest) -> String { "\(directory.layers)/\(diffID.hex.prefix(32))" }

    /// The directory for overlay's `lowerdir`.
    func tree(_ diffID: Digest) -> String { place(diffID) + "/fs" }

    /// What is known of a layer that is there.
    func facts(_ diffID: Digest) throws(ImageError) -> LayerFacts? {
        let path = place(diffID) + "/layer.json"
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(path, limit: Self.factsLimit)
        } catch {
            guard error.errno == ENOENT || error.errno == ENOTDIR else { throw ImageError(error) }
            return nil
        }
        let facts = try parseJSON(LayerFacts.self, bytes, path)
        guard facts.diffID == diffID else {
            throw ImageError(.digestMismatch, "\(path) is of another layer; remove the image and pull it again")
        }
        return facts
    }

    /// Makes sure that a layer is unpacked. Blocks, so it belongs on a thread of its own.
    func unpack(
        _ blob: Digest, _ diffID: Digest, lock: consuming LockedFile, isCancelled: @escaping @Sendable () -> Bool
    ) throws(ImageError) {
        let scratch = directory.temporaryPath("layer")
        do throws(ImageError) {
            try make(scratch, blob, diffID, isCancelled)
            guard rename(scratch, place(diffID)) == 0 else { throw failure("rename", place(diffID)) }
            let parent = directory.layers
            try system { () throws(SystemError) in try syncDirectory(parent) }
        } catch {
            try? removeAll(scratch)
            unlink(lock.path)
            throw error
        }
        unlink(lock.path)
    }

    private func make(
        _ scratch: String, _ blob: Digest, _ diffID: Digest, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws(ImageError) {
        let tree = scratch + "/fs"
        guard mkdir(scratch, 0o700) == 0, mkdir(tree, 0o755) == 0 else { throw failure("mkdir", tree) }
        let file = try blobs.open(blob)
        let facts: LayerFacts
        do throws(ImageError) {
            facts = try LayerUnpacker(file.raw, into: tree, limits, isCancelled: isCancelled).run()
        } catch {
            throw error.with("layer \(diffID.short)")
        }
        guard facts.diffID == diffID else {
            throw ImageError(
                .digestMismatch,
                "layer \(blob.short) is \(facts.diffID) when it is decompressed, and the image says \(diffID)")
        }
        let bytes = try writeJSON(facts)
        let path = scratch + "/layer.json"
        try system { () throws(SystemError) in
            try writeFileAtomically(path, bytes, durable: false)
            // All files of the layer at once, which is much faster than one after the other.
            let root = try LinuxSystem.FileDescriptor.open(scratch, flags: O_RDONLY | O_DIRECTORY)
            let result = clinux_syscall(Int(SYS_syncfs), Int(root.raw), 0, 0, 0, 0, 0)
            guard result == 0 else { throw SystemError(call: "syncfs", path: scratch, errno: Int32(-result)) }
        }
    }

    /// Takes the work of unpacking a layer; `nil` when it is there, perhaps because somebody else did it.
    func begin(_ diffID: Digest) async throws(ImageError) -> LockedFile? {
        try await LockedFile.wait("\(directory.temporary)/unpack-\(diffID.hex)") { () throws(ImageError) in
            try facts(diffID) != nil
        }
    }

    /// The short names of all that are there.
    func list() throws(ImageError) -> [String] {
        let path = directory.layers
        return try system { () throws(SystemError) in try listDirectory(path) }
    }

    static func shortName(_ diffID: Digest) -> String { String(diffID.hex.prefix(32)) }

    /// Removes a layer: first its name, so that what is half removed is not taken for a layer.
    func remove(_ name: String) throws(ImageError) {
        let scratch = directory.temporaryPath("old")
        guard rename("\(directory.layers)/\(name)", scratch) == 0 else {
            if errno == ENOENT { return }
            throw failure("rename", name)
        }
        try removeAll(scratch)
    }
}
