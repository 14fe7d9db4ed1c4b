internal import Appliance
internal import Glibc
internal import ImageStore
internal import Synchronization

/// Sends archives to the master.
enum CatalogUpload {
    /// Whether an address is a file here.
    static func isFile(_ address: String) -> Bool {
        var facts = stat()
        return !address.contains("://") && stat(address, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG
    }

    /// Sends a file, with a line that shows how far it is.
    static func send(_ client: ClusterClient, _ path: String, _ file: String) async throws -> [UInt8] {
        let line = ProgressLine(isShown: !client.isJSON && Console.isTerminal(STDERR_FILENO))
        defer { line.end() }
        return try await client.upload(path, file: file) { sent, size in
            let rest = sent == size ? "; the master verifies it" : ""
            line.show("sent \(ImageText.bytes(sent)) of \(ImageText.bytes(size))\(rest)")
        }
    }
}

/// One line of a terminal that changes, ten times a second at most.
final class ProgressLine: Sendable {
    private let shown = Mutex<ContinuousClock.Instant?>(nil)
    private let isShown: Bool

    init(isShown: Bool) { self.isShown = isShown }

    func show(_ text: String) {
        guard isShown else { return }
        let isTime = shown.withLock { shown in
            if let last = shown, ContinuousClock.now - last < .milliseconds(100) { return false }
            shown = .now
            return true
        }
        if isTime { Console.write(bytes: Array("\r\u{1B}[K\(TextTable.clean(text))".utf8), to: STDERR_FILENO) }
    }

    func end() {
        let wasShown = shown.withLock { shown in
            defer { shown = nil }
            return shown != nil
        }
        if wasShown { Console.write(bytes: Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) }
    }
}
