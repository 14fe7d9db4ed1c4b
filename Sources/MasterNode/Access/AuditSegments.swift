internal import Glibc
internal import Synchronization

/// The files of an audit log. One task at a time appends; any number reads what was appended before.
final class AuditSegments: Sendable {
    private struct State {
        var descriptor: Int32
        var current: AuditLog.Position
        /// The numbers of the segments that are there, rising.
        var numbers: [UInt64]
        /// Whether the current segment ends inside a line, because a write was cut short.
        var isTorn = false
    }

    private static let readLimit = 64 << 10

    private let directory: String
    private let name: String
    private let bytes: Int
    private let limit: Int
    private let state: Mutex<State>

    init(directory: String, name: String, bytes: Int, limit: Int) throws(AuditLogError) {
        self.directory = directory
        self.name = name
        self.bytes = max(1_024, bytes)
        self.limit = max(2, limit)
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw AuditLogError("mkdir", directory) }
        let numbers = try Self.numbers(in: directory, name)
        let number = numbers.last ?? 1
        let path = Self.path(directory, name, number)
        let descriptor = Self.open(path)
        guard descriptor >= 0 else { throw AuditLogError("open", path) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        var last: UInt8 = 10
        let isTorn = size > 0 && pread(descriptor, &last, 1, off_t(size - 1)) == 1 && last != 10
        state = Mutex(
            State(
                descriptor: descriptor, current: AuditLog.Position(segment: number, offset: max(0, size)),
                numbers: numbers.isEmpty ? [number] : numbers, isTorn: isTorn))
        Self.syncDirectory(directory)
    }

    deinit { state.withLock { state in _ = close(state.descriptor) } }

    var end: AuditLog.Position { state.withLock { $0.current } }

    // MARK: appending

    /// Appends whole lines.
    ///
    /// - Returns: what went wrong, nil when nothing did.
    func append(_ lines: [UInt8], synced: Bool) -> AuditLogError? {
        state.withLock { state in
            if state.current.offset > 0, state.current.offset + lines.count > bytes, let error = rotate(&state) {
                return error
            }
            let path = Self.path(directory, name, state.current.segment)
            let all = state.isTorn ? [10] + lines : lines
            var written = 0
            while written < all.count {
                let count = all[written...].withUnsafeBytes { Glibc.write(state.descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                if count <= 0 {
                    state.isTorn = state.isTorn || written > 0 && all[written - 1] != 10
                    return AuditLogError("write", path)
                }
                written += count
                state.current.offset += count
            }
            state.isTorn = false
            if synced, fdatasync(state.descriptor) != 0 { return AuditLogError("fdatasync", path) }
            return nil
        }
    }

    private func rotate(_ state: inout State) -> AuditLogError? {
        let number = state.current.segment + 1
        let path = Self.path(directory, name, number)
        let descriptor = Self.open(path)
        guard descriptor >= 0 else { return AuditLogError("open", path) }
        _ = fdatasync(state.descriptor)
        _ = close(state.descriptor)
        state.descriptor = descriptor
        state.current = AuditLog.Position(segment: number, offset: 0)
        state.isTorn = false
        state.numbers.append(number)
        while state.numbers.count > limit { unlink(Self.path(directory, name, state.numbers.removeFirst())) }
        Self.syncDirectory(directory)
        return nil
    }

    private static func open(_ path: String) -> Int32 {
        Glibc.open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }

    private static func syncDirectory(_ path: String) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        _ = close(descriptor)
    }

    private static func path(_ directory: String, _ name: String, _ number: UInt64) -> String {
        let digits = String(number)
        return "\(directory)/\(name)-\(String(repeating: "0", count: max(0, 12 - digits.utf8.count)))\(digits).jsonl"
    }

    private static func numbers(in directory: String, _ name: String) throws(AuditLogError) -> [UInt64] {
        guard let handle = opendir(directory) else { throw AuditLogError("opendir", directory) }
        defer { closedir(handle) }
        var numbers: [UInt64] = []
        while let entry = readdir(handle) {
            let file = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard file.hasPrefix(name + "-"), file.hasSuffix(".jsonl") else { continue }
            let digits = file.dropFirst(name.utf8.count + 1).dropLast(6)
            if digits.utf8.count == 12, let number = UInt64(digits) { numbers.append(number) }
        }
        return numbers.sorted()
    }

    // MARK: reading

    func read(at position: AuditLog.Position, end: AuditLog.Position) -> ([UInt8], AuditLog.Position)? {
        var position = position
        let numbers = state.withLock { $0.numbers }
        // A reader that was too slow goes on with the oldest that is left.
        if let oldest = numbers.first, position.segment < oldest { position = .init(segment: oldest, offset: 0) }
        while position.segment <= end.segment {
            let isLast = position.segment == end.segment
            let count = isLast ? min(Self.readLimit, end.offset - position.offset) : Self.readLimit
            let bytes = count > 0 ? contents(of: position, count) : []
            if !bytes.isEmpty {
                return (bytes, .init(segment: position.segment, offset: position.offset + bytes.count))
            }
            if isLast { return nil }
            position = .init(segment: position.segment + 1, offset: 0)
        }
        return nil
    }

    func start(ofLast lines: Int, before end: AuditLog.Position) -> AuditLog.Position {
        var left = lines
        var place = end
        for number in state.withLock({ $0.numbers }).suffix(2).reversed() where number <= end.segment {
            let size = number == end.segment ? end.offset : bytes * 2
            let whole = contents(of: .init(segment: number, offset: 0), size)
            for index in whole.indices.reversed() where whole[index] == 10 && index + 1 < whole.count {
                left -= 1
                if left == 0 { return .init(segment: number, offset: index + 1) }
            }
            place = .init(segment: number, offset: 0)
            if !whole.isEmpty { left -= 1 }
            if left <= 0 { break }
        }
        return lines > 0 ? place : end
    }

    /// The whole lines of at most ``readLimit`` bytes before a place, oldest first.
    func lines(before place: AuditLog.Position) -> [(place: AuditLog.Position, bytes: ArraySlice<UInt8>)] {
        var place = place
        let numbers = state.withLock { $0.numbers }
        while place.offset <= 0 || !numbers.contains(place.segment) {
            guard let older = numbers.last(where: { $0 < place.segment }) else { return [] }
            place = .init(segment: older, offset: size(of: older))
        }
        let start = max(0, place.offset - Self.readLimit)
        let bytes = contents(of: .init(segment: place.segment, offset: start), place.offset - start)
        var lines: [(place: AuditLog.Position, bytes: ArraySlice<UInt8>)] = []
        var from = bytes.startIndex
        while let feed = bytes[from...].firstIndex(of: 10) {
            // What the part begins with is the end of a line, unless the segment begins there.
            if from > 0 || start == 0 {
                lines.append((.init(segment: place.segment, offset: start + from), bytes[from..<feed]))
            }
            from = feed + 1
        }
        return lines
    }

    private func size(of segment: UInt64) -> Int {
        var facts = stat()
        return stat(Self.path(directory, name, segment), &facts) == 0 ? Int(facts.st_size) : 0
    }

    private func contents(of position: AuditLog.Position, _ count: Int) -> [UInt8] {
        let path = Self.path(directory, name, position.segment)
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0, count > 0 else { return [] }
        defer { _ = close(descriptor) }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress?.advanced(by: filled), count - filled,
                    off_t(position.offset + filled))
                if got <= 0 { return }
                filled += got
            }
        }
    }
}
