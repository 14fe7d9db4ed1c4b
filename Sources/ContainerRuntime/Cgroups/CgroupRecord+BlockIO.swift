import Glibc

extension CgroupRecord {
    func applyBlockIO(_ io: BlockIOConfig) throws(RuntimeFailure) {
        guard io != BlockIOConfig() else { return }
        let onlyZeros =
            CgroupConversions.said(io.weight) == nil && CgroupConversions.said(io.leafWeight) == nil
            && io.weightDevice.isEmpty && io.readBps.isEmpty && io.writeBps.isEmpty && io.readIOPS.isEmpty
            && io.writeIOPS.isEmpty
        guard !onlyZeros else { return }
        switch try need("blkio") {
        case .version1(let group): try applyVersion1(io, group)
        case .version2(let group): try applyVersion2(io, group)
        }
    }

    private func applyVersion1(_ io: BlockIOConfig, _ group: CgroupDirectory) throws(RuntimeFailure) {
        // Only the BFQ scheduler knows weights since Linux 5.0, under a name of its own for a while.
        let weightFile = group.has("blkio.weight") ? "blkio.weight" : "blkio.bfq.weight"
        if let weight = CgroupConversions.said(io.weight) { try group.set(weightFile, String(weight)) }
        if let weight = CgroupConversions.said(io.leafWeight) { try group.set("blkio.leaf_weight", String(weight)) }
        for entry in io.weightDevice {
            let device = "\(entry.major):\(entry.minor)"
            if let weight = CgroupConversions.said(entry.weight) {
                try group.set("\(weightFile)_device", "\(device) \(weight)")
            }
            if let weight = CgroupConversions.said(entry.leafWeight) {
                try group.set("blkio.leaf_weight_device", "\(device) \(weight)")
            }
        }
        for (file, list) in [
            ("read_bps_device", io.readBps), ("write_bps_device", io.writeBps), ("read_iops_device", io.readIOPS),
            ("write_iops_device", io.writeIOPS),
        ] {
            for entry in list {
                try group.set("blkio.throttle.\(file)", "\(entry.major):\(entry.minor) \(entry.rate)")
            }
        }
    }

    private func applyVersion2(_ io: BlockIOConfig, _ group: CgroupDirectory) throws(RuntimeFailure) {
        // BFQ has version 1's range of weights; the others of version 2 have a wider one.
        let bfq = group.has("io.bfq.weight")
        let file = bfq ? "io.bfq.weight" : "io.weight"
        func converted(_ weight: UInt16) -> String {
            bfq ? String(weight) : String(CgroupConversions.ioWeight(ofBlkio: weight))
        }
        if let weight = CgroupConversions.said(io.weight) { try group.set(file, converted(weight)) }
        for entry in io.weightDevice {
            guard let weight = CgroupConversions.said(entry.weight) else { continue }
            try group.set(file, "\(entry.major):\(entry.minor) \(converted(weight))")
        }
        for (key, list) in [
            ("rbps", io.readBps), ("wbps", io.writeBps), ("riops", io.readIOPS), ("wiops", io.writeIOPS),
        ] {
            for entry in list { try group.set("io.max", CgroupConversions.ioMax(entry, key)) }
        }
    }
}
