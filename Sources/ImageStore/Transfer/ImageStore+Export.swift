internal import Glibc
internal import LinuxSystem

/// How an image is written for others.
public enum ExportFormat: String, Sendable, CaseIterable {
    /// A tar archive of OCI's layout.
    case ociArchive = "oci-archive"
    /// A directory in OCI's layout.
    case ociDirectory = "oci-dir"
    /// What `docker load` reads, also of old versions.
    case dockerArchive = "docker-archive"
}

extension ImageStore {
    /// Writes an image for others.
    ///
    /// - Parameters:
    ///   - image: an image of this store.
    ///   - path: a new file or directory; `-` is standard output, for archives.
    ///   - format: how.
    /// - Throws: ``ImageError``; what was begun is removed.
    public func export(_ image: StoredImage, to path: String, format: ExportFormat) async throws(ImageError) {
        let use = try await directory.useShared()
        try await blocking { () throws(ImageError) in
            switch format {
            case .ociDirectory: try self.writeLayout(image, path)
            case .ociArchive, .dockerArchive: try self.writeArchive(image, path, format)
            }
        }
        _ = consume use
    }

    private func writeArchive(_ image: StoredImage, _ path: String, _ format: ExportFormat) throws(ImageError) {
        let isOutput = path == "-"
        let file = try Self.openOutput(path)
        let raw = file.raw
        let writer = TarWriter { (bytes) throws(ImageError) in try writeFully(raw, bytes, path) }
        do throws(ImageError) {
            switch format {
            case .dockerArchive: try putDocker(image, writer)
            default:
                try putLayout(LayoutContent(images: [(image, nil)]), writer)
            }
            try writer.finish()
            guard isOutput || fsync(raw) == 0 else { throw failure("fsync", path) }
        } catch {
            if !isOutput { unlink(path) }
            throw error
        }
    }

    static func openOutput(_ path: String) throws(ImageError) -> LinuxSystem.FileDescriptor {
        if path == "-" { return LinuxSystem.FileDescriptor(owning: dup(STDOUT_FILENO)) }
        return try system { () throws(SystemError) in
            try LinuxSystem.FileDescriptor.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        }
    }

    static func place(_ digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }

    func put(_ digest: Digest, _ size: Int64, _ name: String, _ writer: TarWriter) throws(ImageError) {
        let file = try blobs.open(digest)
        try writer.begin(TarWriter.file(name, size))
        try forEachPiece(file.raw, name) { (piece) throws(ImageError) in try writer.write(piece) }
    }

    private func writeLayout(_ image: StoredImage, _ path: String) throws(ImageError) {
        guard mkdir(path, 0o755) == 0 else { throw failure("mkdir", path) }
        do throws(ImageError) {
            let folder = path + "/blobs/sha256"
            try system { () throws(SystemError) in try makeDirectories(folder) }
            let content = LayoutContent(images: [(image, nil)])
            for (name, bytes) in try layoutFiles(content) {
                try system { () throws(SystemError) in try writeFileAtomically("\(path)/\(name)", bytes, mode: 0o644) }
            }
            for blob in Self.blobs(of: content) {
                let from = try blobs.open(blob.digest)
                let target = "\(path)/\(Self.place(blob.digest))"
                let to = try system { () throws(SystemError) in
                    try LinuxSystem.FileDescriptor.open(target, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
                }
                try forEachPiece(from.raw, target) { (piece) throws(ImageError) in try writeFully(to.raw, piece, target)
                }
            }
        } catch {
            try? removeAll(path)
            throw error
        }
    }

    // MARK: - Docker

    private struct Saved: Encodable {
        var config: String
        var repoTags: [String]
        var layers: [String]

        enum CodingKeys: String, CodingKey {
            case config = "Config"
            case repoTags = "RepoTags"
            case layers = "Layers"
        }
    }

    /// Layers are not compressed there.
    private func putDocker(_ image: StoredImage, _ writer: TarWriter) throws(ImageError) {
        let config = try blobs.read(image.manifest.config.digest, limit: ImageConfig.sizeLimit)
        let configName = "\(image.manifest.config.digest.hex).json"
        let names = image.reference.flatMap { name in name.tag.map { "\(name.name):\($0)" } }
        let saved = Saved(
            config: configName, repoTags: names.map { [$0] } ?? [],
            layers: image.layers.map { "\($0.diffID.hex)/layer.tar" })
        var seen: Set<Digest> = []
        for layer in image.layers where seen.insert(layer.diffID).inserted {
            let size = try readLayer(layer) { (_) throws(ImageError) in }
            try writer.begin(TarWriter.file("\(layer.diffID.hex)/layer.tar", size))
            try readLayer(layer) { (piece) throws(ImageError) in try writer.write(piece) }
        }
        try writer.add(configName, config)
        try writer.add("manifest.json", writeJSON([saved]))
    }

    /// Decompresses a layer.
    ///
    /// - Returns: how many bytes it has.
    @discardableResult
    private func readLayer(_ layer: StoredImage.Layer, _ body: TarWriter.Sink) throws(ImageError) -> Int64 {
        let file = try blobs.open(layer.blob.digest)
        let stream = LayerStream(file.raw, limits)
        while true {
            let piece = try stream.next(.max)
            if piece.isEmpty { break }
            try body(piece)
        }
        guard try stream.finish() == layer.diffID else {
            throw ImageError(
                .digestMismatch, "layer \(layer.blob.digest.short) was changed on the disk; pull the image again")
        }
        return stream.bytes
    }
}
