internal import Console
internal import HTTPGateway
internal import HTTPTypes

extension MasterNode {
    /// A refusal as a page, with the navigation of whoever asked; strangers' browsers are led to where one logs in.
    ///
    /// - Parameters:
    ///   - refusal: what is refused, and why.
    ///   - request: what was asked for.
    ///   - isLocal: whether it came over the unix socket.
    /// - Returns: the answer.
    /// - Throws: what the store of credentials throws.
    func consoleFailure(
        _ refusal: GatewayError, _ request: GatewayRequest, isLocal: Bool
    ) async throws -> GatewayResponse {
        let reads = request.method == .get || request.method == .head
        let isPage = request.headers[.accept]?.contains("text/html") == true && request.headers[.rondoFragment] == nil
        if refusal.status == .unauthorized, reads, isPage {
            let next = ConsoleDesk.safe(request.target.raw)
            let link = Link("login", query: next.isEmpty || next == "/ui" ? [] : [("next", next)])
            return .complete(.seeOther, headers: [.location: link.text, .cacheControl: "no-store"])
        }
        let visitor = try await authentication.visitor(
            request, certificates: request.peerCertificates, isLocal: isLocal, forgives: true)
        let desk = ConsoleDesk(node: self, visitor: visitor, request: request)
        var response = desk.page(
            ErrorPage(status: refusal.status.code, message: refusal.message), status: refusal.status)
        for field in refusal.headers { response.headers[field.name] = field.value }
        return response
    }
}
