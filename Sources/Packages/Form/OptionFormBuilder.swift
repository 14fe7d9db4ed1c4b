/// Makes a form of a schema.
struct OptionFormBuilder {
    let root: JSONObject
    let defaults: JSONObject
    let current: JSONObject
    private(set) var leftOut = 0
    private var fieldsLeft = OptionFormLimits.fields
    private var propertiesLeft = OptionFormLimits.properties

    init(root: JSONObject, defaults: JSONObject, current: JSONObject) {
        self.root = root
        self.defaults = defaults
        self.current = current
    }

    /// A section of an object's properties.
    ///
    /// - Parameters:
    ///   - schema: the object's schema.
    ///   - path: where the object is.
    ///   - title: what it is called.
    ///   - isThere: whether there is such an object, so that what it requires is required.
    ///   - depth: how many sections it is in.
    /// - Returns: the section.
    mutating func section(
        _ schema: JSONObject, at path: OptionPath, title: String, isThere: Bool, depth: Int
    ) -> OptionForm.Section {
        var section = OptionForm.Section(path: path, title: title, description: Self.description(schema))
        let required = Set((schema["required"]?.list ?? []).prefix(10_000).compactMap(\.text))
        var needed: [OptionForm.Item] = []
        var fields: [OptionForm.Item] = []
        var sections: [OptionForm.Item] = []
        for (name, property) in zip(
            schema["properties"]?.object?.names ?? [], schema["properties"]?.object?.values ?? [])
        {
            guard propertiesLeft > 0, fieldsLeft > 0, name.isPrintable(lines: false), name.utf8.count <= 1_024 else {
                leftOut += 1
                continue
            }
            propertiesLeft -= 1
            guard let property = property.object.flatMap({ resolved($0) }) else { continue }
            let place = path.appending(name)
            let isRequired = isThere && required.contains(name)
            if isSection(property, at: place), depth < OptionFormLimits.depth {
                let isThere = isRequired || current[place]?.object != nil
                let below = self.section(
                    property, at: place, title: Self.title(property, name), isThere: isThere, depth: depth + 1)
                if !below.items.isEmpty { sections.append(.section(below)) }
            } else {
                fieldsLeft -= 1
                let field = field(property, at: place, title: Self.title(property, name), isRequired: isRequired)
                if field.isNeeded { needed.append(.field(field)) } else { fields.append(.field(field)) }
            }
        }
        section.items = needed + fields + sections.filter { $0.needed > 0 } + sections.filter { $0.needed == 0 }
        return section
    }

    /// What a schema refers to instead of saying it. References of references are followed a few times, those to other
    /// documents never.
    private func resolved(_ schema: JSONObject) -> JSONObject? {
        var schema = schema
        for _ in 0..<8 {
            guard let reference = schema["$ref"]?.text else { return schema }
            guard let target = SchemaValidation(root).target(of: reference)?.object else { return JSONObject() }
            schema = target
        }
        return JSONObject()
    }

    private func isSection(_ schema: JSONObject, at path: OptionPath) -> Bool {
        guard let properties = schema["properties"]?.object, !properties.isEmpty else { return false }
        let types = Self.types(schema)
        guard types.isEmpty || types == ["object"] else { return false }
        // What is no object stands in a field, where it can be seen.
        let value = current[path]
        return value == nil || value?.object != nil
    }

    private func field(
        _ schema: JSONObject, at path: OptionPath, title: String, isRequired: Bool
    ) -> OptionForm.Field {
        let (usual, value) = (defaults[path], current[path])
        var field = OptionForm.Field(
            path: path, title: title, description: Self.description(schema),
            kind: Self.kind(schema, usual: usual, value: value, isRequired: isRequired), usual: usual, value: value,
            isRequired: isRequired)
        field.pattern = schema["pattern"]?.text.map { String($0.prefix(OptionFormLimits.title)) }
        if field.kind == .line || field.kind == .lines(isEncoded: false) {
            field.isSecret = Self.isSecret(path.names.last ?? "", schema)
        }
        field.isUnshown = field.isSecret || !field.input.isPrintable(lines: true)
        return field
    }

