extension SeccompConfig {
    /// The names of actions, architectures, flags and operators stay words here: which of them work is for the
    /// compiler of the filter to say.
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        defaultAction = try reader.requiredString("defaultAction")
        defaultErrnoRet = try reader.uint32("defaultErrnoRet")
        architectures = try reader.strings("architectures")
        flags = reader.has("flags") ? try reader.strings("flags") : nil
        listenerPath = try reader.filledString("listenerPath")
        listenerMetadata = try reader.filledString("listenerMetadata")
        for rule in try reader.objects("syscalls") {
            syscalls.append(
                SeccompRule(
                    names: try rule.strings("names"), action: try rule.requiredString("action"),
                    errnoRet: try rule.uint32("errnoRet"), args: try Self.arguments(rule)))
        }
    }

    private static func arguments(_ reader: ObjectReader) throws(RuntimeFailure) -> [SeccompRule.Argument] {
        var arguments: [SeccompRule.Argument] = []
        for argument in try reader.objects("args") {
            guard let value = try argument.unsigned("value") else { throw argument.missing("value") }
            arguments.append(
                SeccompRule.Argument(
                    index: try argument.requiredUInt32("index", 0...5), value: value,
                    valueTwo: try argument.unsigned("valueTwo") ?? 0, op: try argument.requiredString("op")))
        }
        return arguments
    }
}
