/// One thing that options do not hold to.
public struct SchemaViolation: Hashable, Sendable {
    /// Where in the options, as a JSON pointer: `/service/name`; empty for the whole.
    public var path: String
    /// Which word of the schema is not held to: `type`, `required`, `enum`, …
    public var keyword: String
    /// Where in the schema, as a JSON pointer.
    public var schemaPath: String
    /// What is wrong, for people.
    public var message: String
    /// What was found there, where that says more.
    public var found: String?
    /// What would do.
    public var expected: [String] = []
    /// Required options that are missing.
    public var missing: [String] = []
    /// Options that the schema does not allow.
    public var unwanted: [String] = []
    /// The end of a range that was left, in the text of the schema.
    public var limit: String?

    /// As a line: the path with slashes, and what is wrong.
    public var description: String { (path.isEmpty ? "/" : path) + ": " + message }

    /// In the form that Cosmos answers, which clients take apart to show it.
    public var json: JSON {
        var fields = JSONObject([
            "level": .text("error"),
            "schema": .object(JSONObject(["loadingURI": .text("#"), "pointer": .text(schemaPath)])),
            "instance": .object(JSONObject(["pointer": .text(path)])), "domain": .text("validation"),
            "keyword": .text(keyword), "message": .text(message),
        ])
        if let found { fields["found"] = .text(found) }
        if !expected.isEmpty { fields["expected"] = .list(expected.map(JSON.text)) }
        if !missing.isEmpty { fields["missing"] = .list(missing.map(JSON.text)) }
        if !unwanted.isEmpty { fields["unwanted"] = .list(unwanted.map(JSON.text)) }
        if let limit { fields[keyword] = .number(JSONNumber(unchecked: limit)) }
        return .object(fields)
    }
}
