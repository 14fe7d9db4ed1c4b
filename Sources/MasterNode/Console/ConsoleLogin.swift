internal import Access
internal import ClusterModel
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Transport

/// Logging in and out, and the colours.
extension ConsoleDesk {
    func login() async throws -> GatewayResponse {
        let next = Self.safe(request.query["next"])
        guard request.method == .post else {
            if visitor.isProven, visitor.isKnown { return redirect(to: .overview) }
            return page(LoginPage(next: next, isUnprotected: isUnprotected))
        }
        let fields = try await form(upTo: 16 << 10)
        let name = fields["user"] ?? ""
        let wanted = Self.safe(fields["next"])
        visitor.note.set(AuditNote.Content(action: "login", object: "", who: "user:" + name.prefix(96), isWork: false))
        let found: StoredUser?
        do { found = try await user(fields, name) } catch let error as GatewayError where error.status.code == 429 {
            return refused(error.message, name, wanted, error.status)
        }
        guard let found else {
            return refused("The user, the password or the token is wrong.", name, wanted, .unauthorized)
        }
        visitor.note.set(
            AuditNote.Content(action: "login", object: "", who: "user:" + found.user.name, isWork: false))
        let now = node.clock.now().wall
        let lifetime = node.settings.accessSettings.sessionLifetime
        let session = SessionToken(user: found.user.name, version: found.version, expiresAt: now + lifetime)
        let text = session.signed(with: node.accounts.sessionKeys, now: now)
        var response = GatewayResponse.complete(
            .seeOther, headers: [.location: wanted.isEmpty ? Link.overview.text : wanted, .cacheControl: "no-store"])
        response.headers[.setCookie] = cookie(text, seconds: Int(lifetime.inSeconds))
        return response
    }

    private func cookie(_ text: String, seconds: Int) -> String {
        "\(Authentication.cookieName)=\(text); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict"
            + (request.isProtected ? "; Secure" : "")
    }

    private func refused(
        _ problem: String, _ user: String, _ next: String, _ status: HTTPResponse.Status
    ) -> GatewayResponse {
        page(
            LoginPage(user: String(user.prefix(96)), problem: problem, next: next, isUnprotected: isUnprotected),
            status: status)
    }

    /// Whether what is typed here would cross a network in the clear.
    private var isUnprotected: Bool {
        guard visitor.mode == .enforced, !request.isProtected else { return false }
        guard case .tcp(let address, _)? = request.remote else { return false }
        return !address.isLoopback
    }

    private func user(_ fields: QueryParameters, _ name: String) async throws -> StoredUser? {
        if isUnprotected {
            throw GatewayError(
                .forbidden,
                "what you sent crossed a network without encryption, and is refused: open this page with https")
        }
        let desk = node.authentication.passwords
        if let token = fields["token"], !token.isEmpty {
            try desk.admit("", source: visitor.source)
            let text = String(token.filter { !$0.isWhitespace })
            guard let owner = node.accounts.owner(ofToken: text, now: node.clock.now().wall) else { return nil }
            desk.succeeded("", source: visitor.source)
            return owner.user
        }
        return try await desk.check(name, fields["password"] ?? "", source: visitor.source, in: node.accounts)
    }

    /// Where to go after logging in: a page of the console and nothing else.
    static func safe(_ next: String?) -> String {
        guard let next, next.utf8.count <= 2_048, next == "/ui" || next.hasPrefix("/ui/") || next.hasPrefix("/ui?"),
            let target = try? RequestTarget(parsing: next), target.segments.first == "ui"
        else { return "" }
        return next
    }

    /// Ends this session: its text is good for nothing from now on.
    func logout() async throws -> GatewayResponse {
        _ = try await form(upTo: 16 << 10)
        visitor.noteChange("logout", "")
        if let text = Authentication.session(in: request.headers[.cookie]) {
            try await node.authentication.endSession(text)
        }
        var response = redirect(to: Link("login"))
        response.headers[.setCookie] = cookie("", seconds: 0)
        return response
    }

    func theme() async throws -> GatewayResponse {
        let fields = try await form(upTo: 16 << 10)
        guard let theme = Frame.Theme(rawValue: fields["theme"] ?? "") else {
            throw GatewayError(.badRequest, "the colours are 'system', 'light' or 'dark'")
        }
        let back = Self.safe(fields["to"])
        var response = GatewayResponse.complete(
            .seeOther, headers: [.location: back.isEmpty ? Link.overview.text : back, .cacheControl: "no-store"])
        response.headers[.setCookie] =
            "\(ConsoleCookies.theme)=\(theme.rawValue); Path=/ui; Max-Age=31536000; HttpOnly; SameSite=Strict"
        return response
    }
}
