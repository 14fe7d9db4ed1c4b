import Foundation
import LinuxSystem
import Testing

@testable import AgentNode

/// Files that grow and are rotated, read from wherever somebody wants.
@Suite struct LogReaderTests {
    private struct Log {
        let root = "/tmp/rondo-log-test-\(UUID().uuidString)"
        var path: String { "\(root)/F/t/c/stdout" }
        var files: WorkFiles { WorkFiles(root: root, logFile: nil) }

        init() throws { try makeDirectories("\(root)/F/t/c", mode: 0o700) }

        func write(_ text: String) throws {
            let file = try LinuxSystem.FileDescriptor.open(path, flags: O_WRONLY | O_CREAT | O_APPEND)
            try file.writeAll(Array(text.utf8))
        }

        func rotate(keeping count: Int = 4) throws {
            for number in (1..<count).reversed() { rename("\(path).\(number)", "\(path).\(number + 1)") }
            rename(path, "\(path).1")
        }

        func read(_ reader: LogReader) throws -> String {
            var all: [UInt8] = []
            while true {
                let bytes = try reader.next()
                if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
                all += bytes
            }
        }

        func read(from start: LogReader.Start) throws -> String { try read(LogReader(path, files, from: start)) }
    }

    private func with(_ body: (Log) throws -> Void) throws {
        let log = try Log()
        defer { try? removeTree(log.root) }
        try body(log)
    }

    @Test func `the last lines are counted over the files that were rotated away`() throws {
        try with { log in
            #expect(try log.read(from: .lastLines(2)) == "")
            for (index, text) in ["1\n2\n", "3\n4", "4\n5\n"].enumerated() {
                if index > 0 { try log.rotate() }
                try log.write(text)
            }
            let all = "1\n2\n3\n44\n5\n"
            let lines = all.split(separator: "\n")
            for count in 0...7 {
                let wanted = lines.suffix(count).map { $0 + "\n" }.joined()
                #expect(try log.read(from: .lastLines(count)) == wanted, "\(count)")
            }
            #expect(try log.read(from: .oldest) == all)
            #expect(try log.read(from: .offset(2)) == "5\n")
            #expect(try log.read(from: .end) == "")
            try log.rotate()
            try log.write("")
            #expect(try log.read(from: .lastLines(1)) == "5\n")
            try log.write("6")
            #expect(try log.read(from: .lastLines(1)) == "6")
            #expect(try log.read(from: .lastLines(2)) == "5\n6")
        }
    }

    @Test func `a line longer than a piece is found whole`() throws {
        try with { log in
            let long = String(repeating: "x", count: 200_000)
            try log.write("first\n" + long)
            try log.rotate()
            try log.write(long + "\nlast\n")
            #expect(try log.read(from: .lastLines(1)) == "last\n")
            #expect(try log.read(from: .lastLines(2)) == long + long + "\nlast\n")
            #expect(try log.read(from: .lastLines(3)) == "first\n" + long + long + "\nlast\n")
        }
    }

    @Test func `a reader follows the files through any number of rotations that keep what it reads`() throws {
        try with { log in
            let unborn = LogReader(log.path, log.files, from: .end)
            unborn.open()
            try log.write("0\n")
            let quick = LogReader(log.path, log.files, from: .end)
            let slow = LogReader(log.path, log.files, from: .end)
            for reader in [quick, slow] { reader.open() }
            var (wanted, seen) = ("", "")
            for number in 1...40 {
                try log.write("\(number)\n")
                wanted += "\(number)\n"
                if number % 3 == 0 { try log.rotate() }
                if number % 8 == 0 { seen += try log.read(quick) }
            }
            #expect(seen == wanted)
            // Too late for some: what it had open, and what is kept.
            let kept = try log.read(from: .oldest)
            #expect(wanted.hasSuffix(kept))
            #expect(try log.read(slow) == "1\n2\n3\n" + kept)
            #expect(try log.read(unborn) == "40\n")
        }
    }
}
