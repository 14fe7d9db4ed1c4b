public import ClusterModel

/// A deployment that is under way.
public struct DeploymentRow: Sendable {
    /// What is done with one service at the moment.
    public struct Action: Sendable {
        /// Which service.
        public var service: String
        /// What is done: `scale`, `restart` …
        public var verb: String
        /// What it still waits for, for people.
        public var waitsFor: String?

        /// Makes an action.
        public init(service: String, verb: String, waitsFor: String?) {
            self.service = service
            self.verb = verb
            self.waitsFor = waitsFor
        }
    }

    /// Its id.
    public var id: String
    /// When it began.
    public var began: UnixTime
    /// The step that is worked on, counted from 1.
    public var step: Int
    /// How many steps there are.
    public var steps: Int
    /// How many instances are where they shall be, of how many, over all services of the present step.
    public var done: Int
    /// See ``done``.
    public var wanted: Int
    /// What is done at the moment.
    public var actions: [Action]
    /// Whether the visitor may cancel it.
    public var canCancel: Bool

    /// Makes a row.
    public init(
        id: String, began: UnixTime, step: Int, steps: Int, done: Int, wanted: Int, actions: [Action],
        canCancel: Bool
    ) {
        self.id = id
        self.began = began
        self.step = step
        self.steps = steps
        self.done = done
        self.wanted = wanted
        self.actions = actions
        self.canCancel = canCancel
    }

    /// How far it is, from 0 to 1: the steps that are done, and the present one as far as its instances are.
    var progress: Double {
        guard steps > 0 else { return 1 }
        let present = wanted > 0 ? min(1, Double(done) / Double(wanted)) : 0
        return min(1, (Double(max(0, step - 1)) + present) / Double(steps))
    }
}

extension HTML {
    /// Deployments with how far they are and what they wait for.
    ///
    /// - Parameter rows: which.
    public mutating func deployments(_ rows: [DeploymentRow]) {
        tag("ul", .class("deployments")) { html in
            for row in rows {
                html.tag("li") { html in
                    html.tag("div", .class("deployment-head")) { html in
                        html.mark(.busy)
                        html.tag("span") { html in
                            for (index, action) in row.actions.prefix(3).enumerated() {
                                if index > 0 { html.text(", ") }
                                html.text(action.verb + " ")
                                html.link(action.service, .service(action.service))
                            }
                            if row.actions.count > 3 { html.text(" and \(row.actions.count - 3) more") }
                        }
                        html.tag("span", .class("dim")) { html in
                            html.text("step \(row.step) of \(row.steps), began ")
                            html.time(row.began)
                        }
                    }
                    html.meter([MeterPiece(.used, row.progress)], Numbers.percent(row.progress))
                    for action in row.actions.prefix(8) {
                        guard let text = action.waitsFor else { continue }
                        html.tag("p", .class("dim"), text: "\(action.service): \(text)")
                    }
                    if row.canCancel {
                        html.tag("p", .class("actions")) { html in
                            html.buttonLink(
                                "Cancel and roll back…",
                                Link("deployments", row.id))
                        }
                    }
                }
            }
        }
    }
}
