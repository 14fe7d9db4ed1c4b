/// How much there is of one resource, and what becomes of it.
public struct Amount: Hashable, Sendable {
    /// `cpus`, `mem`, `disk`, `gpus` or any other.
    public var name: String
    /// All of it.
    public var total: Double
    /// What tasks hold.
    public var used: Double
    /// What is offered at the moment.
    public var offered: Double

    /// Makes an amount.
    ///
    /// - Parameters:
    ///   - name: which resource.
    ///   - total: all of it.
    ///   - used: what tasks hold.
    ///   - offered: what is offered at the moment.
    public init(_ name: String, total: Double, used: Double, offered: Double = 0) {
        self.name = name
        self.total = total
        self.used = used
        self.offered = offered
    }

    /// What it is called.
    public var label: String {
        switch name {
        case "cpus": "CPU"
        case "mem": "Memory"
        case "disk": "Disk"
        case "gpus": "GPU"
        default: name
        }
    }

    /// A number of it in words.
    ///
    /// - Parameter number: how much.
    /// - Returns: with its unit, for memory and disk.
    public func words(_ number: Double) -> String {
        name == "mem" || name == "disk" ? Numbers.memory(number) : Numbers.short(number, places: 1)
    }

    /// How much of it is held, from 0 to 1.
    public var share: Double { total > 0 ? max(0, min(1, used / total)) : 0 }

    fileprivate var pieces: [MeterPiece] {
        [MeterPiece(.used, share), MeterPiece(.offered, total > 0 ? max(0, offered / total) : 0)]
    }

    fileprivate var sentence: String {
        "\(words(used)) used, \(words(offered)) offered, \(words(max(0, total - used - offered))) free"
    }
}

extension HTML {
    /// A resource as a bar with its numbers, for a cell.
    ///
    /// - Parameter amount: how much there is; a dash when there is none.
    public mutating func meter(_ amount: Amount?) {
        guard let amount, amount.total > 0 else { return textOrDash(nil) }
        meter(amount.pieces, "\(amount.words(amount.used)) / \(amount.words(amount.total))", title: amount.sentence)
    }

    /// Resources as large bars beside each other.
    ///
    /// - Parameter amounts: which; those of which there is nothing are left out.
    public mutating func gauges(_ amounts: [Amount]) {
        tag("div", .class("gauges")) { html in
            for amount in amounts where amount.total > 0 {
                html.tag("div", .class("gauge"), .title(amount.sentence)) { html in
                    html.tag("div", .class("gauge-head")) { html in
                        html.tag("span", .class("gauge-name"), text: amount.label)
                        html.tag("span", .class("gauge-share"), text: Numbers.percent(amount.share))
                    }
                    html.bar(amount.pieces)
                    html.tag("div", .class("gauge-foot")) { html in
                        html.tag("span", text: "\(amount.words(amount.used)) of \(amount.words(amount.total))")
                        if amount.offered > 0 {
                            html.tag("span", .class("dim"), text: "\(amount.words(amount.offered)) offered")
                        }
                    }
                }
            }
        }
    }
}
