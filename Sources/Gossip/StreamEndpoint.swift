internal import Transport

/// What `Transport` listens on and connects to; the name tells it from the endpoints of members.
typealias StreamEndpoint = Endpoint
