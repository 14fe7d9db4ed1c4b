import Glibc

/// The command line as the kernel put it on the stack.
///
/// Swift's `CommandLine` reads `/proc/self/cmdline` and is empty where there is no `/proc`, as in an empty root.
enum StartStack {
    /// The arguments, the program's name first, and their number; nil when the stack does not look as the System V ABI
    /// has it.
    ///
    /// Below the environment lie, downwards, a null pointer, the arguments from the last to the first, and their count.
    /// Valid only before anything has changed the environment.
    static var words: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, count: Int)? {
        let environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = environ
        guard environment[-1] == nil else { return nil }
        var count = 0
        // No argument's address is a number this small, so the count cannot be mistaken.
        while UInt(bitPattern: environment[-2 - count]) != UInt(count) {
            count += 1
            guard count < 1 << 16 else { return nil }
        }
        return (environment - 1 - count, count)
    }

    /// The arguments as ``words`` has them; empty when it has none.
    static func arguments() -> [String] {
        guard let (words, count) = words else { return [] }
        return (0..<count).compactMap { index in words[index].map { String(cString: $0) } }
    }
}
