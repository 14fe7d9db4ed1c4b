internal import CLinux
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// Unpacked layers, each once, however many images have it.
///
/// A layer is named by the digest of its uncompressed archive. It is unpacked under another name, synced, and renamed
/// when everything is right, so a layer that is there is whole. The names are short, since mount(2) takes only one page
/// of them; the digest is written down inside and compared.
///
/// Some programs leave out of a layer the directories above a changed file. Overlay would show those with what they were
/// made with here, so they have to get owner, mode and time from the layers below. Such a layer is first unpacked as it
/// is (`-raw`), and when those below are there it is settled: named by the digest of the whole stack (the chain id of the
/// image specification) and shared by all images with the same stack.
struct LayerStore: Sendable {
    let directory: StoreDirectory
    let blobs: BlobStore
    let limits: LayerLimits

    private static let factsLimit = 64 << 10
    private static let impliedLimit = 256 << 20

    private func place(_ name: String) -> String { "\(directory.layers)/\(name)" }

    private static func name(_ digest: Digest) -> String { String(digest.hex.prefix(32)) }

    private static func rawName(_ layer: StoredImage.Layer) -> String { name(layer.diffID) + "-raw" }

    /// All names under which a layer of an image may be there.
    static func names(_ layer: StoredImage.Layer) -> [String] {
        [name(layer.diffID), name(layer.chainID), rawName(layer)]
    }

    /// A layer that can be stacked: its directory for overlay's `lowerdir`, and what is known of it.
    func ready(_ layer: StoredImage.Layer) throws(ImageError) -> (tree: String, facts: LayerFacts)? {
        let plain = Self.name(layer.diffID)
        if let facts = try facts(plain, layer), facts.implied == 0 || layer.isLowest {
            return (place(plain) + "/fs", facts)
        }
        let settled = Self.name(layer.chainID)
        guard !layer.isLowest, let facts = try facts(settled, layer), facts.chainID == layer.chainID else { return nil }
        return (place(settled) + "/fs", facts)
    }

    private func isRaw(_ layer: StoredImage.Layer) throws(ImageError) -> Bool {
        try facts(Self.rawName(layer), layer) != nil
    }

