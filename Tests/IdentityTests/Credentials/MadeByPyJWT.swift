/// Keys and tokens made by PyJWT 2.6 and cryptography 38; the time is 1,700,000,000. Nobody uses these keys.
enum MadeByPyJWT {
    static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAta3/pmhbfIoyFB4vjeUD
        TkuoD9usP1dWSiJkp3+srB+PYUNFuVFFtENUVpf+nQhuIRooXuF0FncA6gaokM/S
        B1kFCS0dJaiVkPOadmIjBe2SzGmgcygp+FCXFgXZ+PKaNn+DL4cuFzEQSmyjAfnF
        bC3PCfYD/2nuPddll4/OGf94lEv6VbUU1vl9rEFBwC1gMgUZh5Wi/tfkkndG26+/
        cgwzgRlv52wTwG7FW0jUWMEJl1m5yJkXmXN3zz8Ex41RgJlEYsVTMbgNIPC8344N
        4iZ8rBT93FyRQ6GyVgykj6pCJLWKq9VT5gs4gHrJX7VuM7SQXYWPxUSt21AhAa6Y
        cQIDAQAB
        -----END PUBLIC KEY-----
        """
    static let pkcs1 = """
        -----BEGIN RSA PUBLIC KEY-----
        MIIBCgKCAQEAta3/pmhbfIoyFB4vjeUDTkuoD9usP1dWSiJkp3+srB+PYUNFuVFF
        tENUVpf+nQhuIRooXuF0FncA6gaokM/SB1kFCS0dJaiVkPOadmIjBe2SzGmgcygp
        +FCXFgXZ+PKaNn+DL4cuFzEQSmyjAfnFbC3PCfYD/2nuPddll4/OGf94lEv6VbUU
        1vl9rEFBwC1gMgUZh5Wi/tfkkndG26+/cgwzgRlv52wTwG7FW0jUWMEJl1m5yJkX
        mXN3zz8Ex41RgJlEYsVTMbgNIPC8344N4iZ8rBT93FyRQ6GyVgykj6pCJLWKq9VT
        5gs4gHrJX7VuM7SQXYWPxUSt21AhAa6YcQIDAQAB
        -----END RSA PUBLIC KEY-----
        """
    static let weakKey = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDBdLFpRPO+zBjN6kPZvtIDZmP5
        LxvslFdNqOW/uOfZvZMW/wvXQIsC69kOM6spSVBDabt10nXXi4t/Zg3Wy2S6OFRw
        YfdFYTf8jpseqMtU5ElACudoSpoMIL8bO38ByrT9jfvFR9pxOcIlTQ+KR8MZwG/2
        SLTJoE1NdC7MtO/0FwIDAQAB
        -----END PUBLIC KEY-----
        """
    static let good =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDMwMH0.KD62xaSO_Bl"
        + "QhfPqiY_rhm86ojIxhLEJg7RuMjgc3pO3FBBcTPFM5q_ifF4mwuxSHSZJpdCMqmtwfMqpfZATxeIdw13hHQ1pVX4fhS2hkd2"
        + "ugMU3ZDRy617K8wksMpX0ClpEJfITWK3JBkj6q3bFr1pHABmWhDh2012-3fPLw7C5CrC8-Z_-8vI6puc7pT0JHwt7aeYdn6C"
        + "7pTe1fcGHVYbyQWWfVMFYPpF8vcftEvGMmmmZvaydDP8AiUQYpDUDWd1-LF97z0nAsDKjeB8r3rhW6lHsvlMDs1tF52anxB7"
        + "eddCPCxyXPnap0XABsLRPcUFIu2wpQlzmsA7Y86T-yw"
    static let withMore =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImFueSIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDM"
        + "wMCwiaWF0IjoxNjk5OTk5OTk1LCJuYmYiOjE2OTk5OTk5OTUsImlzcyI6IngiLCJhdWQiOlsiYSJdLCJkZWVwIjp7ImEiOls"
        + "xLDJdfX0.iPMw7cHIEB9VgGUVe7L86EfkJQNy2vO0syGr2pf3nos-tCEJPAceNVBERF46ZuzK4wjRsrhAr9HErw-GAn_k-sm"
        + "lNmB306IMIdnPwzSCnxb9fucMFU4fXVZs4W26TeBGu_ivQboB0LzLFMlwa_Hsgv3pxR-Y7CAbE8Eufxz1lQcmQZh8MvHbASt"
        + "teI5s3X1sOsqitKJgXzf4ehTa90D40WVc8rQMYC7KI2dnA2-d2D5goxvbuuCD6GWC96YjQKmUxltENvebed1ySXoitruJM6v"
        + "t4_E0O_1b2EmjzNAT62tUFTdLhIT4mhuwzPaDpgPVYSLpDvsDCceLt_uYfN484Q"
    static let none =
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDMwMH0."
    static let rs512 =
        "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDMwMH0.OhL7MjcHnl8"
        + "iYQQ_zPB8koJv87QgOefEeKEPqBDPSIg_vv6moH-CcyXHYhBN-8xTZn9FYYaSRSEGfYlq61QnWt4QKGtLQEVifM88ZDjdSz_"
        + "Mdho0-TGPAkJxWSjJ95mafXhbHqD2SxFcHEq_F7Gi7WFmw6oNIs1RGroT7nwGM_VlrefSuJNkcKS3p3HRI8iw9LlpFm6LDez"
        + "Oty-rGSfXFoWGwt6Tl0ah3LOtxeu6ZlQVu0GxJLZ59IlG2YN0cJYqyXRYXy-g-5bDmy1by7BMWvT62vZqT_kZMeW1telmxmo"
        + "Jej8z-MdVyHySj3rk4mzJkyx70afxaqRPOwAUPqWwAg"
    static let ps256 =
        "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDMwMH0.XAImwLahZ__"
        + "Xg4B9pIwSgtLAh1Bc7dwUHEre1umP3vVKYHg2IXbhxiDt6lC-LQeHYVlp2YA_2YHOmW4lvk0_OWJnD8vzy4MhJNsAVTNQVl-"
        + "q9k_-eKR0UOyU_fN0OZVL1ml0AithNesckBBLSMwr0scQb5h7m0SMZvOuVWAQhTMQLEaqtNh9A7XN0JumxS9MbqdzkI-r1H5"
        + "0jvQVy8XMxKzNmJrwVt-a1bUtn6-ZJaw6TnvP8EkcWZ57N3qXeta29I3gMtoxQD6wBcKsm1cdaWbLRR6WtXeLt5Pqr0jeZTm"
        + "rvqHjOjDrfpLqeMGRKIYo-UrHGtscj_cQEAu8dk2YoQ"
    static let weak =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDMwMH0.cEERZ_47cd2"
        + "P1zOuyZYmdYJJ_CbjL1AU9ue5KLeaPI3dPYungXIUSG6QgVnCPDFOtG7ofH8Hp8H_kTQ8jeT0_I6VvMdKbqkDu_gDmNHZdJ6"
        + "BCOJC-Soumcz65jZaep7Z52hMt3GyXywmpWvTMuIpRrnh8xy-pNoKlGc5PN2BhUo"
    static let noUid =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3MDAwMDAzMDB9.OT3fW-GtN5ve5RYkZcGcU7jdJa3o7jXN4j"
        + "tem-MqAHBpyCOvkUBRavXsJQWhI0y7hyuvMu9owkp7ZGThRzQuomgboQ-tCdHrjloNBX723xd5B0204BT45XDHDHKpiUPdlM"
        + "JcXu816i4vCiAYkQhelQDt7PRDJrw5oYGL4AU5EvBWpQ61uyzSu0cqFbVNldG8ojm_ulRkrJ6YEwt99nfSWQ-HcP4zVnIQdB"
        + "_3EQDCRvba11jKrlXY3L080H041FFDQGN0MCpy0K9jLi0BhF1TO9rjzAfnUf0wDTiNfXSkHKjXzDKJ8Vf1jcljyBqtMBkhfZ"
        + "63OSnK133b6AXM3MEHIg"
    static let noExp =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiJ9.pi6Zh30T890Lpa75juu9o_0uTzQ6qxsEyZ"
        + "eDSnj1T2NDvRpI_JHZ98dhC-scGoWCjysshJVAMfW1iAsIlaYFgz-Ef3uHeZd7YWfzaZZCXtzeydJyL7ggC9rRZVP3AKSXa4"
        + "XVeY4Egdzmqmpp3JDPZNOLiZnxW1_Ac8EDcVsshTSlZOE0IHjxvx3ME0J-dY_drQ9Ro3ECgrDt14_eTH-fDU6OsMOwha3uoH"
        + "6gqt4uqJhz55WqWXsD8Jlts0LEP0lOyKaAnhF2VKER0brHu2A-WXzGi283OtzGJz6vcKa1JDKC1JvgkjrB-y1uOpjUCiOVGn"
        + "93jUnMFcK-5DcUi8Qq5A"
    static let textExp =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiAibWFyYXRob24iLCAiZXhwIjogIjE3MDAwMDAzMDAifQ.qeBs"
        + "ctZkXgdvsmtr1g8Xxm7CMQh-x3Q55iL-KSLIDvMjw1ZgWDrPk0Vl3G69qcNASwVVTYI2fwL9xgKg6Y9WCaFfh4o3hTGH1zV5"
        + "PlJFpOSbUHO6oa7O0-AtGXXymVSt6Q6ukps9Ur23EyYd0q8XtWBqDtvPK7eS0j5j8xQq01y-gvcHuwtXpxgVMvHCHTvuGGUq"
        + "AMpKl5n5NmVwSjlKi3AMwUSPPxTpMskFd3ang4wnvJzeYNlCVo8VwQsuVjufHIRWeNmw6VPglN1ILsKZx3kNOC6yulKHJ0ae"
        + "pJQrzlUDBgz71hfwNSFZOTSdOFtlHV7xQnngZFPqDLbj4CuUjQ"
    static let crit =
        "eyJhbGciOiJSUzI1NiIsImNyaXQiOlsieCJdLCJ0eXAiOiJKV1QiLCJ4IjoxfQ.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6M"
        + "TcwMDAwMDMwMH0.ZulOFTEMrI9RiMO4G_zel640QhKr3Ye7ncrwgoneNPFkPsgEENA1Z4kcWN_2Ca7JTAUR34VPDrbIGFVbF"
        + "urNWvjD1xNhGoR_gStObcyYgyaLPTrmyPLff1TQAm-u0syKRzngfCfSNad0S1sRNXLw8YXf7XayLBotsRomDLpUUROeTg7SS"
        + "pC2jZJ8Y7zPX5hJRbFHe8KjpbwQuKCofmAxvSE7zYY9s6GVF3N-HBHIhw6pWYQT1M1OV9I6dBG_EpE7k2wRhLWtlnHAvkCse"
        + "c9IGet9XVer0x0OVpinKXoLkuSm0JpiIIHVsAGNp0_X07VdkZ-Bd-7rclHVi8FS68Kg4Q"
    static let future =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwMDAwMDMwMCwibmJmIjoxNzA"
        + "wMDA0MDAwfQ.X6zXvoHtPlKlgavC7RFfSxpH4RRbJI3nBFPjP9cGsneI0zK12ll7F6bMLe5IVgmKQ7SspCv0EU3d3ADm3NU1"
        + "yBfItciG3c-hCrIIY3W_XamDW7DaaAYSfiIggDql2fRDTlFDC5CimH0nI6Hbi3e2I8_vQgh8rSjmG2k8gH-lUCg9-cW8hZAW"
        + "93zQ52_binsJvvNLtBEYT4FiQud8OO2Cm-cORYrf54drPoQPjs7_WamIWeLndNHAB7i1w1Vp8Yr_GUOKd4lBFLvsrMIlF30b"
        + "II9N9PdKH8srs_JGKHI_SYGdOvv-aWLEa9Ng1nT80xC5Pp6ovL8P4Fdyb-Pgd8G4tA"
    static let forever =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtYXJhdGhvbiIsImV4cCI6MTcwODY0MDAwMH0.NuUV3Er_P73"
        + "QLVebfubqW6y5CAiAaZaftARFjYLHkSX8JJRyfDgXf67l5JsHn0lm42WJ5rxAPPKnIs4nrLIA2qBGZ5IrOhc6qtd6MUUe1CX"
        + "IO3aSuEJGgwzykgNOpLjNOOkTtf2rUfyCHe0T6cAY9LGhVzmuJIJK6LCHVx60fWAbaRqgg6iJnag2pDsOEZD4XXugGjWt0Da"
        + "Vol8mqWJmMIYRWzKml0Dw6QZc-FNI-npKaz-aXaPAsHtFiJ6HXtRKJs8HBCUS_rJyW6xpFbcUfYPLtgi6lVLe3eM7zIq4pc3"
        + "OyRTJTJQs7HSqcKcOAIpyll4Bd-tO5-nGZaVgWQ3dag"
    static let otherUser =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1aWQiOiJtZXRyb25vbWUiLCJleHAiOjE3MDAwMDAzMDB9.WxCFjZ15oW"
        + "w3e6fKUwJe9d8jZvqw-z0IzUoiKyH0RDcox6okJE5fOOhgNc9Y8Vcu4aqYN4t3Pj4uyh0QBKgaJzMLj46NXoRFNWElRew84J"
        + "u1WCnw_mBet0zWz24dWplcbPN8WwJzXgPcvCxnmp-hqfM4IGclHj93_T7T2TPNR32SigrOv_50sHhb60JwIVYxCY4MM2SBzj"
        + "E3-2mWa70M7T-l3J8q4-lH8xHM7dvquCNj8fhy3Noy3t3LKfIclfnPC2DOfjregDqYSo0jPpY8BPn66N1G-yV0EJ7j3wV3Mh"
        + "dNRCAqkTmQ0xk3NH6OeUNyWaohOka_UMlY_m6MFRLSfw"
    static let confused =
        "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJ1aWQiOiAibWFyYXRob24iLCAiZXhwIjogMTcwMDAwMDMwMH0.Mjp"
        + "rtypa1U2CCCSSDRc5czYtP7I3EHojsvyUmna5btg"
    static let hmacBelow =
        "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJ1aWQiOiAibWFyYXRob24iLCAiZXhwIjogMTcwMDAwMDMwMH0.WeU"
        + "tWUjpEuLFk8IegsmEB05WqcK3dYEnZ-aT8rXgynk"
}
