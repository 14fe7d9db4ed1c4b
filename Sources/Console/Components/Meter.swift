/// A piece of a meter.
public struct MeterPiece: Sendable {
    /// What it stands for.
    public enum Kind: Sendable {
        case used, offered, marked

        fileprivate var className: StaticString {
            switch self {
            case .used: "used"
            case .offered: "offered"
            case .marked: "marked"
            }
        }
    }

    /// What it stands for.
    public var kind: Kind
    /// How much of the whole, from 0 to 1.
    public var fraction: Double

    /// Makes a piece.
    public init(_ kind: Kind, _ fraction: Double) {
        self.kind = kind
        self.fraction = fraction
    }
}

extension HTML {
    /// A bar that is filled piece by piece, with words beside it.
    ///
    /// - Parameters:
    ///   - pieces: from the left.
    ///   - words: what the bar says; it is shown beside it.
    ///   - title: more of it.
    public mutating func meter(_ pieces: [MeterPiece], _ words: String, title: String? = nil) {
        tag("span", .class("meter"), title.map { .title($0) } ?? .none) { html in
            html.bar(pieces)
            html.tag("span", .class("meter-text"), text: words)
        }
    }

    /// The bar alone.
    ///
    /// - Parameters:
    ///   - pieces: from the left.
    ///   - ticks: where a line crosses it, from 0 to 1.
    public mutating func bar(_ pieces: [MeterPiece], ticks: [Double] = []) {
        tag(
            "svg", .class("bar"), .attr("viewBox", "0 0 100 8"), .attr("preserveAspectRatio", "none"), .hidden
        ) { html in
            html.tag("rect", .class("whole"), .attr("width", "100"), .attr("height", "8"))
            var start = 0.0
            for piece in pieces where piece.fraction > 0 && piece.fraction.isFinite {
                let width = min(piece.fraction * 100, 100 - start)
                html.tag(
                    "rect", .class(piece.kind.className), .attr("x", Self.coordinate(start)),
                    .attr("width", Self.coordinate(width)), .attr("height", "8"))
                start += width
            }
            for tick in ticks where tick > 0 && tick <= 1 {
                html.tag(
                    "rect", .class("tick"), .attr("x", Self.coordinate(min(99.2, tick * 100))), .attr("width", "0.8"),
                    .attr("height", "8"))
            }
        }
    }

    /// A coordinate in hundredths.
    static func coordinate(_ value: Double) -> String {
        let hundredths = Int((max(0, min(100_000, value)) * 100).rounded())
        let rest = hundredths % 100
        return rest == 0 ? "\(hundredths / 100)" : "\(hundredths / 100)." + (rest < 10 ? "0" : "") + "\(rest)"
    }
}
