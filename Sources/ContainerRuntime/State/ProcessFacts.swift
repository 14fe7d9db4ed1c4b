internal import Glibc

/// What `/proc/PID/stat` says of a process.
struct ProcessFacts: Equatable, Sendable {
    /// `R`, `S`, `D`, `Z`, `T`, … (proc(5)).
    var state: UInt8
    /// Clock ticks after boot.
    var startTime: UInt64

    var isDead: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") || state == UInt8(ascii: "x") }

    /// nil when there is no such process.
    static func of(_ pid: Int32) -> ProcessFacts? {
        guard pid > 0, let bytes = try? RuntimeFiles.contents("/proc/\(pid)/stat", limit: 8192) else { return nil }
        return ProcessFacts(stat: bytes)
    }

    /// The program's name may hold spaces and parentheses: what follows counts from the last `)`.
    init?(stat bytes: [UInt8]) {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " "))
        // Field 3 of proc(5) is the first here.
        guard fields.count > 19, let state = fields[0].first,
            let startTime = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        self.state = state
        self.startTime = startTime
    }
}
