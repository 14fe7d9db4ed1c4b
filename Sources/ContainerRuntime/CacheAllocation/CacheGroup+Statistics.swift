/// What a class may use and its processes have used, in the shape of the `intel_rdt` member of runc's `events --stats`.
extension CacheGroup {
    func statistics() -> JSONValue {
        var members: [JSONMember] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let value { members.append(JSONMember(name: name, value: value)) }
        }
        let all = lines(in: mountPoint)
        let own = lines(in: path)
        func schema(_ resource: String, _ lines: [String]) -> JSONValue? {
            lines.first { $0.hasPrefix(resource + ":") }.map { .string($0) }
        }
        // The hardware may keep code and data apart; the kernel then has two resources in place of one.
        for cache in ["L3", "L3CODE", "L3DATA"] where members.isEmpty {
            add("l3_cache_info", information(cache, ["cbm_mask"], ["min_cbm_bits", "num_closids"]))
        }
        add("l3_cache_schema_root", schema("L3", all))
        add("l3_cache_schema", schema("L3", own))
        add(
            "mem_bw_info",
            information("MB", [], ["bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids"]))
        add("mem_bw_schema_root", schema("MB", all))
        add("mem_bw_schema", schema("MB", own))
        if !own.isEmpty { add("schemata", .strings(own)) }
        let nodes = measurements()
        add("mbm_stats", nodes.bandwidth)
        add("cmt_stats", nodes.occupancy)
        return .object(members)
    }

    private func lines(in directory: String) -> [String] {
        (CgroupDirectory(path: directory).read("schemata") ?? "").words(10)
            .map { $0.words(UInt8(ascii: " ")).joined() }
    }

    /// The files of `info/RESOURCE`; nil where the hardware has no such resource.
    private func information(_ resource: String, _ texts: [String], _ numbers: [String]) -> JSONValue? {
        let directory = CgroupDirectory(path: "\(mountPoint)/info/\(resource)")
        guard directory.exists else { return nil }
        var members: [JSONMember] = []
        for name in texts {
            if let text = directory.read(name) { members.append(JSONMember(name: name, value: .string(text))) }
        }
        for name in numbers {
            if let number = directory.number(name), number > 0 {
                members.append(JSONMember(name: name, value: .int(number)))
            }
        }
        return .object(members)
    }

    /// Of every cache in `mon_data`, of this container alone where it has a monitor of its own.
    private func measurements() -> (bandwidth: JSONValue?, occupancy: JSONValue?) {
        let data = "\(monitor ?? path)/mon_data"
        var bandwidth: [JSONValue] = []
        var occupancy: [JSONValue] = []
        let names = (try? RuntimeFiles.names(in: data)) ?? nil
        for name in (names ?? []).sorted() where name.hasPrefix("mon_L3_") {
            let node = CgroupDirectory(path: "\(data)/\(name)")
            // "Unavailable" and "Error" are no numbers, and no measurement.
            let (total, local) = (node.number("mbm_total_bytes"), node.number("mbm_local_bytes"))
            if total != nil || local != nil {
                bandwidth.append(
                    .members(("mbm_total_bytes", .int(total ?? 0)), ("mbm_local_bytes", .int(local ?? 0))))
            }
            if let size = node.number("llc_occupancy") { occupancy.append(.members(("llc_occupancy", .int(size)))) }
        }
        return (bandwidth.isEmpty ? nil : .array(bandwidth), occupancy.isEmpty ? nil : .array(occupancy))
    }
}
