/// Checks a definition. Repositories are older than the rules for what is in them: only what something depends on is
/// insisted on.
struct DefinitionReading {
    private let fields: JSONObject
    private(set) var defects: [PackageRefusal.Defect] = []
    private(set) var packagingVersion: PackagingVersion?
    private(set) var name: String?
    private(set) var version: String?
    private(set) var releaseVersion = 0
    private(set) var minimumRelease: ReleaseNumber?

    init(_ json: JSON) {
        fields = json.object ?? JSONObject()
        if json.object == nil { note("", "is no object") }
    }

    private mutating func note(_ field: String, _ message: String) {
        if defects.count < 32 { defects.append(.init("/" + field, message)) }
    }

    mutating func readAll() {
        guard defects.isEmpty else { return }
        readNames()
        readForm()
        for field in ["maintainer", "scm", "website", "preInstallNotes", "postInstallNotes", "postUninstallNotes"] {
            check(field, "text") { $0.text != nil }
        }
        check("description", "text of at most \(PackageLimits.descriptionBytes) bytes") {
            $0.text.map { $0.utf8.count <= PackageLimits.descriptionBytes } == true
        }
        for field in ["framework", "selected", "hasKnownIssues"] { check(field, "truth value") { $0.flag != nil } }
        for field in ["tags", "upgradesFrom", "downgradesTo"] {
            check(field, "list of at most \(PackageLimits.words) short texts") { value in
                guard let list = value.list, list.count <= PackageLimits.words else { return false }
                return list.allSatisfy { $0.text.map { $0.utf8.count <= 1_024 } == true }
            }
        }
        for field in ["config", "resource", "command", "marathon"] { check(field, "object") { $0.object != nil } }
        check("licenses", "list") { $0.list != nil }
        readTemplate()
    }

    /// A field that may be absent or null must fit when it is there.
    private mutating func check(_ field: String, _ what: String, _ fits: (JSON) -> Bool) {
        if let value = fields[field], value != .null, !fits(value) { note(field, "is not a \(what)") }
    }

    private mutating func readNames() {
        for (field, isFit) in [("name", Self.isName), ("version", Self.isVersion)] {
            guard let text = fields[field]?.text else {
                note(field, "is missing")
                continue
            }
            guard isFit(text) else {
                note(field, "'\(Self.shown(text))' has characters or a length that are not allowed")
                continue
            }
            if field == "name" { name = text } else { version = text }
        }
    }

    /// Names become parts of paths, labels and commands.
    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= PackageLimits.nameBytes, isLetter(first) else {
            return false
        }
        return text.utf8.allSatisfy { isLetter($0) || "-_.".utf8.contains($0) }
    }

    private static func isVersion(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= PackageLimits.nameBytes, text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"/\\\"'<>&*`$;|?#".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    private static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(64).map { $0.value < 0x20 ? "?" : $0 }))
    }

    private mutating func readForm() {
        let form = fields["packagingVersion"]?.text
        packagingVersion = form.flatMap(PackagingVersion.init)
        if packagingVersion == nil {
            let known = PackagingVersion.allCases.map(\.rawValue).joined(separator: ", ")
            note("packagingVersion", "is \(form.map { "'\(Self.shown($0))'" } ?? "missing"), known are \(known)")
        }
        switch fields["releaseVersion"] {
        case nil, .null?: break
        case let value?:
            if let number = value.integer, (0...1 << 53).contains(number) {
                releaseVersion = number
            } else {
                note("releaseVersion", "is not a whole number from 0 on")
            }
        }
        if let value = fields["minDcosReleaseVersion"], value != .null {
            minimumRelease = value.text.flatMap(ReleaseNumber.init)
            if minimumRelease == nil { note("minDcosReleaseVersion", "is not a release such as 1.10") }
        }
    }

    private mutating func readTemplate() {
        guard let marathon = fields["marathon"]?.object, let template = marathon["v2AppMustacheTemplate"] else {
            return
        }
        guard let text = template.text, text.utf8.count <= 2 * Template.bytesMax, let bytes = Base64.bytes(text) else {
            note("marathon/v2AppMustacheTemplate", "is not Base64 of at most \(Template.bytesMax) bytes")
            return
        }
        if bytes.count > Template.bytesMax {
            note("marathon/v2AppMustacheTemplate", "is not Base64 of at most \(Template.bytesMax) bytes")
        } else if String(validating: bytes, as: UTF8.self) == nil {
            note("marathon/v2AppMustacheTemplate", "is not UTF-8")
        }
    }
}