    // MARK: texts

    private static func title(_ schema: JSONObject, _ name: String) -> String {
        let title = schema["title"]?.text ?? ""
        return String((title.isEmpty ? name : title).prefix(OptionFormLimits.title))
    }

    private static func description(_ schema: JSONObject) -> String {
        String((schema["description"]?.text ?? "").prefix(OptionFormLimits.description))
    }

    /// Words at the end of names of options that hold what nobody should see. The path of a secret is none.
    private static let secretWords = [
        "password", "passwd", "passphrase", "token", "secretkey", "privatekey", "accesskey", "secretaccesskey",
        "apikey",
        "licensekey",
    ]

    private static func isSecret(_ name: String, _ schema: JSONObject) -> Bool {
        if schema["media"]?["type"]?.text?.hasPrefix("application/x-") == true { return false }
        if schema["format"]?.text == "password" { return true }
        let letters = name.lowercased().filter { $0.isLetter || $0.isNumber }
        return secretWords.contains { letters.hasSuffix($0) }
    }

    // MARK: kinds

    private static func types(_ schema: JSONObject) -> [String] {
        let types = schema["type"].map { $0.list ?? [$0] } ?? []
        return types.prefix(16).compactMap(\.text).filter { $0 != "null" }
    }

    private static func kind(
        _ schema: JSONObject, usual: JSON?, value: JSON?, isRequired: Bool
    ) -> OptionForm.Kind {
        let kind = wantedKind(schema, usual: usual, value: value, isRequired: isRequired)
        // A value that the input cannot hold is shown as it is.
        if let value, kind.input(value) == nil { return .json }
        return kind
    }

    private static func wantedKind(
        _ schema: JSONObject, usual: JSON?, value: JSON?, isRequired: Bool
    ) -> OptionForm.Kind {
        let types = types(schema)
        let type = types.first ?? (usual ?? value)?.kind
        guard types.count <= 1 else { return .json }
        let allowed = schema["enum"]?.list
        if type == "boolean", usual != nil {
            let isOpen = allowed.map { $0.contains(.flag(true)) && $0.contains(.flag(false)) } ?? true
            if isOpen { return .flag }
        }
        if let choices = choices(type == "boolean" ? allowed ?? [.flag(true), .flag(false)] : allowed, value) {
            return .choice(choices, orNone: usual == nil)
        }
        switch type {
        case "integer", "number":
            func limit(_ name: String) -> String? {
                if case .number(let number)? = schema[name], number.text.utf8.count <= 40 { number.text } else { nil }
            }
            return .number(isWhole: type == "integer", least: limit("minimum"), most: limit("maximum"))
        case "string":
            let media = schema["media"]?.object
            if media?["binaryEncoding"] == .text("base64") { return .lines(isEncoded: true) }
            let text = (value ?? usual)?.text ?? ""
            let isLong =
                text.utf8.count > OptionFormLimits.line || text.unicodeScalars.contains("\n")
                || Self.isLong(media?["type"]?.text ?? "")
            return isLong ? .lines(isEncoded: false) : .line
        default: return .json
        }
    }

    /// Kinds of texts that have several lines.
    private static func isLong(_ media: String) -> Bool {
        media.hasPrefix("text/") || ["application/x-yaml", "application/json", "application/xml"].contains(media)
    }

    private static func choices(_ allowed: [JSON]?, _ value: JSON?) -> [OptionForm.Choice]? {
        guard var allowed, !allowed.isEmpty, allowed.count <= OptionFormLimits.choices else { return nil }
        // What holds is shown, also where the schema does not allow it.
        if let value, !allowed.contains(value) { allowed.append(value) }
        guard allowed.allSatisfy({ $0.bytes.count <= 1_024 && $0.wire.isPrintable(lines: false) }) else { return nil }
        let isPlain = allowed.allSatisfy { $0.text.map { !$0.isEmpty && $0.isPrintable(lines: false) } ?? false }
        return allowed.map { value in
            let json = value.wire
            return OptionForm.Choice(input: isPlain ? value.text ?? json : json, json: json)
        }
    }
}
