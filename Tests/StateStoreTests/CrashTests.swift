import Glibc
import Testing

@testable import StateStore

/// A child process that writes until it is killed.
private final class StoreWriter {
    private let process: pid_t
    private let output: Int32
    private var pending: [UInt8] = []

    init(database: String, seenFile: String, round: Int) throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        // The child must see the end of its own pipe only; tests that run meanwhile spawn nothing.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        let path = try #require(Self.program, "store-writer is not beside the tests; build it first")
        let words = [path, database, seenFile, "\(round)"]
        var arguments = words.map { word -> UnsafeMutablePointer<CChar>? in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        let code = posix_spawn(&child, path, &actions, nil, &arguments, environ)
        Glibc.close(ends[1])
        output = ends[0]
        process = child
        #expect(code == 0)
    }

    deinit { Glibc.close(output) }

    /// The next line, `nil` at the end of what the child wrote.
    func line() -> String? {
        while true {
            if let end = pending.firstIndex(of: 10) {
                defer { pending.removeSubrange(...end) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(output, &buffer, buffer.count)
            if count <= 0 { return nil }
            pending += buffer[..<count]
        }
    }

    func kill() { Glibc.kill(process, SIGKILL) }

    /// - Returns: whether it was killed, not ended by itself.
    func wait() -> Bool {
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return status & 0x7f == SIGKILL
    }

    /// Beside the test bundle, or above it.
    private static var program: String? {
        let maps = (try? String(readingSmallFile: "/proc/self/cmdline"))?.split(separator: "\0") ?? []
        for word in maps.map(String.init) + CommandLine.arguments where word.contains("/") {
            var directory = word
            while let slash = directory.lastIndex(of: "/") {
                directory = String(directory[..<slash])
                let candidate = directory + "/store-writer"
                if access(candidate, X_OK) == 0, isFile(candidate) { return candidate }
            }
        }
        return nil
    }

    private static func isFile(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
    }
}

extension String {
    fileprivate init(readingSmallFile path: String) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        defer { Glibc.close(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = read(file, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        self = String(decoding: text, as: UTF8.self)
    }
}

@Suite(.timeLimit(.minutes(5)))
struct CrashTests {
    private static let rounds = 200

    /// The child acknowledges "revision key" lines on its output after each commit and notes the revisions its watcher
    /// sees in a file. It is killed in the middle; whatever it acknowledged must be there, and every watch must be
    /// without gaps: its own, and one over the whole history that is left.
    @Test func `nothing acknowledged is lost when the process is killed 200 times`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let note: Comment = "seed \(seed)"
        let directory = TemporaryDirectory()
        let seenFile = directory.path + "/seen"
        defer { unlink(seenFile) }
        var expected: [String: Int64] = [:]
        var last: Int64 = 0
        for round in 0..<Self.rounds {
            let writer = try StoreWriter(database: directory.database, seenFile: seenFile, round: round)
            let lines = Int.random(in: 0...40, using: &random)
            let pause = UInt32.random(in: 0...3000, using: &random)
            var acknowledged = 0
            while acknowledged < lines, let line = writer.line() {
                record(line, &expected, &last)
                acknowledged += 1
            }
            #expect(acknowledged == lines, note)
            usleep(pause)
            writer.kill()
            #expect(writer.wait(), note)
            while let line = writer.line() { record(line, &expected, &last) }

            let store = try SQLiteStore(path: directory.database)
            let status = store.status()
            #expect(status.revision.number >= last, note)
            for (key, revision) in expected {
                let entry = try store.get(key)
                #expect(entry.map { $0.modRevision.number >= revision } ?? false, note)
                #expect(entry.map { $0.value == StoreWriterValue.make(key: key, version: $0.version) } ?? false, note)
            }
            try await expectNoGaps(store, note)
            try expectSeenInOrder(seenFile, note)
            last = status.revision.number
            await store.close()
        }
        let connection = try SQLiteConnection(path: directory.database)
        let check = try connection.statement("PRAGMA integrity_check")
        #expect(try check.step())
        #expect(String(decoding: check.bytes(0), as: UTF8.self) == "ok", note)
        #expect(last > Int64(Self.rounds), note)
    }

    private func record(_ line: String, _ expected: inout [String: Int64], _ last: inout Int64) {
        let parts = line.split(separator: " ")
        guard parts.count == 2, let revision = Int64(parts[0]) else { return }  // the killed line
        #expect(revision > last)
        last = revision
        expected[String(parts[1])] = revision
    }

    private func expectNoGaps(_ store: SQLiteStore, _ note: Comment) async throws {
        let status = store.status()
        guard status.revision > status.compacted else { return }
        let events = try await store.events(from: status.compacted.next, through: status.revision)
        // Each revision of the child writes two keys.
        let expected = (status.compacted.number + 1...status.revision.number).flatMap { [$0, $0] }
        #expect(events.map(\.revision.number) == expected, note)
    }

    private func expectSeenInOrder(_ path: String, _ note: Comment) throws {
        let numbers = try String(readingSmallFile: path).split(separator: "\n", omittingEmptySubsequences: true)
            .compactMap { Int64($0) }
        guard let first = numbers.first, numbers.count > 1 else { return }
        // The last one may be cut short by the kill.
        let whole = numbers.dropLast()
        #expect(Array(whole) == Array(first..<first + Int64(whole.count)), note)
    }
}

/// What the child writes; both sides compute it.
enum StoreWriterValue {
    static func make(key: String, version: Int64) -> [UInt8] {
        var value = Array("\(key)=\(version);".utf8)
        let length = 20 + Int(version % 7) * 300
        while value.count < length { value.append(UInt8(truncatingIfNeeded: value.count &* 31 &+ Int(version))) }
        return value
    }
}
