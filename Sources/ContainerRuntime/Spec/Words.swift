/// Taking texts apart and putting them together by bytes.
///
/// The library's generic ways look for the conformances of the types involved among all those of the whole program the
/// first time, which costs a short command more than everything else it computes, and they go by characters where
/// paths and the kernel's files go by bytes.
extension String {
    /// What is between separators; nothing empty.
    func words(_ separator: UInt8) -> [String] {
        var words: [String] = []
        var copy = self
        copy.withUTF8 { bytes in
            var start = 0
            for end in 0...bytes.count where end == bytes.count || bytes[end] == separator {
                if end > start {
                    words.append(String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self))
                }
                start = end + 1
            }
        }
        return words
    }

    /// The parts of a path.
    var pathSegments: [String] { words(UInt8(ascii: "/")) }

    /// The opposite of ``words(_:)``.
    init(_ words: [String], separator: String) {
        self = ""
        for (index, word) in words.enumerated() {
            if index > 0 { self += separator }
            self += word
        }
    }
}
