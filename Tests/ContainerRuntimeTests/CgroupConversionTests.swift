import Testing

@testable import ContainerRuntime

/// Values of the specification as version 2 has them; no kernel needed.
struct CgroupConversionTests {
    @Test(arguments: [
        (0 as UInt64, 1 as UInt64), (2, 1), (3, 2), (1024, 100), (2048, 174), (262_144, 10_000), (.max, 10_000),
    ])
    func `shares become weights with the usual value in its place`(shares: UInt64, weight: UInt64) {
        #expect(CgroupConversions.weight(ofShares: shares) == weight)
    }

    @Test func `more shares never become less weight`() {
        var last: UInt64 = 0
        for shares in stride(from: UInt64(2), through: 262_144, by: 37) {
            let weight = CgroupConversions.weight(ofShares: shares)
            #expect((last...10_000).contains(weight))
            last = weight
        }
    }

    @Test(arguments: [(10 as UInt16, 1 as UInt64), (1000, 10_000), (500, 4950), (0, 1), (.max, 10_000)])
    func `weights of block devices get version 2's range`(weight: UInt16, expected: UInt64) {
        #expect(CgroupConversions.ioWeight(ofBlkio: weight) == expected)
    }

    @Test(arguments: [
        (nil, nil, nil), (0 as Int64?, 100 as Int64?, nil as String?), (nil, -1, "max"), (-1, 100, "max"),
        (100, 100, "0"), (300, 100, "200"),
    ])
    func `swap is what is left of memory and swap`(swap: Int64?, limit: Int64?, expected: String?) throws {
        #expect(try CgroupConversions.swapMax(swap: swap, limit: limit) == expected)
    }

    @Test(arguments: [(100 as Int64, nil as Int64?), (100, -1), (99, 100), (-2, 100)])
    func `swap that version 2 cannot express is refused`(swap: Int64, limit: Int64?) {
        #expect(throws: RuntimeFailure.self) { try CgroupConversions.swapMax(swap: swap, limit: limit) }
    }

    @Test func `quota and period keep what is not said`() {
        #expect(CgroupConversions.cpuMax(quota: 5000, period: nil, before: nil) == "5000 100000")
        #expect(CgroupConversions.cpuMax(quota: 5000, period: nil, before: "max 20000") == "5000 20000")
        #expect(CgroupConversions.cpuMax(quota: nil, period: 50_000, before: "7000 20000") == "7000 50000")
        #expect(CgroupConversions.cpuMax(quota: -1, period: 50_000, before: "7000 20000") == "max 50000")
    }

    @Test func `limits of processes and devices have version 2's words`() {
        #expect([-1, 0, 7].map(CgroupConversions.pidsMax) == ["max", "1", "7"])
        #expect([nil, 0, -1, 7].map(CgroupConversions.limit) == [nil, nil, "max", "7"])
        #expect(CgroupConversions.ioMax(.init(major: 8, minor: 1, rate: 9), "rbps") == "8:1 rbps=9")
        #expect(CgroupConversions.ioMax(.init(major: 8, minor: 1, rate: 0), "wiops") == "8:1 wiops=max")
        #expect(
            CgroupConversions.rdmaMax(device: "mlx5_1", hcaHandles: 3, hcaObjects: nil) == "mlx5_1 hca_handle=3")
    }

    @Test func `statistics files are read strictly`() {
        #expect(CgroupStatistics.list("0-2,7") == [0, 1, 2, 7])
        #expect(CgroupStatistics.list("") == [])
        #expect(CgroupStatistics.list("3-1,x,99999999,5") == [5])
        #expect(
            CgroupStatistics.blockIO("8:0 Read 5\n8:16 12\nTotal 17\n8:x Read 1").map { $0.text() } == [
                #"{"major":8,"op":"Read","value":5}"#, #"{"major":8,"minor":16,"value":12}"#,
            ])
        let (bytes, operations) = CgroupStatistics.ioStat("8:0 rbytes=1 wbytes=2 rios=3 odd=x\nbroken")
        #expect(bytes.count == 2)
        #expect(operations.map { $0.text() } == [#"{"major":8,"op":"Read","value":3}"#])
        #expect(
            CgroupStatistics.pressure("some avg10=0.50 total=3\nfull avg10=0.00 total=x")?.text()
                == #"{"some":{"avg10":0.50,"total":3},"full":{"avg10":0.00}}"#)
        #expect(CgroupStatistics.pressure("") == nil)
    }
}
