internal import Appliance
internal import Synchronization

/// Where the tasks' output goes: as it is for one task, line by line with the task's name in front for several.
final class RunOutput: Sendable {
    /// The longest line that is kept together; a longer one is broken.
    private static let lineLimit = 64 << 10

    private let isPrefixed: Bool
    private let isForPrograms: Bool
    private let partial = Mutex<[String: [UInt8]]>([:])

    /// - Parameters:
    ///   - isPrefixed: whether lines say which task they are of.
    ///   - isForPrograms: whether standard output is kept for the summary.
    init(isPrefixed: Bool, isForPrograms: Bool) {
        self.isPrefixed = isPrefixed
        self.isForPrograms = isForPrograms
    }

    /// Writes bytes of one of a task's two streams.
    func write(_ bytes: [UInt8], of task: String, isError: Bool) {
        let descriptor: Int32 = isError || isForPrograms ? 2 : 1
        guard isPrefixed else {
            Console.write(bytes: bytes, to: descriptor)
            return
        }
        // One lock for the whole, so that lines of different tasks do not mix.
        partial.withLock { partial in
            let key = "\(task) \(isError)"
            var rest = (partial[key] ?? []) + bytes
            var whole: [UInt8] = []
            while let end = rest.firstIndex(of: 10) ?? (rest.count > Self.lineLimit ? Self.lineLimit : nil) {
                whole += Array("\(task) | ".utf8) + rest[..<end] + [10]
                rest = Array(rest[(rest[end] == 10 ? end + 1 : end)...])
            }
            partial[key] = rest.isEmpty ? nil : rest
            if !whole.isEmpty { Console.write(bytes: whole, to: descriptor) }
        }
    }

    /// Writes what a task left without a line feed at its end.
    func finish(_ task: String, isError: Bool) {
        let rest = partial.withLock { $0.removeValue(forKey: "\(task) \(isError)") }
        guard let rest, !rest.isEmpty else { return }
        Console.write(bytes: Array("\(task) | ".utf8) + rest + [10], to: isError || isForPrograms ? 2 : 1)
    }
}
