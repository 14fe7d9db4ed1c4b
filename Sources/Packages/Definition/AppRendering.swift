/// Why options and a package do not become a service.
public enum RenderingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The package has no service: it is a command line only.
    case noTemplate
    /// The package takes no options.
    case optionsNotAllowed
    /// The options do not hold to the package's schema.
    case optionsMismatch([SchemaViolation])
    /// The template cannot be read or shown.
    case template(TemplateFault)
    /// What it makes is no JSON.
    case notJSON(JSONFault)
    /// What it makes is no object.
    case notObject
    /// The labels in what it makes are not texts.
    case labelsNotTexts

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .noTemplate: "the package has no service to install; it is a command line only"
        case .optionsNotAllowed: "the package takes no options; install it without"
        case .optionsMismatch(let violations):
            "the options do not hold to the package's schema: "
                + violations.map(\.description).joined(separator: "; ")
        case .template(let fault): "the package's template cannot be used: \(fault)"
        case .notJSON(let fault): "what the package's template makes of these options is not JSON: \(fault)"
        case .notObject: "what the package's template makes is not an object"
        case .labelsNotTexts: "the labels in what the package's template makes are not all texts"
        }
    }
}

extension PackageDefinition {
    /// The options that hold: the defaults, with what somebody asked for over them.
    ///
    /// - Parameter wanted: what somebody asked for.
    /// - Returns: all options, with the defaults.
    /// - Throws: ``RenderingError`` when they do not hold to the schema, or the package takes none.
    public func options(with wanted: JSONObject) throws(RenderingError) -> JSONObject {
        guard let schema else {
            if wanted.isEmpty { return wanted }
            throw .optionsNotAllowed
        }
        let merged = schema.defaults.merging(wanted)
        // As in Cosmos, a package whose options are all left out is not asked what it requires.
        guard !merged.isEmpty else { return merged }
        let violations = schema.violations(of: merged)
        if violations.isEmpty { return merged }
        throw .optionsMismatch(violations)
    }

    /// The definition of the service that this package becomes with these options, in Marathon's JSON and without the
    /// labels that say where it comes from.
    ///
    /// - Parameters:
    ///   - wanted: what somebody asked for; the rest is as the schema has it.
    ///   - limits: how much the template may make.
    /// - Returns: the service's definition.
    /// - Throws: ``RenderingError`` when the options or the template are wrong.
    public func app(
        with wanted: JSONObject = JSONObject(), limits: Template.Limits = Template.Limits()
    ) throws(RenderingError) -> JSONObject {
        guard let source = template else { throw .noTemplate }
        var values = try options(with: wanted)
        // Where its parts are found is the package's to say, whatever the options have under that name.
        if let resource { values = values.merging(JSONObject(["resource": .object(resource)])) }
        let text: String
        do throws(TemplateFault) {
            text = try Template(source).rendered(with: values, limits: limits)
        } catch {
            throw .template(error)
        }
        let json: JSON
        do throws(JSONFault) {
            json = try JSON(parsing: Array(text.utf8), limits: PackageLimits.app)
        } catch {
            throw .notJSON(error)
        }
        guard let app = json.object else { throw .notObject }
        switch app["labels"] {
        case nil, .null?: break
        case let labels?:
            guard let object = labels.object, object.values.allSatisfy({ $0.text != nil }) else {
                throw .labelsNotTexts
            }
        }
        return app
    }
}
