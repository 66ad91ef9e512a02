//! What stands before a part's bytes, and what says where parts end.

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The field's name; nothing for a part that is not of a form.
    pub name: Option<String>,
    /// What its file is called where it comes from, if it says so: a name, or a path of any system.
    pub file_name: Option<String>,
}

impl Head {
    /// Of the lines before a part's bytes. Only the disposition says anything that a form's reader may heed.
    pub(super) fn of(lines: &[u8]) -> Self {
        let lines = String::from_utf8_lossy(lines);
        let disposition = lines.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let Some((kind, parameters)) = disposition.map(split) else { return Self::default() };
        if !kind.eq_ignore_ascii_case("form-data") {
            return Self::default();
        }
        Self { name: parameter(parameters, "name"), file_name: parameter(parameters, "filename") }
    }
}

/// What stands between a form's parts, as the type of its body says; nothing if that is no form's type.
pub fn boundary(content_type: &str) -> Option<Result<String, super::Malformed>> {
    let (kind, parameters) = split(content_type);
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    // <https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1>
    let boundary = parameter(parameters, "boundary").filter(|boundary| (1..=70).contains(&boundary.len()));
    Some(boundary.ok_or(super::Malformed))
}

/// A header's value, and its parameters with the semicolon before them.
fn split(value: &str) -> (&str, &str) {
    let end = value.find(';').unwrap_or(value.len());
    (value[..end].trim(), &value[end..])
}

/// The value of a parameter: `; name=value; name="value"`.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some(start) = rest.find(';') {
        rest = rest[start + 1..].trim_start();
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = value(behind);
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind;
    }
    None
}

/// A value, and what follows it. Within quotes only a quote is escaped: old browsers send paths of Windows as they are.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (index, character) in quoted.char_indices() {
        match character {
            '"' if escaped => {
                value.pop();
                value.push('"');
            }
            '"' => return (value, &quoted[index + 1..]),
            _ => value.push(character),
        }
        escaped = character == '\\' && !escaped;
    }
    (value, "")
}
