internal import Access
internal import ClusterModel
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore

/// One request for a page of the console. Pages are values of the module `Console`; here they are filled with what the
/// visitor may see, and forms become calls of the same interfaces that programs use.
struct ConsoleDesk: Sendable {
    let node: MasterNode
    let visitor: Visitor
    let request: GatewayRequest

    func respond(_ route: ConsoleRoute) async throws -> GatewayResponse {
        switch route {
        case .overview: return try await overview()
        case .nodes: return try await nodes()
        case .node(let id): return try await nodePage(id)
        case .frameworks: return try await frameworks()
        case .framework(let id): return try await framework(id)
        case .services: return try await services()
        case .service(let id, let verb): return try await service(id, verb)
        case .deployment(let id): return try await deployment(id)
        case .tasks: return try await tasks()
        case .task(let path): return try await task(path)
        case .jobs(let path): return try await jobs(path)
        case .catalog(let path): return try await catalog(path)
        case .membership(let path): return try await membership(path)
        case .audit: return try await audit()
        case .login: return try await login()
        case .logout: return try await logout()
        case .theme: return try await theme()
        case .events: return try await events()
        case .asset(let hash, let name): return try ConsoleAssets.shared.response(hash, name, request)
        }
    }

    // MARK: pages

    /// The answer with a page; the page alone when the script asks.
    ///
    /// - Parameters:
    ///   - page: the page.
    ///   - status: the status.
    /// - Returns: the answer, with the headers that every page has.
    func page(_ page: some ConsolePage, status: HTTPResponse.Status = .ok) -> GatewayResponse {
        let frame = frame()
        let isFragment = request.headers[.rondoFragment] != nil
        let bytes = isFragment ? Layout.fragment(page, frame) : Layout.document(page, frame)
        return .complete(status, headers: Self.headers, bytes: ByteBuffer(bytes: bytes))
    }

    /// What every page is sent with: nothing is loaded from elsewhere, nothing runs that is not a file of the console,
    /// nobody shows a page inside another, and none is kept.
    static let headers: HTTPFields = [
        .contentType: "text/html; charset=utf-8",
        .contentSecurityPolicy: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            + "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        .xContentTypeOptions: "nosniff",
        .referrerPolicy: "same-origin",
        .crossOriginOpenerPolicy: "same-origin",
        .cacheControl: "no-store",
        .vary: "Cookie, Rondo-Fragment",
    ]

    private func frame() -> Frame {
        let cookie = Authentication.session(in: request.headers[.cookie])
        var name: String?
        switch visitor.caller {
        case .anonymous: name = visitor.mode == .open ? "everybody" : nil
        case .user(let user): name = user
        case .root: name = visitor.isProven ? "root" : "everybody"
        case .node(let id, _): name = id
        }
        let notice = request.query["notice"].flatMap { Notice(rawValue: $0) }
        return Frame(
            clusterName: node.settings.clusterName, version: node.settings.version, visitor: name,
            hasSession: cookie != nil && visitor.isProven, sections: sections,
            theme: ConsoleCookies.theme(in: request.headers[.cookie]), assets: ConsoleAssets.shared.paths,
            here: here, alarm: node.condition.readOnly.map { "This master cannot write: " + $0.message },
            notice: notice, context: HTML.Context(now: node.clock.now().wall, formToken: formToken))
    }

    /// Sections that the visitor may see.
    private var sections: [Section] {
        Section.allCases.filter { section in
            switch section {
            case .audit: visitor.may(.readAudit)
            case .jobs: node.settings.servesJobs
            case .services: node.settings.servesServices
            case .catalog: node.builtIns?.catalog != nil
            case .overview, .nodes, .frameworks, .tasks, .membership: true
            }
        }
    }

    /// The page's own address, without what was done last.
    var here: Link {
        let segments = request.target.segments
        guard segments.first == "ui" else { return .overview }
        let items = request.query.items.filter { $0.name != "notice" }
        return Link(absolute: segments, query: items.map { ($0.name, $0.value) })
    }

    /// What the visitor wants to see of a list.
    func listQuery(
        _ path: [String], sorts: [String], choices: [String] = [], descending: Set<String> = []
    ) -> ListQuery {
        ListQuery(
            path: path, items: request.query.items.map { ($0.name, $0.value) }, sorts: sorts, choices: choices,
            descending: descending)
    }

    /// Sends the browser to a page with GET, as after a form.
    ///
    /// - Parameters:
    ///   - link: the page.
    ///   - notice: what the page says was done.
    /// - Returns: the answer.
    func redirect(to link: Link, notice: Notice? = nil) -> GatewayResponse {
        var target = link.text
        if let notice { target += (target.contains("?") ? "&" : "?") + "notice=" + notice.rawValue }
        return .complete(.seeOther, headers: [.location: target, .cacheControl: "no-store"])
    }
}

extension HTTPField.Name {
    /// Sent by the console's script, which wants the page without what is around it.
    static let rondoFragment = Self("Rondo-Fragment") ?? .eTag
    static let contentSecurityPolicy = Self("Content-Security-Policy") ?? .eTag
    static let xContentTypeOptions = Self("X-Content-Type-Options") ?? .eTag
    static let referrerPolicy = Self("Referrer-Policy") ?? .eTag
    static let crossOriginOpenerPolicy = Self("Cross-Origin-Opener-Policy") ?? .eTag
}
