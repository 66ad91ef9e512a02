//! A form has the same parts however it arrives, and none that its body does not hold.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::multipart::{Decoder, Head, Malformed, Piece};

fn parts<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<(Vec<(Head, Vec<u8>)>, bool), Malformed> {
    let (mut decoder, mut parts) = (Decoder::new("b"), Vec::new());
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Some(piece) = decoder.piece()? {
            match piece {
                Piece::Part(head) => parts.push((head, Vec::new())),
                Piece::Data(data) => parts.last_mut().expect("a part began").1.extend_from_slice(&data),
                Piece::End => {}
            }
        }
    }
    Ok((parts, decoder.is_done()))
}

fuzz_target!(|data: &[u8]| {
    let Some((length, body)) = data.split_first() else { return };
    // Where it is malformed is known sooner or later; whether it is, is not.
    let (whole, split) = (parts([body]), parts(body.chunks(usize::from(*length).max(1))));
    if let (Ok(whole), Ok(split)) = (&whole, &split) {
        assert_eq!(whole, split);
    }
    let bytes = whole.map_or(0, |(parts, _)| parts.iter().map(|(_, data)| data.len()).sum());
    assert!(bytes <= body.len());
});
