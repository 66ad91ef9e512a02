use super::*;

const FORM: &[u8] = b"--b-1\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/${filename}\r\n\
    --b-1  \r\ncontent-disposition:form-data;name=file; filename=\"C:\\dir\\a \\\"b\\\".txt\"\r\nContent-Type: x/y\r\n\r\n\
    one\r\n--b-\r\n-\r\n--b\r\r\n\r\n--b-1\r\n\r\nnobody's\r\n--b-1\r\nContent-Disposition: attachment; name=\"x\"\r\n\r\n\
    \r\n--b-1--\r\nepilogue\r\n--b-1\r\n";

type Parts = Vec<(Head, Vec<u8>)>;

/// The parts of a body that arrives in these pieces, and whether its last boundary came.
fn parts(pieces: &[&[u8]]) -> Result<(Parts, bool), Malformed> {
    let (mut decoder, mut parts, mut open) = (Decoder::new("b-1"), Vec::new(), false);
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Some(piece) = decoder.piece()? {
            match piece {
                Piece::Part(head) => {
                    assert!(!std::mem::replace(&mut open, true), "a part began in another");
                    parts.push((head, Vec::new()));
                }
                Piece::Data(data) => {
                    assert!(open && !data.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(&data);
                }
                Piece::End => assert!(std::mem::replace(&mut open, false), "no part had begun"),
            }
        }
    }
    Ok((parts, decoder.is_done()))
}

fn head(name: Option<&str>, file_name: Option<&str>) -> Head {
    Head { name: name.map(str::to_owned), file_name: file_name.map(str::to_owned) }
}

fn expected() -> Parts {
    vec![
        (head(Some("key"), None), b"a/${filename}".to_vec()),
        (head(Some("file"), Some("C:\\dir\\a \"b\".txt")), b"one\r\n--b-\r\n-\r\n--b\r\r\n".to_vec()),
        (head(None, None), b"nobody's".to_vec()),
        (head(None, None), Vec::new()),
    ]
}

#[test]
fn a_form_has_the_same_parts_however_it_arrives() {
    assert_eq!(parts(&[FORM]), Ok((expected(), true)));
    for at in 0..=FORM.len() {
        let (one, other) = FORM.split_at(at);
        assert_eq!(parts(&[one, other]), Ok((expected(), true)), "{at}");
    }
    for length in 1..20 {
        assert_eq!(parts(&FORM.chunks(length).collect::<Vec<_>>()), Ok((expected(), true)), "{length}");
    }
}

#[test]
fn what_stands_before_the_first_boundary_means_nothing() {
    let form = [b"preamble --b-1\r\n", FORM].concat();
    assert_eq!(parts(&[&form]), Ok((expected(), true)));
    // In the middle of a line it is no boundary.
    assert_eq!(parts(&[b"x--b-1\r\n\r\n"]), Ok((Vec::new(), false)));
}

#[test]
fn a_form_that_breaks_off_is_not_done() {
    let end = FORM.len() - b"--\r\nepilogue\r\n--b-1\r\n".len();
    for at in 0..=end {
        assert!(!parts(&[&FORM[..at]]).unwrap().1, "{at}");
    }
}

#[test]
fn what_is_no_form_is_malformed() {
    assert_eq!(parts(&[b"--b-1x\r\n\r\n"]), Err(Malformed));
    assert_eq!(parts(&[b"--b-1 -\r\n\r\n"]), Err(Malformed));
    assert_eq!(parts(&[b"--b-1\r\n", &[b'x'; HEAD_BYTES_MAX]]), Err(Malformed));
    assert_eq!(parts(&[b"--b-1", &[b' '; HEAD_BYTES_MAX + 1]]), Err(Malformed));
}

#[test]
fn a_long_part_passes_without_being_held() {
    let mut decoder = Decoder::new("b-1");
    decoder.push(Bytes::from_static(b"--b-1\r\n\r\n"));
    assert_eq!(decoder.piece(), Ok(Some(Piece::Part(Head::default()))));
    for piece in [&b"abc"[..], b"def\r", b"\n--b-2\r\n--"] {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(Piece::Data(_))) = decoder.piece() {}
        assert!(decoder.rest.len() < decoder.delimiter.len(), "{:?}", decoder.rest);
    }
    assert_eq!(&decoder.rest[..], b"\r\n--");
}

#[test]
fn nothing_makes_it_panic() {
    proptest::proptest!(|(pieces in proptest::collection::vec("[\r\n\\-b1;=\" a:]{0,12}", 0..40))| {
        let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
        let _ = parts(&pieces);
    });
}

#[test]
fn a_type_says_what_stands_between_the_parts() {
    let check = |content_type: &str, expected: Option<Result<&str, Malformed>>| {
        assert_eq!(boundary(content_type), expected.map(|found| found.map(str::to_owned)), "{content_type}");
    };
    check("multipart/form-data; boundary=abc", Some(Ok("abc")));
    check("Multipart/Form-Data; charset=utf-8;Boundary=\"a b;c\"", Some(Ok("a b;c")));
    check("multipart/form-data", Some(Err(Malformed)));
    check("multipart/form-data; boundary=", Some(Err(Malformed)));
    check(&format!("multipart/form-data; boundary={}", "x".repeat(71)), Some(Err(Malformed)));
    check("multipart/mixed; boundary=abc", None);
    check("text/plain", None);
}
