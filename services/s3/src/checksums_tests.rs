use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

fn message(refusal: Refusal) -> String {
    let error = s3s::S3Error::from(refusal);
    format!("{}: {}", error.code().as_str(), error.message().unwrap_or_default())
}

fn value(algorithm: Algorithm, bytes: &[u8]) -> String {
    let mut hasher = algorithm.hasher();
    hasher.update(bytes);
    algorithm.value(&hasher.finalize()).unwrap().to_owned()
}

#[test]
fn values_are_those_of_the_standards() {
    // The check values of the CRC catalogue.
    for (algorithm, expected) in [
        (Algorithm::Crc32, "y/Q5Jg=="),
        (Algorithm::Crc32c, "4waSgw=="),
        (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
    ] {
        assert_eq!(value(algorithm, b"123456789"), expected, "{algorithm:?}");
    }
    assert_eq!(value(Algorithm::Sha256, b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert_eq!(value(Algorithm::Sha1, b""), "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
}

#[test]
fn what_a_client_claims_is_read_from_its_headers() {
    let check = |pairs: &[(&'static str, &str)], expected: Result<Option<Claim>, &str>| {
        let found = Claim::of(&headers(pairs)).map_err(message);
        assert_eq!(found, expected.map_err(str::to_owned), "{pairs:?}");
    };
    let crc32 = |said| Ok(Some(Claim { algorithm: Algorithm::Crc32, said }));
    check(&[], Ok(None));
    check(&[("x-amz-checksum-mode", "ENABLED"), ("x-amz-checksum-type", "COMPOSITE")], Ok(None));
    check(&[("x-amz-checksum-crc32", "y/Q5Jg==")], crc32(Said::Value("y/Q5Jg==".into())));
    check(&[("x-amz-trailer", "x-amz-checksum-crc32")], crc32(Said::Trailer));
    check(
        &[("x-amz-trailer", "x-amz-checksum-crc32"), ("x-amz-sdk-checksum-algorithm", "crc32")],
        crc32(Said::Trailer),
    );
    check(
        &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-trailer", "x-amz-checksum-crc32c")],
        Err(
            "InvalidRequest: Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
    );
    check(
        &[("x-amz-checksum-crc32", "y/Q5")],
        Err("InvalidRequest: Value for x-amz-checksum-crc32 header is invalid."),
    );
    check(
        &[("x-amz-checksum-adler", "y/Q5Jg==")],
        Err("InvalidRequest: The algorithm type you specified in x-amz-checksum- header is invalid."),
    );
    check(
        &[("x-amz-sdk-checksum-algorithm", "SHA256")],
        Err(
            "InvalidRequest: x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
             x-amz-trailer headers were found.",
        ),
    );
    for asked in ["SHA256", "TEST"] {
        check(
            &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-sdk-checksum-algorithm", asked)],
            Err("InvalidRequest: Value for x-amz-sdk-checksum-algorithm header is invalid."),
        );
    }
}

#[test]
fn a_claim_holds_or_is_refused() {
    let mut hasher = Algorithm::Crc32.hasher();
    hasher.update(b"123456789");
    let computed = hasher.finalize();
    let prove = |said, trailer: Option<&str>| {
        let claim = Claim { algorithm: Algorithm::Crc32, said };
        claim
            .proven(&computed, |name| {
                assert_eq!(name, "x-amz-checksum-crc32");
                trailer.map(str::to_owned)
            })
            .map(|checksum| checksum.value)
            .map_err(message)
    };
    let right = || Ok("y/Q5Jg==".to_owned());
    assert_eq!(prove(Said::Nothing, None), right());
    assert_eq!(prove(Said::Value("y/Q5Jg==".into()), None), right());
    assert_eq!(prove(Said::Trailer, Some("y/Q5Jg==")), right());
    let wrong = Err("BadDigest: The CRC32 you specified did not match the calculated checksum.".to_owned());
    assert_eq!(prove(Said::Value("AAAAAA==".into()), None), wrong);
    assert_eq!(prove(Said::Trailer, Some("AAAAAA==")), wrong);
    assert!(prove(Said::Trailer, None).unwrap_err().starts_with("MalformedTrailerError"));
    assert!(prove(Said::Trailer, Some("x")).unwrap_err().starts_with("InvalidRequest"));
}

#[test]
fn parts_combine_to_the_whole() {
    let bytes: Vec<u8> = (0..10_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
        for cut in [0, 1, 4_096, 9_999, 10_000] {
            let (first, second) = bytes.split_at(cut);
            let parts = [first, second].map(|part| (value(algorithm, part), part.len() as u64));
            let whole =
                combined(algorithm, parts.iter().map(|(value, size)| (value.as_str(), *size))).unwrap();
            assert_eq!(whole.value, value(algorithm, &bytes), "{algorithm:?} at {cut}");
            assert_eq!(whole.kind, FULL_OBJECT);
        }
    }
    assert_eq!(combined(Algorithm::Sha256, [("", 0)]), None);
    assert_eq!(combined(Algorithm::Crc32, [("AA==", 1)]), None);
    assert_eq!(combined(Algorithm::Crc32, []), None);
}

#[test]
fn a_composite_is_over_the_bytes_of_the_parts_checksums() {
    let parts = [value(Algorithm::Sha256, b"a"), value(Algorithm::Sha256, b"b")];
    let raw: Vec<u8> = parts.iter().flat_map(|part| STANDARD.decode(part).unwrap()).collect();
    let found = composite(Algorithm::Sha256, parts.iter().map(String::as_str)).unwrap();
    assert_eq!(found.value, format!("{}-2", value(Algorithm::Sha256, &raw)));
    assert_eq!(found.kind, COMPOSITE);
    assert_eq!(composite(Algorithm::Sha256, ["AA=="]), None);
}

#[test]
fn an_md5_is_sixteen_bytes_and_right() {
    assert_eq!(content_md5(&headers(&[])).unwrap(), None);
    let sent = content_md5(&headers(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")])).unwrap();
    assert!(check_md5(sent, sent.unwrap()).is_ok() && check_md5(None, [0; 16]).is_ok());
    assert_eq!(
        message(check_md5(sent, [0; 16]).unwrap_err()),
        "BadDigest: The Content-MD5 you specified did not match what we received."
    );
    for wrong in ["x", "AA==", ""] {
        let refused = content_md5(&headers(&[("content-md5", wrong)])).map_err(message).unwrap_err();
        assert_eq!(refused, "InvalidDigest: The Content-MD5 you specified was invalid.", "{wrong}");
    }
}
