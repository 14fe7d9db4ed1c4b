/// Small pictures, drawn with lines of the text's colour. They stand beside words and are kept from those who listen.
public struct Icon: Sendable {
    /// The outline, in a square of 16.
    private let path: StaticString
    private let isFilled: Bool

    private init(_ path: StaticString, isFilled: Bool = false) {
        self.path = path
        self.isFilled = isFilled
    }

    /// Writes it.
    func write(to html: inout HTML) {
        html.tag(
            "svg", .class("icon", isFilled ? "filled" : ""), .attr("viewBox", "0 0 16 16"), .hidden,
            .attr("focusable", "false")
        ) { html in
            html.tag("path", .attr("d", "\(path)"))
        }
    }

    /// Two voices, one after the other: a round.
    static let logo = Icon(
        "M8 1.5a6.5 6.5 0 1 0 6.5 6.5M8 4.75a3.25 3.25 0 1 1-3.25 3.25M11 2.2l1.6 2M13.4 6.3l.9.2")
    static let system = Icon("M2 3h12v8H2zM6 14h4M8 11v3")
    static let sun = Icon(
        "M8 5a3 3 0 1 0 .001 0M8 1v1.5M8 13.500v1.500M1 8h1.500M13.500 8h1.500M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1")
    static let moon = Icon("M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z")

    /// The picture of a section.
    static func of(_ section: Section) -> Icon {
        switch section {
        case .overview: Icon("M2 13V8M6 13V3M10 13V6M14 13V9.500")
        case .nodes: Icon("M2 2.500h12v4H2zM2 9.500h12v4H2zM4.500 4.500h.01M4.500 11.500h.01")
        case .frameworks: Icon("M8 1.500l6 3.200-6 3.200-6-3.200zM2 8l6 3.200L14 8M2 11.200l6 3.300 6-3.300")
        case .services:
            Icon(
                "M8 5.500a2.500 2.500 0 1 0 .001 0M8 1.500v4M8 10.500v4M2.400 4.800l3.400 2M10.200 9.300l3.400 2M2.400 11.300l3.400-2M10.200 6.800l3.400-2"
            )
        case .tasks:
            Icon(
                "M2 3.500l1.200 1.200L5.500 2.500M2 8.500l1.200 1.200 2.300-2.200M2 13.500l1.200 1.200 2.300-2.200M8 4h6M8 9h6M8 14h6"
            )
        case .jobs: Icon("M8 2a6 6 0 1 0 .001 0M8 4.800V8l2.400 1.600")
        case .catalog: Icon("M2 2.500h5v5H2zM9.500 2.500h4.500v5H9.500zM2 10h5v4H2zM9.500 10h4.500v4H9.500z")
        case .membership:
            Icon(
                "M8 2.500a1.500 1.500 0 1 0 .001 0M3 10.500a1.500 1.500 0 1 0 .001 0M13 10.500a1.500 1.500 0 1 0 .001 0M7.200 5.300L4 10.600M8.800 5.300L12 10.600M4.500 12h7"
            )
        case .audit: Icon("M3 1.500h7l3 3v10H3zM5.500 6.500h5M5.500 9h5M5.500 11.500h3")
        }
    }
}
