public import ClusterModel

/// How resources are written for a reader: which form of reservations it understands, and whose they are.
public struct ResourceForm: Hashable, Sendable {
    /// The forms that the interface has had for reservations.
    public enum Reservations: Hashable, Sendable {
        /// `role` and `reservation`: at most one reservation. For frameworks without RESERVATION_REFINEMENT, which are
        /// never offered resources with more than one.
        case older
        /// `reservations`, a stack. For frameworks with RESERVATION_REFINEMENT.
        case refined
        /// Both where one reservation allows it. For the operator interface and its many kinds of readers.
        case both
    }

    /// The form of reservations.
    public var reservations: Reservations
    /// Written as `allocation_info.role` when set.
    public var role: RoleName?

    /// Makes a form.
    public init(_ reservations: Reservations, allocatedTo role: RoleName? = nil) {
        self.reservations = reservations
        self.role = role
    }

    /// The form for resources offered to a framework in a role. The allocation is always told: frameworks with one role
    /// ignore it, and tools that show offers rely on it.
    public init(for capabilities: Set<FrameworkCapability>, role: RoleName) {
        reservations = capabilities.contains(.reservationRefinement) ? .refined : .older
        self.role = role
    }
}

extension Resources {
    /// Reads resources, with reservations in either form. Whom they are allocated to is not read.
    /// - Throws: `.invalidField` or `.missingField` with the path from the list on, such as `[3].scalar`; an empty path
    ///   when the resources do not go together.
    public init(_ wire: [WireResource]) throws(WireError) {
        var items: [Resource] = []
        items.reserveCapacity(wire.count)
        for (index, one) in wire.enumerated() {
            items.append(try within("[\(index)]") { () throws(WireError) in try Resource(one) })
        }
        do { try self.init(items) } catch { throw .invalidField(path: "", problem: "has \(error)") }
    }

    /// The messages for these resources.
    public func wire(_ form: ResourceForm) -> [WireResource] { items.map { WireResource($0, form) } }
}

extension Resource {
    /// Reads one resource, with its reservations in either form.
    /// - Throws: `.invalidField` or `.missingField` with the path in the message.
    public init(_ wire: WireResource) throws(WireError) {
        if wire.hasProviderID {
            throw .invalidField(path: "provider_id", problem: "is set; resource providers are not supported")
        }
        if wire.name.isEmpty || wire.name.utf8.count > 255 {
            throw .invalidField(path: "name", problem: "must have 1 to 255 bytes")
        }
        let disk = try wire.hasDisk ? within("disk") { () throws(WireError) in try DiskDetails(wire.disk) } : nil
        if disk != nil, wire.name != "disk" {
            throw .invalidField(path: "disk", problem: "is only allowed for the resource named disk")
        }
        if wire.hasShared, disk?.persistenceID == nil {
            throw .invalidField(path: "shared", problem: "is only allowed for persistent volumes")
        }
        self.init(
            kind: ResourceKind(
                name: wire.name, reservations: try Self.reservations(of: wire), disk: disk,
                isRevocable: wire.hasRevocable, isShared: wire.hasShared),
            value: try Self.value(of: wire))
    }

    private static func value(of wire: WireResource) throws(WireError) -> ResourceValue {
        switch (wire.name, wire.type) {
        case ("cpus", .scalar), ("mem", .scalar), ("disk", .scalar), ("gpus", .scalar), ("ports", .ranges): break
        case ("cpus", _), ("mem", _), ("disk", _), ("gpus", _):
            throw .invalidField(path: "type", problem: "must be SCALAR for \(wire.name)")
        case ("ports", _): throw .invalidField(path: "type", problem: "must be RANGES for ports")
        default: break
        }
        switch wire.type {
        case .scalar:
            guard wire.hasScalar else { throw .missingField(path: "scalar") }
            guard let quantity = Quantity(wire.scalar.value) else {
                throw .invalidField(path: "scalar.value", problem: "must be a number from 0 to 9000000000000")
            }
            if wire.name == "gpus", quantity.thousandths % 1_000 != 0 {
                throw .invalidField(path: "scalar.value", problem: "must be a whole number for gpus")
            }
            return .scalar(quantity)
        case .ranges:
            guard wire.hasRanges else { throw .missingField(path: "ranges") }
            return .ranges(try within("ranges") { () throws(WireError) in try RangeSet(wire.ranges) })
        case .set:
            guard wire.hasSet else { throw .missingField(path: "set") }
            let names = Set(wire.set.item)
            if names.count != wire.set.item.count { throw .invalidField(path: "set.item", problem: "has a name twice") }
            return .set(names)
        case .text: throw .invalidField(path: "type", problem: "is TEXT, which resources cannot have")
        }
    }

