/// The names of Linux's signals, numbered as on all architectures that this program is built for.
public enum SignalNames {
    private static let numbers: [(name: String, number: Int32)] = [
        ("HUP", 1), ("INT", 2), ("QUIT", 3), ("ILL", 4), ("TRAP", 5), ("ABRT", 6), ("IOT", 6), ("BUS", 7), ("FPE", 8),
        ("KILL", 9), ("USR1", 10), ("SEGV", 11), ("USR2", 12), ("PIPE", 13), ("ALRM", 14), ("TERM", 15),
        ("STKFLT", 16), ("CHLD", 17), ("CLD", 17), ("CONT", 18), ("STOP", 19), ("TSTP", 20), ("TTIN", 21),
        ("TTOU", 22), ("URG", 23), ("XCPU", 24), ("XFSZ", 25), ("VTALRM", 26), ("PROF", 27), ("WINCH", 28),
        ("IO", 29), ("POLL", 29), ("PWR", 30), ("SYS", 31),
    ]

    /// The C library keeps 32 and 33 to itself, so this is what it calls the first.
    private static let realTimeMin: Int32 = 34
    private static let realTimeMax: Int32 = 64

    /// The highest number.
    public static var last: Int32 { realTimeMax }

    /// A number, or a name in any case, with or without `SIG`; also `RTMIN+n` and `RTMAX-n`.
    public static func number(of text: String) -> Int32? {
        if let number = Int32(text) { return (0...realTimeMax).contains(number) ? number : nil }
        var name = text.uppercased()[...]
        if name.hasPrefix("SIG") { name = name.dropFirst(3) }
        return numbers.first { $0.name == name }?.number ?? realTime(name)
    }

    private static func realTime(_ name: Substring) -> Int32? {
        let (start, sign): (Int32, Character)
        if name.hasPrefix("RTMIN") {
            (start, sign) = (realTimeMin, "+")
        } else if name.hasPrefix("RTMAX") {
            (start, sign) = (realTimeMax, "-")
        } else {
            return nil
        }
        let rest = name.dropFirst(5)
        if rest.isEmpty { return start }
        guard rest.first == sign, let offset = UInt8(rest.dropFirst()), offset <= 30 else { return nil }
        return sign == "+" ? start + Int32(offset) : start - Int32(offset)
    }
}
