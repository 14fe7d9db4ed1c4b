/// Where an option is: the names that lead to it from the root on.
public struct OptionPath: Hashable, Sendable {
    /// The names.
    public var names: [String]

    /// Makes a path; the empty one is the root.
    public init(_ names: [String] = []) { self.names = names }

    /// As a JSON pointer, such as `/service/name`; empty for the root.
    public var pointer: String { names.map { "/" + SchemaValidation.pointer($0) }.joined() }
    /// As people write it: `service.name`.
    public var dotted: String { names.joined(separator: ".") }

    /// The path of something in what is here.
    public func appending(_ name: String) -> OptionPath { OptionPath(names + [name]) }
}

extension JSONObject {
    /// The value at a path; nil when there is none. The root is the object itself.
    public subscript(path: OptionPath) -> JSON? {
        var value = JSON.object(self)
        for name in path.names {
            guard let below = value[name] else { return nil }
            value = below
        }
        return value
    }

    /// Puts a value at a path, with objects on the way where there are none; nil takes it out, and objects on the way
    /// that become empty by that with it.
    ///
    /// - Parameters:
    ///   - value: the value.
    ///   - path: where; the root cannot be replaced.
    public mutating func set(_ value: JSON?, at path: OptionPath) { set(value, path.names[...]) }

    private mutating func set(_ value: JSON?, _ names: ArraySlice<String>) {
        guard let name = names.first else { return }
        if names.count == 1 {
            self[name] = value
            return
        }
        guard value != nil || self[name]?.object != nil else { return }
        var below = self[name]?.object ?? JSONObject()
        below.set(value, names.dropFirst())
        self[name] = value == nil && below.isEmpty ? nil : .object(below)
    }

    /// What of these options is not what holds anyway: merged over the same defaults, the result gives the same.
    ///
    /// - Parameter defaults: what holds when nobody says otherwise.
    /// - Returns: the rest.
    public func differing(from defaults: JSONObject) -> JSONObject {
        var result = JSONObject()
        for (name, value) in fields {
            guard let usual = defaults[name] else {
                result[name] = value
                continue
            }
            if case .object(let own) = value, case .object(let below) = usual {
                let rest = own.differing(from: below)
                if !rest.isEmpty { result[name] = .object(rest) }
            } else if value != usual {
                result[name] = value
            }
        }
        return result
    }
}
