/// Where bodies are decoded.
enum Decoding {
    /// Bytes that are decoded in well under a millisecond.
    private static let shortBody = 64 << 10

    /// Decodes a short body at once, on the thread that carries its connection, and a long one elsewhere, so that the
    /// other connections of that thread need not wait.
    static func message<Message: Sendable>(
        of count: Int, _ decode: @Sendable () throws -> Message
    ) async throws -> Message {
        if count <= shortBody { return try decode() }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { try decode() }
    }
}
