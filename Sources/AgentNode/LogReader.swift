internal import Glibc
internal import HTTPGateway
internal import LinuxSystem

/// Reads a file that grows and is rotated.
///
/// A monitor rotates `stdout` to `stdout.1`, `stdout.1` to `stdout.2` and so on. The reader holds the file open and
/// recognises it by its inode under its new name, so that nothing is skipped as long as the file is kept at all.
final class LogReader {
    private static let chunk = 64 << 10
    /// More files than this are not looked through.
    private static let filesMax = 1_000

    /// Where to begin.
    enum Start: Hashable, Sendable {
        /// At a position of the file as it is now.
        case offset(Int64)
        /// With the oldest that is kept.
        case oldest
        /// So many lines before the end, with what was rotated away.
        case lastLines(Int)
        /// At the end.
        case end
    }

    /// A file that is being read.
    private final class Piece {
        let file: LinuxSystem.FileDescriptor
        let facts: stat

        init?(_ name: String, _ files: WorkFiles) {
            guard let file = try? files.openFile(name), let facts = WorkFiles.facts(file) else { return nil }
            self.file = file
            self.facts = facts
        }
    }

    private let path: String
    private let files: WorkFiles
    private var start: Start
    private var piece: Piece?
    private var offset: Int64 = 0
    /// Is told of each file that is read, beginning with the present one.
    var whenOpened: ((borrowing LinuxSystem.FileDescriptor) -> Void)? {
        didSet { if let piece { whenOpened?(piece.file) } }
    }

    init(_ path: String, _ files: WorkFiles, from start: Start) {
        self.path = path
        self.files = files
        self.start = start
    }

    /// Opens the file where reading begins, if it is there.
    func open() { if piece == nil { _ = begin() } }

    /// What comes next; nothing when there is no more at present.
    func next() throws(GatewayError) -> [UInt8] {
        if piece == nil, !begin() { return [] }
        while let piece {
            let bytes = try read(piece)
            if !bytes.isEmpty { return bytes }
            guard let following = nameAfter(piece.facts.st_ino) else { return [] }
            // What came between the look at its content and the look at its name; a file that is not the live one any
            // more does not grow.
            let rest = try read(piece)
            if !rest.isEmpty { return rest }
            guard let next = Piece(following, files) else { return [] }
            go(to: next, at: 0)
        }
        return []
    }

    private func read(_ piece: Piece) throws(GatewayError) -> [UInt8] {
        let bytes = try readChunk(piece.file, at: offset, count: Self.chunk)
        offset += Int64(bytes.count)
        return bytes
    }

    private func go(to next: Piece, at place: Int64) {
        piece = next
        offset = place
        whenOpened?(next.file)
    }

    // MARK: the beginning

    private func begin() -> Bool {
        switch start {
        case .offset(let place):
            guard let live = Piece(path, files) else { return false }
            go(to: live, at: place)
        case .end:
            // One that is made later is new from its beginning.
            start = .offset(0)
            guard let live = Piece(path, files) else { return false }
            go(to: live, at: Int64(live.facts.st_size))
        case .oldest:
            guard let oldest = kept().last else { return false }
            go(to: oldest, at: 0)
        case .lastLines(let count):
            let all = kept()
            guard let live = all.first else { return false }
            var missing = count
            var found = (piece: live, place: Int64(live.facts.st_size))
            var isFirst = true
            for each in all where missing > 0 {
                found = (each, Self.start(ofLast: &missing, in: each, endsFile: isFirst))
                isFirst = isFirst && each.facts.st_size == 0
            }
            go(to: found.piece, at: found.place)
        }
        return true
    }

    /// All files that are kept, the live one first.
    private func kept() -> [Piece] {
        guard let live = Piece(path, files) else { return [] }
        var all = [live]
        for number in 1..<Self.filesMax {
            guard let older = Piece("\(path).\(number)", files) else { break }
            // The files moved on while they were opened.
            if older.facts.st_ino != all.last?.facts.st_ino { all.append(older) }
        }
        return all
    }

    /// Where the last lines of a file begin; counts those that were found.
    private static func start(ofLast missing: inout Int, in piece: Piece, endsFile: Bool) -> Int64 {
        let end = Int64(piece.facts.st_size)
        var start = end
        while start > 0 {
            let from = max(0, start - Int64(chunk))
            guard let bytes = try? readChunk(piece.file, at: from, count: Int(start - from)), !bytes.isEmpty else {
                return start
            }
            for index in bytes.indices.reversed() where bytes[index] == UInt8(ascii: "\n") {
                let place = from + Int64(index)
                // The line feed at the very end ends the last line; one at the end of an older file ends the line before
                // those of the next.
                if endsFile, place == end - 1 { continue }
                missing -= 1
                if missing == 0 { return place + 1 }
            }
            start = from
        }
        return 0
    }

    // MARK: rotation

    /// The name of the file that was begun after the one with this inode, or of the oldest one when that is gone; nil when
    /// it is the live file.
    private func nameAfter(_ inode: ino_t) -> String? {
        var newer: String?
        var gaps = 0
        for number in 0...Self.filesMax {
            let name = number == 0 ? path : "\(path).\(number)"
            if let found = self.inode(name) {
                if found == inode { return newer }
                newer = name
            } else {
                // Between two renames there is one.
                gaps += 1
                if gaps > 1 { break }
            }
        }
        return newer
    }

    private func inode(_ name: String) -> ino_t? { Piece(name, files)?.facts.st_ino }
}
