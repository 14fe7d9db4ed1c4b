internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore

/// `/`: a page for browsers, without scripts, so that an address typed by hand shows something useful.
struct StatusPage: Sendable {
    let node: MasterNode

    /// The most rows of a table; the rest is counted.
    private static let rowLimit = 200

    func response() async throws -> GatewayResponse {
        let core = try await node.snapshot()
        let headers: HTTPFields = [
            .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
                + "form-action 'none'; frame-ancestors 'none'",
            .xContentTypeOptions: "nosniff",
            .cacheControl: "no-store",
        ]
        return .text(.ok, page(ClusterView(core)), type: "text/html; charset=utf-8", headers: headers)
    }

    private func page(_ view: ClusterView) -> String {
        let name = Self.escaped(node.settings.clusterName)
        var html = """
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="10">
            <meta name="viewport" content="width=device-width, initial-scale=1"><title>\(name)</title><style>
            :root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;\
            padding:0 1rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{text-align:left;\
            padding:.3rem .6rem;border-bottom:1px solid #8886}th{font-weight:600}td{overflow-wrap:anywhere}
            </style></head><body><h1>\(name)</h1>
            <p>Cluster \(Self.escaped(node.cluster.id)), master at \(Self.escaped(node.master.authority)),
            release \(Self.escaped(node.settings.version)).</p>

            """
        let agents = view.agents
        html += table(
            "Nodes", ["Node", "Address", "State", "cpus used", "mem used (MiB)", "Tasks"],
            agents.map { agent in
                let used = view.used(on: agent)
                let all = agent.info.resources
                return [
                    agent.info.hostname, "\(agent.info.address):\(agent.info.port)", agent.session.word,
                    "\(used.total("cpus")) of \(all.total("cpus"))", "\(used.total("mem")) of \(all.total("mem"))",
                    "\(agent.tasks.count)",
                ]
            })
        html += table(
            "Frameworks", ["Framework", "Id", "Roles", "State", "Live tasks", "Ended tasks"],
            view.frameworks.map { framework in
                [
                    framework.info.name, framework.id.value, framework.info.roles.map(\.value).joined(separator: ", "),
                    framework.isConnected ? "connected" : "disconnected", "\(framework.tasks.count)",
                    "\(framework.completedTasks.count)",
                ]
            })
        let tasks = view.frameworks.flatMap { framework in
            view.tasks(of: framework) + framework.completedTasks.suffix(20).reversed()
        }
        html += table(
            "Tasks", ["Task", "Framework", "State", "Node", "Resources", "Message"],
            tasks.map { task in
                [
                    task.id.value, task.launch.frameworkName, task.state.wireName,
                    view.core.agents[task.agentID]?.info.hostname ?? task.agentID.value, task.resources.description,
                    task.statuses.last?.message ?? "",
                ]
            })
        html += "<p>Interfaces: <a href=\"/state\">/state</a>, <a href=\"/metrics\">/metrics</a>, "
        html += "<a href=\"/rondo/v1/cluster\">/rondo/v1/cluster</a></p></body></html>\n"
        return html
    }

    private func table(_ title: String, _ columns: [String], _ rows: [[String]]) -> String {
        var html = "<h2>\(title) (\(rows.count))</h2>"
        if rows.isEmpty { return html + "<p>None.</p>" }
        html += "<table><thead><tr>"
        for column in columns { html += "<th scope=\"col\">\(Self.escaped(column))</th>" }
        html += "</tr></thead><tbody>"
        for row in rows.prefix(Self.rowLimit) {
            html += "<tr>"
            for cell in row { html += "<td>\(Self.escaped(cell))</td>" }
            html += "</tr>"
        }
        html += "</tbody></table>"
        if rows.count > Self.rowLimit { html += "<p>And \(rows.count - Self.rowLimit) more.</p>" }
        return html
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

extension HTTPField.Name {
    static let contentSecurityPolicy = Self("Content-Security-Policy") ?? .eTag
    static let xContentTypeOptions = Self("X-Content-Type-Options") ?? .eTag
}

extension AgentState.Session {
    /// One word for people and for `/rondo/v1`.
    var word: String {
        switch self {
        case .recovered: "recovered"
        case .connected: "connected"
        case .disconnected: "disconnected"
        case .unreachable: "unreachable"
        case .gone: "gone"
        }
    }
}
