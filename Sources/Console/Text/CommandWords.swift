/// A command as somebody types it, in words.
public enum CommandWords {
    /// Splits at blanks, except inside of quotes; a backslash takes the next character as it is, save between single
    /// quotes. Nothing else means anything: there are no variables, patterns or redirections.
    ///
    /// - Parameter text: the command.
    /// - Returns: its words; nil when a quote is not closed.
    public static func split(_ text: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" || character == "\n" {
                if let done = word.take() { words.append(done) }
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if quote != nil || isEscaped { return nil }
        if let word { words.append(word) }
        return words
    }
}
