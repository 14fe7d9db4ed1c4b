public import Membership

/// Where a member says it can be reached; the name tells it from the endpoints of `Transport`.
public typealias MemberEndpoint = Endpoint