    private static func reservations(of wire: WireResource) throws(WireError) -> [Reservation] {
        let role = try within("role") { () throws(WireError) in try RoleName.checked(wire.role) }
        if !wire.reservations.isEmpty { return try refined(wire, role) }
        if !wire.hasReservation {
            return role == .everyone ? [] : [Reservation(kind: .fixed, role: role)]
        }
        if role == .everyone {
            throw .invalidField(path: "reservation", problem: "needs a 'role' other than '*'")
        }
        return [reservation(wire.reservation, kind: .dynamic, role: role)]
    }

    private static func refined(_ wire: WireResource, _ role: RoleName) throws(WireError) -> [Reservation] {
        var stack: [Reservation] = []
        for (index, one) in wire.reservations.enumerated() {
            let next = try within("reservations[\(index)]") { () throws(WireError) in
                guard one.hasRole else { throw .missingField(path: "role") }
                let role = try within("role") { () throws(WireError) in try RoleName.checked(one.role) }
                if role == .everyone { throw .invalidField(path: "role", problem: "must not be '*'") }
                if let outer = stack.last, !role.value.hasPrefix(outer.role.value + "/") {
                    throw .invalidField(path: "role", problem: "must be below the role '\(outer.role)' before it")
                }
                switch one.type {
                case .static where index == 0: return reservation(one, kind: .fixed, role: role)
                case .static: throw .invalidField(path: "type", problem: "may be STATIC for the first one only")
                case .dynamic: return reservation(one, kind: .dynamic, role: role)
                case .unknown: throw .invalidField(path: "type", problem: "must be STATIC or DYNAMIC")
                }
            }
            stack.append(next)
        }
        // Readers of the operator interface get both forms and may send them back.
        let outerFormAgrees = stack.count == 1 && role == stack[0].role
        if wire.hasRole, role != .everyone || wire.hasReservation, !outerFormAgrees {
            throw .invalidField(path: "role", problem: "must not be set when 'reservations' is")
        }
        if wire.hasReservation, !outerFormAgrees {
            throw .invalidField(path: "reservation", problem: "must not be set when 'reservations' is")
        }
        return stack
    }

    private static func reservation(
        _ wire: WireResource.ReservationInfo, kind: Reservation.Kind, role: RoleName
    ) -> Reservation {
        Reservation(
            kind: kind, role: role, principal: wire.hasPrincipal ? wire.principal : nil,
            labels: wire.labels.labels.map { Label($0) })
    }
}

extension WireResource {
    /// Makes the message for one resource.
    public init(_ resource: Resource, _ form: ResourceForm) {
        self.init()
        name = resource.kind.name
        switch resource.value {
        case .scalar(let quantity):
            type = .scalar
            scalar = WireValue.Scalar(quantity)
        case .ranges(let set):
            type = .ranges
            ranges = WireValue.Ranges(set)
        case .set(let names):
            type = .set
            set.item = names.sorted()
        }
        if let disk = resource.kind.disk { self.disk = DiskInfo(disk) }
        if resource.kind.isRevocable { revocable = RevocableInfo() }
        if resource.kind.isShared { shared = SharedInfo() }
        if let role = form.role { allocationInfo.role = role.value }
        let stack = resource.kind.reservations
        // A stack of several cannot be said in the older form; leaving it out would make the resource look free.
        if form.reservations != .older || stack.count > 1 { reservations = stack.map { ReservationInfo($0) } }
        if form.reservations != .refined, stack.count <= 1 {
            role = resource.kind.role.value
            if let one = stack.first, one.kind == .dynamic {
                reservation = ReservationInfo()
                if let principal = one.principal { reservation.principal = principal }
                if !one.labels.isEmpty { reservation.labels = WireLabels(one.labels) }
            }
        }
    }
}

extension WireResource.ReservationInfo {
    /// Makes the message for one layer of the refined form.
    public init(_ reservation: Reservation) {
        self.init()
        type = reservation.kind == .fixed ? .static : .dynamic
        role = reservation.role.value
        if let principal = reservation.principal { self.principal = principal }
        if !reservation.labels.isEmpty { labels = WireLabels(reservation.labels) }
    }
}
