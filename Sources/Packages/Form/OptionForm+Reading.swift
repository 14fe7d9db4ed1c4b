/// What somebody put into a form.
extension OptionForm {
    /// The options that the inputs mean, and what is wrong with them.
    public struct Reading: Sendable {
        /// What differs from the defaults: all that is to be kept, so that the defaults of later versions hold.
        public var options: JSONObject
        /// What is wrong; nothing may be installed unless it is empty.
        public var faults: [Fault]
    }

    /// One thing that is wrong.
    public struct Fault: Error, Hashable, Sendable {
        /// Where, as a JSON pointer; empty for the whole.
        public var pointer: String
        /// What is wrong, for people.
        public var message: String

        /// Makes a fault.
        public init(_ pointer: String, _ message: String) {
            self.pointer = pointer
            self.message = message
        }
    }

    /// Reads inputs.
    ///
    /// An input that is as the form had it changes nothing, and so does one that is absent: what somebody asked for
    /// before stays, also what has no field. An empty input of a number, a choice or JSON leaves the option to its
    /// default; an empty text is a text where there is a default, and nothing where there is none.
    ///
    /// - Parameter inputs: what stands in the inputs, by the pointers of the fields' paths.
    /// - Returns: the options and what is wrong.
    public func reading(_ inputs: [String: String]) -> Reading {
        var options = given
        var faults: [Fault] = []
        for field in fields {
            guard let input = inputs[field.path.pointer].map(Self.unified), input != field.input else { continue }
            do throws(Fault) {
                options.set(try field.meant(by: input), at: field.path)
            } catch { faults.append(error) }
        }
        let (unread, checked) = (Set(faults.map(\.pointer)), Self.faults(schema, options))
        faults += checked.filter { !unread.contains($0.pointer) }
        return Reading(options: options.differing(from: defaults), faults: faults)
    }

    /// What is wrong with options, by the place of what is wrong: that something is missing is said where it is missing.
    ///
    /// - Parameters:
    ///   - schema: the schema.
    ///   - options: what somebody asked for.
    /// - Returns: at most a few hundred faults.
    public static func faults(_ schema: OptionSchema, _ options: JSONObject) -> [Fault] {
        let merged = schema.defaults.merging(options)
        guard !merged.isEmpty else { return [] }
        return schema.violations(of: merged).flatMap { violation -> [Fault] in
            guard violation.keyword == "required", !violation.missing.isEmpty else {
                return [Fault(violation.path, violation.message)]
            }
            return violation.missing.prefix(100).map {
                Fault(violation.path + "/" + SchemaValidation.pointer($0), "is required, and has no default")
            }
        }
    }

    /// Reads options that somebody wrote as JSON; nothing is an empty object.
    ///
    /// - Parameter text: the text.
    /// - Returns: the options.
    /// - Throws: ``Fault`` at the root when it is no object.
    public static func options(json text: String) throws(Fault) -> JSONObject {
        if text.allSatisfy(\.isWhitespace) { return JSONObject() }
        let json: JSON
        do throws(JSONFault) {
            json = try JSON(parsing: Array(text.utf8), limits: PackageLimits.options)
        } catch { throw Fault("", "the options are not JSON: \(error)") }
        guard let object = json.object else {
            throw Fault("", "the options are of type \(json.kind), expected object: {\"service\": {…}}")
        }
        return object
    }

    /// Line ends as they are in options: browsers send others.
    private static func unified(_ input: String) -> String {
        guard input.utf8.contains(0x0d) else { return input }
        var result = String.UnicodeScalarView()
        var isAfterReturn = false
        for scalar in input.unicodeScalars {
            if scalar == "\r" {
                result.append("\n")
            } else if scalar != "\n" || !isAfterReturn {
                result.append(scalar)
            }
            isAfterReturn = scalar == "\r"
        }
        return String(result)
    }
}

extension OptionForm.Field {
    /// The value that an input means; nil for none.
    func meant(by input: String) throws(OptionForm.Fault) -> JSON? {
        func fault(_ message: String) -> OptionForm.Fault { OptionForm.Fault(path.pointer, message) }
        guard input.utf8.count <= OptionFormLimits.input else {
            throw fault("has \(input.utf8.count) bytes, at most \(OptionFormLimits.input) are taken")
        }
        switch kind {
        case .flag:
            switch input {
            case "true", "on": return .flag(true)
            case "false", "": return .flag(false)
            default: throw fault("is \"\(input.prefix(40))\", expected true or false")
            }
        case .choice(let choices, _):
            if let choice = choices.first(where: { $0.input == input || $0.json == input }) {
                return try? JSON(parsing: Array(choice.json.utf8), limits: PackageLimits.options)
            }
            if input.isEmpty { return nil }
            throw fault("\"\(input.prefix(40))\" is none of the values to choose from")
        case .number(let isWhole, _, _):
            let text = input.trimmed
            if text.isEmpty { return nil }
            let value = try? JSON(parsing: Array(text.utf8), limits: PackageLimits.options)
            guard case .number(let number)? = value, number.isInteger || !isWhole else {
                throw fault("\"\(input.prefix(40))\" is no \(isWhole ? "whole " : "")number")
            }
            return value
        case .line, .lines(isEncoded: false): return input.isEmpty && (usual == nil || isUnshown) ? nil : .text(input)
        case .lines(isEncoded: true):
            return input.isEmpty && usual == nil ? nil : .text(Base64.text(Array(input.utf8)))
        case .json:
            if input.trimmed.isEmpty { return nil }
            do throws(JSONFault) {
                return try JSON(parsing: Array(input.utf8), limits: PackageLimits.options)
            } catch { throw fault("is not JSON: \(error)") }
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
