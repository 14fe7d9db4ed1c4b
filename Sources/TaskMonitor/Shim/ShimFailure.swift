internal import Glibc

/// Why a request cannot be fulfilled, in the terms of the protocol (`google.rpc.Code`).
struct ShimFailure: Error, Equatable {
    let code: UInt32
    let message: String

    static func unknown(_ message: String) -> ShimFailure { ShimFailure(code: 2, message: message) }
    static func invalid(_ message: String) -> ShimFailure { ShimFailure(code: 3, message: message) }
    static func notFound(_ message: String) -> ShimFailure { ShimFailure(code: 5, message: message) }
    static func exists(_ message: String) -> ShimFailure { ShimFailure(code: 6, message: message) }
    static func exhausted(_ message: String) -> ShimFailure { ShimFailure(code: 8, message: message) }
    static func precondition(_ message: String) -> ShimFailure { ShimFailure(code: 9, message: message) }
    static func unimplemented(_ message: String) -> ShimFailure { ShimFailure(code: 12, message: message) }
}

/// A moment of the wall clock.
struct ShimTime: Equatable {
    let seconds: Int64
    let nanoseconds: Int64

    static func now() -> ShimTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return ShimTime(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }
}
