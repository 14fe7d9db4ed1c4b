/// SHA-256 (FIPS 180-4), for names of sockets: short, and different for different things.
enum SHA256 {
    /// The digest as hexadecimal digits.
    static func hex(_ bytes: [UInt8]) -> String {
        var message = bytes + [0x80]
        while message.count % 64 != 56 { message.append(0) }
        let bits = UInt64(bytes.count) * 8
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            message.append(UInt8(truncatingIfNeeded: bits >> shift))
        }
        let primes = firstPrimes(64)
        let constants = primes.map { fraction(ofRoot: 3, of: $0) }
        var state = primes.prefix(8).map { fraction(ofRoot: 2, of: $0) }
        for start in stride(from: 0, to: message.count, by: 64) {
            absorb(message[start..<start + 64], &state, constants)
        }
        return state.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.utf8.count) + digits
        }.joined()
    }

    private static func absorb(_ block: ArraySlice<UInt8>, _ state: inout [UInt32], _ constants: [UInt32]) {
        var words: [UInt32] = stride(from: block.startIndex, to: block.endIndex, by: 4).map { start in
            block[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        for index in 16..<64 {
            let early = words[index - 15]
            let late = words[index - 2]
            let first = turn(early, 7) ^ turn(early, 18) ^ early >> 3
            let second = turn(late, 17) ^ turn(late, 19) ^ late >> 10
            words.append(words[index - 16] &+ first &+ words[index - 7] &+ second)
        }
        var now = state
        for index in 0..<64 {
            let chosen = now[4] & now[5] ^ ~now[4] & now[6]
            let major = now[0] & now[1] ^ now[0] & now[2] ^ now[1] & now[2]
            let high = turn(now[4], 6) ^ turn(now[4], 11) ^ turn(now[4], 25)
            let low = turn(now[0], 2) ^ turn(now[0], 13) ^ turn(now[0], 22)
            let added = now[7] &+ high &+ chosen &+ constants[index] &+ words[index]
            now = [added &+ low &+ major, now[0], now[1], now[2], now[3] &+ added, now[4], now[5], now[6]]
        }
        for index in state.indices { state[index] &+= now[index] }
    }

    private static func turn(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }

    private static func firstPrimes(_ count: Int) -> [UInt128] {
        var found: [UInt128] = []
        var candidate: UInt128 = 2
        while found.count < count {
            if !found.contains(where: { candidate % $0 == 0 }) { found.append(candidate) }
            candidate += 1
        }
        return found
    }

    /// The first 32 bits behind the point of a root, found bit by bit: all constants of the algorithm are such.
    private static func fraction(ofRoot root: UInt128, of prime: UInt128) -> UInt32 {
        var result: UInt128 = 0
        // No root that is needed here reaches 32, the fifth bit before the point.
        for bit in stride(from: UInt128(36), through: 0, by: -1) {
            let candidate = result | 1 << bit
            let power = root == 2 ? candidate * candidate : candidate * candidate * candidate
            if power <= prime << (32 * root) { result = candidate }
        }
        return UInt32(truncatingIfNeeded: result)
    }
}