    private func facts(_ name: String, _ layer: StoredImage.Layer) throws(ImageError) -> LayerFacts? {
        let path = place(name) + "/layer.json"
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(path, limit: Self.factsLimit)
        } catch {
            guard error.errno == ENOENT || error.errno == ENOTDIR else { throw ImageError(error) }
            return nil
        }
        let facts = try parseJSON(LayerFacts.self, bytes, path)
        guard facts.diffID == layer.diffID else {
            throw ImageError(.digestMismatch, "\(path) is of another layer; remove the image and pull it again")
        }
        return facts
    }

    /// Takes the work of unpacking a layer; `nil` when it is there, perhaps because somebody else did it.
    func begin(_ layer: StoredImage.Layer) async throws(ImageError) -> LockedFile? {
        try await LockedFile.wait(lockPath(layer)) { () throws(ImageError) in
            if try ready(layer) != nil { return true }
            return try isRaw(layer)
        }
    }

    /// Takes the work of settling a layer; `nil` when there is none.
    func beginSettling(_ layer: StoredImage.Layer) async throws(ImageError) -> LockedFile? {
        try await LockedFile.wait(lockPath(layer)) { () throws(ImageError) in try ready(layer) != nil }
    }

    private func lockPath(_ layer: StoredImage.Layer) -> String { "\(directory.temporary)/unpack-\(layer.diffID.hex)" }

    /// Unpacks a layer. Blocks, so it belongs on a thread of its own.
    func unpack(
        _ layer: StoredImage.Layer, lock: consuming LockedFile, isCancelled: @escaping @Sendable () -> Bool
    ) throws(ImageError) {
        let scratch = directory.temporaryPath("layer")
        defer { unlink(lock.path) }
        do throws(ImageError) {
            let facts = try make(scratch, layer.blob.digest, layer.diffID, isCancelled)
            let isPlain = facts.implied == 0 || layer.isLowest
            try keep(scratch, isPlain ? Self.name(layer.diffID) : Self.rawName(layer))
        } catch {
            try? removeAll(scratch)
            throw error
        }
    }

    private func keep(_ scratch: String, _ name: String) throws(ImageError) {
        // What may be in the way is the same layer in a form that does not suit.
        if rename(scratch, place(name)) != 0 {
            guard errno == EEXIST || errno == ENOTEMPTY else { throw failure("rename", place(name)) }
            try remove(name)
            guard rename(scratch, place(name)) == 0 else { throw failure("rename", place(name)) }
        }
        let parent = directory.layers
        try system { () throws(SystemError) in try syncDirectory(parent) }
    }

    /// Gives the directories that a layer did not describe what the layers below have them with, the nearest first, and
    /// gives it the name of the stack. Does nothing when it is not there as it was unpacked.
    func settle(
        _ layer: StoredImage.Layer, above lower: [String], lock: consuming LockedFile
    ) throws(ImageError) {
        defer { unlink(lock.path) }
        let raw = Self.rawName(layer)
        guard var facts = try facts(raw, layer) else { return }
        let scratch = directory.temporaryPath("layer")
        guard rename(place(raw), scratch) == 0 else { throw failure("rename", place(raw)) }
        do throws(ImageError) {
            let list = scratch + "/implied"
            let bytes = try system { () throws(SystemError) in try readFile(list, limit: Self.impliedLimit) }
            let own = try LayerTree(scratch + "/fs", limits)
            var below: [LayerTree] = []
            for path in lower { below.append(try LayerTree(path, limits)) }
            for path in bytes.split(separator: 0) { Self.describe(path, own, below) }
            facts.chainID = layer.chainID
            try write(facts, scratch)
            try keep(scratch, Self.name(layer.chainID))
        } catch {
            try? removeAll(scratch)
            throw error
        }
    }

    /// What cannot be done here is left: the directory is there, and only looks otherwise.
    private static func describe(_ path: ArraySlice<UInt8>, _ own: LayerTree, _ below: [LayerTree]) {
        guard let directory = own.openDirectory(path) else { return }
        for tree in below {
            var there = stat()
            guard let found = tree.openDirectory(path), fstat(found.raw, &there) == 0 else {
                // A file, a link or a whiteout is in its place: nothing further below shows.
                if errno == ENOTDIR || errno == ELOOP { return }
                continue
            }
            _ = fchown(directory.raw, there.st_uid, there.st_gid)
            _ = fchmod(directory.raw, there.st_mode & 0o7777)
            var times = [timespec](repeating: there.st_mtim, count: 2)
            _ = futimens(directory.raw, &times)
            return
        }
    }

    private func make(
        _ scratch: String, _ blob: Digest, _ diffID: Digest, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws(ImageError) -> LayerFacts {
        let tree = scratch + "/fs"
        guard mkdir(scratch, 0o700) == 0, mkdir(tree, 0o755) == 0, chmod(tree, 0o755) == 0 else {
            throw failure("mkdir", tree)
        }
        let file = try blobs.open(blob)
        let unpacker = try LayerUnpacker(file.raw, into: tree, limits, isCancelled: isCancelled)
        let facts: LayerFacts
        do throws(ImageError) {
            facts = try unpacker.run()
        } catch {
            throw error.with("layer \(diffID.short)")
        }
        guard facts.diffID == diffID else {
            throw ImageError(
                .digestMismatch,
                "layer \(blob.short) is \(facts.diffID) when it is decompressed, and the image says \(diffID)")
        }
        let list = unpacker.implied
        if !list.isEmpty {
            let path = scratch + "/implied"
            let bytes = Array(list.joined(separator: [0]))
            try system { () throws(SystemError) in try writeFileAtomically(path, bytes, durable: false) }
        }
        try write(facts, scratch)
        return facts
    }

    /// Writes down what is known of a layer, and all of it to the disk.
    private func write(_ facts: LayerFacts, _ scratch: String) throws(ImageError) {
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

    /// The short names of all that are there.
    func list() throws(ImageError) -> [String] {
        let path = directory.layers
        return try system { () throws(SystemError) in try listDirectory(path) }
    }

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
