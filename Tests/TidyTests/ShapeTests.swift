import Testing

@Suite("Shape of files")
struct ShapeTests {
    @Test func `no file has more than 500 lines`() {
        for folder in ["Sources", "Tests"] {
            for file in SourceTree.files(under: folder, endingIn: ".swift") {
                #expect(file.lines.count <= 501, "\(file.path) has \(file.lines.count - 1) lines: one idea a file")
            }
        }
    }

    @Test func `every document has exactly one title`() {
        for file in SourceTree.files(under: "", endingIn: ".md") {
            var inCode = false
            var titles = 0
            for line in file.lines {
                if line.hasPrefix("```") { inCode.toggle() }
                if !inCode, line.hasPrefix("# ") { titles += 1 }
            }
            #expect(titles == 1, "\(file.path) has \(titles) titles")
        }
    }

    @Test func `the tree was found`() {
        #expect(SourceTree.files(under: "Sources", endingIn: ".swift").count > 50)
    }
}
