/// The keys that leave a session without ending its command, recognised in what is typed.
struct DetachKeys: Equatable, Sendable {
    /// The bytes of the keys.
    let sequence: [UInt8]
    /// How many of them were typed last.
    private var matched = 0

    /// Ctrl-P, Ctrl-Q, as everywhere.
    static let standard = "ctrl-p,ctrl-q"

    /// Reads names such as `ctrl-p,ctrl-q` or `ctrl-a,d`; nil for others.
    init?(_ text: String) {
        var sequence: [UInt8] = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            let letters = Array(name.utf8)
            if letters.count == 1, letters[0] > 0x20, letters[0] < 0x7f {
                sequence.append(letters[0])
            } else if name.hasPrefix("ctrl-"), letters.count == 6, let letter = letters.last,
                (0x61...0x7a).contains(letter) || (0x5b...0x5f).contains(letter) || letter == 0x40
            {
                sequence.append(letter & 0x1f)
            } else {
                return nil
            }
        }
        guard !sequence.isEmpty, sequence.count <= 8 else { return nil }
        self.sequence = sequence
    }

    /// Looks at what was typed. Keys that may be the beginning of the sequence are kept back until the next one shows.
    ///
    /// - Returns: what goes on to the command, and whether the sequence is complete.
    mutating func filter(_ bytes: [UInt8]) -> (passed: [UInt8], isComplete: Bool) {
        var passed: [UInt8] = []
        for byte in bytes {
            if byte == sequence[matched] {
                matched += 1
                if matched == sequence.count {
                    matched = 0
                    return (passed, true)
                }
                continue
            }
            passed += sequence[..<matched]
            matched = byte == sequence[0] ? 1 : 0
            if matched == 0 { passed.append(byte) }
        }
        return (passed, false)
    }
}
