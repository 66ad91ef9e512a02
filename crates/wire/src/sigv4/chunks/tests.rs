//! The decoder against AWS's examples, against every way to cut a body, and against noise.

use proptest::prelude::*;

use super::*;
use crate::sigv4::key;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20130524T000000Z";
const CRC32C: HeaderName = HeaderName::from_static("x-amz-checksum-crc32c");

fn example(seed: &str) -> ChunkKey {
    let key = key::signing_key(SECRET, "20130524", "us-east-1", "s3");
    ChunkKey::new(key, DATE, "20130524/us-east-1/s3/aws4_request", seed.into())
}

fn chunk(size: usize, signature: &str) -> Vec<u8> {
    let mut chunk = format!("{size:x};chunk-signature={signature}\r\n").into_bytes();
    chunk.extend(std::iter::repeat_n(b'a', size));
    if size > 0 {
        chunk.extend(b"\r\n");
    }
    chunk
}

/// The example of AWS's documentation: 65 KiB of `a` in chunks of 64 KiB.
fn documented() -> (Decoder, Vec<u8>) {
    let key = example("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    let body = [
        chunk(65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        b"\r\n".to_vec(),
    ];
    (Decoder::new(66560).with_key(key), body.concat())
}

/// The documentation's example of a signed trailer; `separator` stands between the trailer and its signature.
fn documented_trailer(separator: &str, checksum: &str) -> (Decoder, Vec<u8>) {
    let key = example("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    let trailer = format!(
        "x-amz-checksum-crc32c:{checksum}{separator}x-amz-trailer-signature:\
         d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    );
    let body = [
        chunk(65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
        chunk(1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
        chunk(0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
        trailer.into_bytes(),
    ];
    (Decoder::new(66560).with_key(key).with_trailer(vec![CRC32C], true), body.concat())
}

fn decode(decoder: &mut Decoder, body: &[u8], step: usize) -> Result<Vec<u8>, ChunkError> {
    let mut out = Vec::new();
    for piece in body.chunks(step) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(data) = decoder.next(&mut input)? {
            out.extend_from_slice(&data);
        }
        assert!(input.is_empty());
    }
    Ok(out)
}

/// The error of a whole body, or what it decodes to.
fn check(mut decoder: Decoder, body: &[u8], expected: Result<&str, ChunkError>) {
    let seen = decode(&mut decoder, body, 5).and_then(|out| {
        if decoder.is_done() { Ok(String::from_utf8(out).unwrap()) } else { Err(ChunkError::Malformed) }
    });
    assert_eq!(seen, expected.map(str::to_owned), "{}", String::from_utf8_lossy(body));
}

#[test]
fn the_documented_examples_hold_however_they_are_cut() {
    for step in [1, 7, 1000, 65536, 1 << 20] {
        for (mut decoder, body) in
            [documented(), documented_trailer("\r\n", "sOO8/Q=="), documented_trailer("\n\r\n", "sOO8/Q==")]
        {
            let out = decode(&mut decoder, &body, step).unwrap();
            assert!(decoder.is_done() && out == vec![b'a'; 66560], "{step}");
        }
    }
    let (mut decoder, body) = documented_trailer("\r\n", "sOO8/Q==");
    decode(&mut decoder, &body, 1000).unwrap();
    assert_eq!(decoder.trailers()[CRC32C], "sOO8/Q==");
}

#[test]
fn a_small_body_can_be_cut_anywhere() {
    let mut key = example(&"0".repeat(64));
    let first = "y".repeat(8192);
    let mut body = format!("2000;chunk-signature={}\r\n{first}\r\n", key.sign_chunk(first.as_bytes()));
    body += &format!("3;chunk-signature={}\r\nabc\r\n", key.sign_chunk(b"abc"));
    body += &format!("0;chunk-signature={}\r\n", key.sign_chunk(b""));
    body += "x-amz-checksum-crc32c:AAAAAA==\r\n";
    let signature = key.sign_trailer("x-amz-checksum-crc32c:AAAAAA==\n");
    body += &format!("x-amz-trailer-signature:{signature}\r\n\r\n");
    for at in 0..body.len() {
        let key = example(&"0".repeat(64));
        let mut decoder = Decoder::new(8195).with_key(key).with_trailer(vec![CRC32C], true);
        let (head, tail) = body.as_bytes().split_at(at);
        let mut out = decode(&mut decoder, head, 1 << 20).unwrap();
        assert!(!decoder.is_done());
        out.extend(decode(&mut decoder, tail, 1 << 20).unwrap());
        assert!(decoder.is_done() && out.ends_with(b"yabc") && out.len() == 8195, "{at}");
    }
}

#[test]
fn a_changed_byte_a_changed_order_and_a_missing_end_are_found() {
    let (mut decoder, mut body) = documented();
    body[200] = b'b';
    assert_eq!(decode(&mut decoder, &body, 1000), Err(ChunkError::Mismatch));
    let (_, body) = documented();
    let mut decoder = Decoder::new(66560).with_key(example(&"0".repeat(64)));
    assert_eq!(decode(&mut decoder, &body, 1000), Err(ChunkError::Mismatch));
    let (mut decoder, body) = documented_trailer("\r\n", "sOO8/Q=");
    assert_eq!(decode(&mut decoder, &body, 1000), Err(ChunkError::Mismatch));
    for lost in 1..100 {
        let (mut decoder, body) = documented();
        decode(&mut decoder, &body[..body.len() - lost], 1000).unwrap();
        assert!(!decoder.is_done());
    }
    let unsigned = Decoder::new(3).with_key(example("0"));
    check(unsigned, b"3\r\nabc\r\n0\r\n\r\n", Err(ChunkError::Malformed));
}

#[test]
fn the_last_bytes_of_a_forged_chunk_are_never_given_out() {
    let (mut decoder, mut body) = documented();
    body[200] = b'b';
    let mut input = Bytes::from(body);
    let mut out = 0;
    while let Ok(Some(data)) = decoder.next(&mut input) {
        out += data.len();
    }
    assert_eq!(out, 0);
}

#[test]
fn trailers_are_those_that_were_announced() {
    let trailed = |announced: &[&'static str]| {
        let announced = announced.iter().map(|name| HeaderName::from_static(name)).collect();
        Decoder::new(3).with_trailer(announced, false)
    };
    let body = b"3\r\nabc\r\n0\r\nX-Amz-Checksum-CRC32: NSRBwg== \r\n\r\n";
    check(trailed(&["x-amz-checksum-crc32"]), body, Ok("abc"));
    let mut decoder = trailed(&["x-amz-checksum-crc32"]);
    decode(&mut decoder, body, 5).unwrap();
    assert_eq!(decoder.trailers()["x-amz-checksum-crc32"], "NSRBwg==");
    check(trailed(&[]), body, Err(ChunkError::Trailer));
    check(Decoder::new(3), body, Err(ChunkError::Trailer));
    check(trailed(&["x-amz-checksum-crc32", "x-amz-checksum-sha1"]), body, Err(ChunkError::Trailer));
    check(trailed(&["x-amz-checksum-crc32"]), b"3\r\nabc\r\n0\r\n\r\n", Err(ChunkError::Trailer));
    check(trailed(&[]), b"3\r\nabc\r\n0\r\n\r\n", Ok("abc"));
    for line in [
        "no colon",
        ":x",
        "x-amz-checksum-crc32:\u{1}",
        "x-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:a",
        &"x".repeat(9000),
    ] {
        let body = format!("3\r\nabc\r\n0\r\n{line}\r\n\r\n");
        check(trailed(&["x-amz-checksum-crc32"]), body.as_bytes(), Err(ChunkError::Trailer));
    }
}

/// While no credentials are configured, nobody knows the secret.
#[test]
fn signatures_without_a_key_are_passed_over() {
    let (_, body) = documented_trailer("\r\n", "sOO8/Q==");
    let mut decoder = Decoder::new(66560).with_trailer(vec![CRC32C], true);
    assert_eq!(decode(&mut decoder, &body, 1000).unwrap().len(), 66560);
    assert!(decoder.is_done());
}

#[test]
fn what_is_no_framing_is_refused() {
    for body in [
        "",
        "\r\n",
        "x\r\n",
        "+3\r\nabc\r\n",
        "-3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        " 3\r\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabc\r\n",
        "3\r\nabc\r\n0\r\n",
        "0\r\n\r\nmore",
        "0\r\n\r\n\r\n\r\n\r\n\r\n",
        "ffffffffffffffffff\r\n",
        &"1".repeat(300),
        "3;\u{e9}\r\n",
    ] {
        check(Decoder::new(3), body.as_bytes(), Err(ChunkError::Malformed));
    }
    check(Decoder::new(0), b"0\r\n\r\n\r\n", Ok(""));
    check(Decoder::new(3), b"3;name=value\nabc\n00\n\n", Ok("abc"));
}

#[test]
fn a_chunk_beyond_what_was_announced_is_refused_by_its_length() {
    check(Decoder::new(2), b"3\r\n", Err(ChunkError::Excess { bytes: 3 }));
    check(Decoder::new(9000), b"ffffffffffffffff\r\n", Err(ChunkError::Excess { bytes: u64::MAX }));
    let body = format!("2000\r\n{}\r\n1\r\n", "x".repeat(8192));
    check(Decoder::new(8192), body.as_bytes(), Err(ChunkError::Excess { bytes: 8193 }));
}

#[test]
fn only_the_last_chunk_may_be_short() {
    let body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    check(Decoder::new(5), body, Err(ChunkError::Short { chunk: 2, bytes: 3 }));
}

proptest! {
    #[test]
    fn what_went_in_comes_out_again(
        lengths in proptest::collection::vec(8192_usize..9000, 0..3),
        last in proptest::collection::vec(any::<u8>(), 1..300),
        step in 1_usize..2000,
    ) {
        let mut pieces: Vec<Vec<u8>> = lengths.into_iter().map(|length| vec![b'z'; length]).collect();
        pieces.push(last);
        let (mut body, mut key) = (Vec::new(), example("seed"));
        for piece in &pieces {
            body.extend(format!("{:X};chunk-signature={}\r\n", piece.len(), key.sign_chunk(piece)).into_bytes());
            body.extend(piece);
            body.extend(b"\r\n");
        }
        body.extend(format!("0;chunk-signature={}\r\n\r\n", key.sign_chunk(b"")).into_bytes());
        let whole = pieces.concat();
        let mut decoder = Decoder::new(whole.len() as u64).with_key(example("seed"));
        prop_assert_eq!(decode(&mut decoder, &body, step).unwrap(), whole);
        prop_assert!(decoder.is_done());
    }

    /// Any bytes, and what looks like chunks and is not.
    #[test]
    fn noise_ends_in_an_answer_and_never_in_more_than_was_announced(
        noise in proptest::collection::vec(
            prop_oneof![
                Just(b"\r\n".to_vec()), Just(b"0\r\n".to_vec()), Just(b"5\r\nabcde\r\n".to_vec()),
                Just(b"2000;chunk-signature=0\r\n".to_vec()), Just(b"x-amz-checksum-crc32c:a\r\n".to_vec()),
                Just(b"x-amz-trailer-signature:0\r\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..9000),
            ],
            0..12,
        ),
        announced in 0_u64..20_000,
        keyed in any::<bool>(),
        signed in any::<bool>(),
        step in 1_usize..3000,
    ) {
        let mut decoder = Decoder::new(announced);
        if keyed { decoder = decoder.with_key(example("seed")); }
        if signed { decoder = decoder.with_trailer(vec![CRC32C], signed); }
        let mut out = 0;
        for piece in noise.concat().chunks(step) {
            let mut input = Bytes::copy_from_slice(piece);
            loop {
                match decoder.next(&mut input) {
                    Ok(Some(data)) => out += data.len() as u64,
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
                prop_assert!(out <= announced);
            }
            prop_assert!(input.is_empty());
            prop_assert!(decoder.waiting.len() <= TRAILER_BYTES_MAX);
        }
    }
}
