//! Reads a request out of noise: a line with method and target, header lines, an empty line, the body.

pub fn request(data: &[u8]) -> Option<(http::request::Parts, &[u8])> {
    let blank = data.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&data[..blank]).ok()?, &data[blank + 2..]);
    let mut lines = head.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut builder = http::Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        builder = builder.header(name, value.trim());
    }
    Some((builder.body(()).ok()?.into_parts().0, body))
}
