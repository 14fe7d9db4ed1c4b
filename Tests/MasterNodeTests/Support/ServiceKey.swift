/// A service account's key and what PyJWT 2.6 signed with it for a day on which it is 1,700,000,000; nobody uses it.
enum ServiceKey {
    static let time: Int64 = 1_700_000_000
    static let pem = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyC8WI6z7l3UYJJaFdKiA
        zKiOY8hkVfz3O9KODgn9qRMTHc3c1OiXyDQxwcQCDJKTmA3CE7PLCVv9Q2b5Eonp
        3a3pALqUwBt7zIOw5uU4M8mv+R0A+nQmF4gq47EprnP+84QW8ntFouUykaT1+ejR
        2E795IsSQLuBPMiFBL3DgucE/Pu3KkLWt4VSwZkFM5rG7siULTwRdkH4Kb9jNQRL
        E/ZFD7X98vaSGzg8sVYXyoAxJJDAI+m9PNyNPIBk1ye4MkUeHjSwoP8FDR8nzGmE
        wg9/d5bhf29KlHROTs4BY6z7+x8Di3RLrVxsnZdO/5W/RlGpf6Wh+xR6JFDpRh1g
        KQIDAQAB
        -----END PUBLIC KEY-----
        """
    static let good =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMzYwMH0.sLNu-7uNDUo"
        + "WNwHdtJbJxalU6zVMLHBGSLSB-w8NIQjjJQwGFNHOuL3c8FsqAvAYvv3aTHwZp2rCVu5kaPs4nDlvngPUAQmnrzpjUWt-8rf"
        + "NMzkC7cAmHyKImgjjbcu-Wzd4AFhhMl3kDGphUVV_hVJ8bywZVrWK4npoGL5Uj5WkLOhhf-YHlLBo8pRUho53I8zbOrBNul2"
        + "vhOZNLp1vg63492l-tftg88-G4wrlbx0cohFXIf-cyIxjWSLg_RzmstgDJlkXsBtBjpSru9_jjlTw6Lxj2gBUGp7oXa52IOX"
        + "tmUQAMEkRLMVqnghB4qTE_MGMJyuvaCoc-FP3ypJT-A"
    static let otherKey =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMzYwMH0.Er1VpZvdBW6"
        + "FFksofTJ7uBJ5i-F_lHTINdf5Vn2Re6RrM_Bqv0-Da95GOTJ8j4xPgnBkzl0vtf38iMAQIX7AP4vGtg6Zi3yZ4Xkk9XRwZjc"
        + "PZSDuawchE1W4bCtqM9tHKWgXCDxsbGlykOVmDq_lzSyioLq2qWTm563vnc1EldOkDZjywi2eqETK7-7KG1BZU8zf63MpuvD"
        + "WpBh-6hJVoEeE_XhKa_q56nSFaxBezum6BPuYmHvhK2vdGU0wn-eTOtQRnwDP0vukAzvG9tHLewsqVYVzayDRTBiwd0yKwTY"
        + "s5JO9uuolpgxRe4anbWWD6j7g9s0giuXi545kZHloTQ"
    static let otherUser =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJhbGljZSIsImV4cCI6MTcwMDAwMzYwMH0.IvbHYCgmF3TGork"
        + "QqS3zbBM6f_fKwzeCdwUHwkfYl_Qf06hrc6F-EW-HwOnSO2Zqmqc-6mtrn2E4hFGR1WsgQ8dLFtRcfW5Vi5zP91HRwRtYieN"
        + "JaSG6SMHIN9r2MoyVJa0SkIKVAAcbkh_R1z8PUOVp3VaRx-y1pCv1u1bqA_w1DPwyAOycx7bgp-dZ11BTTA8od8Az06wwNX0"
        + "WK9C04HxNjbicVtN-u53cRWbwWxItQoXegi4xAa1XxC9djUSNztNTzrByQ5HKsZDK2j3Tt-JoiQLCHuL-vzR_D-SfKf3Ptbm"
        + "WwpxVBQ0Fwqw-tAIHyTzT78PLhc9WtORnzU3MvQ"
    static let expired =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTY5OTk5OTk5OX0.kKroL93juiV"
        + "9ckj4IDCWOAzpUh_WZCFU6uMbS3LPPUSB7Dof4uQaEkBiSj4yk_gbfSaD3O9SRRvbP_DrZCl48hEJ2EXnxV9F6DjhF5OU2GG"
        + "0xovXcDq4sE_NrXhJYFYQFXNVcuJNFDSYCvFi6KhXsWBq6sHeq2UOmeQjFkZdoMGJzXQsUYDq5-OMZsSS-_wcfcYEY_u9T6T"
        + "J9Hy-sKmf03L4VksS3nAL7ulzoDir2YSnwHBLyBVBMjDm3c2WSMG93X3k88xMbVB74qO2ERg9fOCNofyDTyPdNPwvANw7Nfw"
        + "V7N45UmDgjM-Cn8_PR6hgcoDpgsLaQZlZIjqunsn1hw"
}
