internal import Console

/// The cookies that the console knows beside the session's.
enum ConsoleCookies {
    /// Which colours a browser wants.
    static let theme = "rondo-theme"

    /// Which colours are wanted.
    ///
    /// - Parameter header: the header `Cookie`.
    /// - Returns: those of the browser when nothing is said.
    static func theme(in header: String?) -> Frame.Theme {
        guard let header, header.utf8.count <= 16 << 10 else { return .system }
        for pair in header.split(separator: ";") {
            let pair = pair.drop { $0 == " " }
            if pair.hasPrefix(theme + "=") {
                return Frame.Theme(rawValue: String(pair.dropFirst(theme.count + 1))) ?? .system
            }
        }
        return .system
    }
}
