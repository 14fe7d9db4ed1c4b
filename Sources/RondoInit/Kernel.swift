import CGuest

/// An error number of the kernel.
struct KernelError: Error {
    var number: Int32

    /// What it means, in the C library's words.
    var text: [UInt8] {
        var text = [CChar](repeating: 0, count: 128)
        cguest_error_text(number, &text, text.count)
        return text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }
}

/// Calls of the kernel with Swift's values: paths are bytes without a NUL, a negative result is an error.
enum Kernel {
    @discardableResult
    static func check(_ result: some BinaryInteger) throws(KernelError) -> Int {
        guard result >= 0 else { throw KernelError(number: Int32(truncatingIfNeeded: 0 - Int(result))) }
        return Int(result)
    }

    /// Calls with a text that C can read.
    static func withText<Result>(_ text: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let ended = text.map { CChar(bitPattern: $0) } + [0]
        return ended.withUnsafeBufferPointer { buffer in
            // An array that is not empty has an address.
            guard let address = buffer.baseAddress else { preconditionFailure("a text without an address") }
            return body(address)
        }
    }

    static func open(_ path: [UInt8], _ kind: Int, mode: UInt32 = 0o600) throws(KernelError) -> Int32 {
        Int32(try check(withText(path) { cguest_open($0, Int32(kind), mode) }))
    }

    /// The first bytes of a file, as those of proc and sysfs are.
    static func read(_ path: [UInt8], limit: Int = 4_096) throws(KernelError) -> [UInt8] {
        let file = try open(path, Int(CGUEST_READ))
        defer { cguest_close(file) }
        var content: [UInt8] = []
        while content.count < limit {
            let piece = try read(file, atMost: limit - content.count)
            if piece.isEmpty { break }
            content += piece
        }
        return content
    }

    /// One read; empty at the end.
    static func read(_ file: Int32, atMost count: Int) throws(KernelError) -> [UInt8] {
        var failure = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            let result = cguest_read(file, buffer.baseAddress, count)
            failure = result
            used = max(0, result)
        }
        try check(failure)
        return bytes
    }

    /// One write; how many bytes went.
    static func write(_ file: Int32, _ bytes: ArraySlice<UInt8>) throws(KernelError) -> Int {
        try check(bytes.withUnsafeBufferPointer { cguest_write(file, $0.baseAddress, $0.count) })
    }

    static func writeAll(_ file: Int32, _ bytes: [UInt8]) throws(KernelError) {
        var rest = bytes[...]
        while !rest.isEmpty { rest = rest.dropFirst(try write(file, rest)) }
    }

    /// Writes a word into a file of the kernel's.
    static func tell(_ path: [UInt8], _ word: [UInt8]) throws(KernelError) {
        let file = try open(path, Int(CGUEST_WRITE))
        defer { cguest_close(file) }
        try writeAll(file, word)
    }

    static func names(in directory: [UInt8]) -> [[UInt8]] {
        var room = [CChar](repeating: 0, count: 16_384)
        let used = withText(directory) { path in cguest_names(path, &room, room.count) }
        guard used > 0 else { return [] }
        return room[..<used].split(separator: 0).map { $0.map { UInt8(bitPattern: $0) } }
    }

    static func mount(
        _ source: String, _ target: [UInt8], _ type: String, _ flags: UInt, _ options: String = ""
    ) throws(KernelError) {
        try mount(Array(source.utf8), target, type, flags, options)
    }

    static func mount(
        _ source: [UInt8], _ target: [UInt8], _ type: String, _ flags: UInt, _ options: String = ""
    ) throws(KernelError) {
        let result = withText(source) { source in
            withText(target) { target in
                withText(Array(type.utf8)) { type in
                    withText(Array(options.utf8)) { cguest_mount(source, target, type, flags, $0) }
                }
            }
        }
        try check(result)
    }

    /// Makes a directory and those above it.
    static func makeDirectories(_ path: [UInt8]) throws(KernelError) {
        for end in path.indices.dropFirst() + [path.endIndex] {
            guard end == path.endIndex || path[end] == UInt8(ascii: "/") else { continue }
            let result = withText(Array(path[..<end])) { cguest_make_directory($0, 0o755) }
            // EEXIST is 17.
            if result != -17 { try check(result) }
        }
    }

    /// A line for the console, which is the host's serial log.
    static func log(_ text: [UInt8]) {
        let line = Array("rondo-init: ".utf8) + text + [10]
        _ = line.withUnsafeBufferPointer { cguest_write(2, $0.baseAddress, $0.count) }
    }
}

/// The bytes of a text of this program.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
