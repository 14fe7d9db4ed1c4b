import ClusterModel
import FoundationEssentials
import HTTPTypes
import Schedules
import Testing

@testable import JobsFramework

@Suite("The copy of the time zones")
struct EmbeddedZoneTests {
    @Test func `it has all names that people use`() {
        let names = Set(ZoneFiles.embeddedNames)
        #expect(names.count > 500)
        for name in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "GMT", "EST"] {
            #expect(names.contains(name))
        }
        #expect(ZoneFiles.embedded("Mars/Olympus") == nil)
    }

    @Test func `it agrees with the files of this machine, where it has some`() throws {
        let folder = "/usr/share/zoneinfo/"
        guard FileManager.default.fileExists(atPath: folder + "Europe/Berlin") else { return }
        var compared = 0
        for name in ZoneFiles.embeddedNames {
            guard let bytes = FileManager.default.contents(atPath: folder + name),
                let host = try? TimeZoneRules(tzif: Array(bytes))
            else { continue }
            let own = try #require(ZoneFiles.embedded(name), "\(name)")
            compared += 1
            // Every 40 hours of three years; governments may have changed the rest since.
            for step in 0..<660 {
                let time = UnixTime(seconds: 1_650_000_000 + Double(step) * 144_000)
                #expect(own.offset(at: time) == host.offset(at: time), "\(name) at \(time)")
            }
        }
        #expect(compared > 500)
    }

    @Test func `without files of the host the copy is asked, and names lead nowhere else`() {
        let files = ZoneFiles(directories: ["/nonexistent"])
        #expect(files.rules("Europe/Berlin")?.offset(at: UnixTime(seconds: 1_720_000_000)) == 7_200)
        #expect(files.rules("UTC") == .utc || files.rules("UTC")?.offset(at: UnixTime(seconds: 0)) == 0)
        #expect(files.rules("../../etc/passwd") == nil)
        #expect(files.rules("/etc/localtime") == nil)
        #expect(files.rules("") == nil)
    }
}
