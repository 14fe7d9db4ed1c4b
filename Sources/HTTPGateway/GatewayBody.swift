public import NIOCore

/// The body of a request: bytes that arrive while they are read.
///
/// It can be read once, by one task. As long as nobody reads, at most a few hundred KiB are kept and the sender is held
/// back by TCP's flow control.
public struct GatewayBody: Sendable, AsyncSequence {
    /// A piece of the body, as it came from the network.
    public typealias Element = ByteBuffer

    /// The most that ``collect(upTo:)`` takes unless told otherwise: 5 MiB.
    public static let defaultLimit = 5 << 20

    private let read: @Sendable () async throws -> ByteBuffer?
    private let declaredLength: Int?

    /// Whether it is certain that no bytes come.
    var isKnownEmpty: Bool { declaredLength == 0 }

    /// A body made by the caller, as in tests or behind a relay.
    ///
    /// - Parameters:
    ///   - declaredLength: the number of bytes when it is known beforehand.
    ///   - read: gives the next piece, `nil` at the end; never called by two tasks at once.
    public init(declaredLength: Int? = nil, read: @escaping @Sendable () async throws -> ByteBuffer?) {
        self.declaredLength = declaredLength
        self.read = read
    }

    /// A body that is there already.
    ///
    /// - Parameter buffer: the whole body.
    public init(_ buffer: ByteBuffer = ByteBuffer()) {
        let pipe = BytePipe()
        pipe.offer(buffer)
        pipe.finish()
        self.init(declaredLength: buffer.readableBytes) { try await pipe.next() }
    }

    /// Reads the whole body into one buffer.
    ///
    /// - Parameter limit: the most bytes to take.
    /// - Returns: all bytes.
    /// - Throws: ``GatewayError`` with status 413 as soon as the body is known to be longer, before the rest is read;
    ///   400 or 408 when the body was malformed or did not arrive.
    public func collect(upTo limit: Int = defaultLimit) async throws -> ByteBuffer {
        if let declaredLength, declaredLength > limit { throw GatewayError.bodyTooLarge(limit: limit) }
        guard var whole = try await read() else { return ByteBuffer() }
        guard whole.readableBytes <= limit else { throw GatewayError.bodyTooLarge(limit: limit) }
        while var piece = try await read() {
            guard piece.readableBytes <= limit - whole.readableBytes else {
                throw GatewayError.bodyTooLarge(limit: limit)
            }
            whole.writeBuffer(&piece)
        }
        return whole
    }

    /// Starts reading.
    public func makeAsyncIterator() -> Iterator { Iterator(read: read) }

    /// Reads piece by piece.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let read: @Sendable () async throws -> ByteBuffer?

        /// The next piece, `nil` at the end.
        ///
        /// - Throws: ``GatewayError`` when the body is malformed or the sender has gone.
        public mutating func next() async throws -> ByteBuffer? { try await read() }
    }
}
