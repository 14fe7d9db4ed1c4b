/// Which of a sender's counters were seen: a bitmap of the newest 1,024; what is older counts as seen.
struct ReplayWindow: Sendable {
    static let size: UInt64 = 1_024

    private var highest: UInt64 = 0
    private var bits: [UInt64] = Array(repeating: 0, count: Int(size / 64))

    /// Whether a counter is new. Counters begin with 1.
    func isNew(_ counter: UInt64) -> Bool {
        if counter > highest { return true }
        guard counter > 0, highest - counter < Self.size else { return false }
        return bits[word(counter)] & bit(counter) == 0
    }

    /// Remembers a counter; to be called for what is authentic only.
    mutating func insert(_ counter: UInt64) {
        if counter > highest {
            let step = counter - highest
            if step >= Self.size {
                for index in bits.indices { bits[index] = 0 }
            } else {
                // The places that the window moves over belonged to counters that are too old now.
                for passed in 1...step { bits[word(highest + passed)] &= ~bit(highest + passed) }
            }
            highest = counter
        } else if highest - counter >= Self.size {
            return
        }
        bits[word(counter)] |= bit(counter)
    }

    private func word(_ counter: UInt64) -> Int { Int(counter % Self.size / 64) }
    private func bit(_ counter: UInt64) -> UInt64 { 1 << (counter % 64) }
}
