internal import HTTPGateway
internal import HTTPTypes
internal import ImageStore
internal import Logging
internal import NIOCore
internal import Synchronization

/// The images that the master keeps for all nodes of the cluster, in its data directory: those of archives with packages,
/// and those that somebody gave to the cluster.
final class ClusterImages: Sendable {
    /// Who keeps an image that somebody gave to the cluster.
    static let cluster = "cluster"
    /// Who keeps the images of services whose repository is gone.
    static let services = "services"
    /// The largest archive: as much as a layer may have unpacked.
    static let archiveLimit: Int64 = 64 << 30
    /// How many archives may arrive at a time.
    private static let arrivals = 2

    /// Who keeps the images of a repository.
    static func owner(_ repository: String) -> String { "repository/" + repository }

    private let directory: String
    private let logger: Logger
    private let opened = Mutex<ImageShelf?>(nil)
    private let arriving = Mutex(0)

    init(directory: String, logger: Logger) {
        self.directory = directory
        self.logger = logger
    }

    /// The shelf, opened when it is first asked for.
    func shelf() throws(ImageError) -> ImageShelf {
        let directory = directory
        let result = opened.withLock { opened in
            Result { () throws(ImageError) in
                if let opened { return opened }
                let shelf = try ImageShelf(root: directory)
                opened = shelf
                return shelf
            }
        }
        return try result.get()
    }

    /// Opens the shelf when a master starts, and removes what came with repositories that are not in the list: the
    /// process ended before they were.
    func open(repositories: Set<String>) async {
        let owners = Set(repositories.map(Self.owner))
        do throws(ImageError) {
            try shelf().release { $0.hasPrefix(Self.owner("")) && !owners.contains($0) }
        } catch { logger.error("the cluster's images cannot be read: \(error)") }
    }

    /// Writes what arrives into a file.
    ///
    /// - Throws: ``GatewayError`` when there is too much of it or the sender goes away, ``ImageError`` for the disk.
    func receive(_ body: GatewayBody) async throws -> Arrival {
        let isWelcome = arriving.withLock { count in
            guard count < Self.arrivals else { return false }
            count += 1
            return true
        }
        guard isWelcome else {
            throw GatewayError(
                .serviceUnavailable, "\(Self.arrivals) archives arrive already; send this one when they are there")
        }
        defer { arriving.withLock { $0 -= 1 } }
        let arrival = try shelf().arrival()
        var size: Int64 = 0
        for try await piece in body {
            size += Int64(piece.readableBytes)
            guard size <= Self.archiveLimit else { throw GatewayError.bodyTooLarge(limit: Int(Self.archiveLimit)) }
            let result = piece.withUnsafeReadableBytes { bytes in
                Result { () throws(ImageError) in try arrival.write(bytes) }
            }
            try result.get()
        }
        guard size > 0 else { throw GatewayError(.badRequest, "the body is empty; send an archive") }
        return arrival
    }
}

extension GatewayError {
    /// What is wrong with an archive or an image, as the answer to who sent it or asked for it.
    init(_ error: ImageError) {
        switch error.code {
        case .diskFull: self.init(.init(code: 507), "the master's disk is full: \(error.message)")
        case .tooLarge: self.init(.contentTooLarge, error.message)
        case .notFound: self.init(.notFound, error.message)
        case .inUse: self.init(.conflict, error.message)
        case .system, .cancelled: self.init(.internalServerError, error.message)
        case .invalidName, .invalidContent, .unsupported, .digestMismatch, .hostileLayer, .unauthorized, .unreachable,
            .registry:
            self.init(.badRequest, error.message)
        }
    }
}
