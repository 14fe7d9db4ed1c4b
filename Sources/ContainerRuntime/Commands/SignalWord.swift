internal import LinuxSystem

extension SignalNames {
    /// The signal that a word of a command line names.
    static func parse(_ text: String) throws(RuntimeFailure) -> Int32 {
        if let number = number(of: text) { return number }
        throw RuntimeFailure(
            Int32(text) == nil
                ? "unknown signal \"\(text)\": use a number or a name such as TERM"
                : "unknown signal \"\(text)\": signals go from 0 to \(last)")
    }
}
