//! The fields of a form before its file, and the headers that a PUT would have had in their place.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::Tagging;
use s3s::xml::{Deserialize as _, Deserializer};

use crate::error::{Refusal, invalid_argument, malformed_xml};
use crate::objects::tags;

/// Stands for the name of the form's file.
const FILE_NAME: &str = "${filename}";
/// Fields that are headers of the same name.
const HEADERS: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];
/// What a form's signature is made of: it is of no object.
const OF_SIGNATURES: &[&str] =
    &["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature"];
const METADATA: &str = "x-amz-meta-";

/// Names, in lower case, and values, in the order of the form.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Another field. Several of one name are one value.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, before)) => {
                before.push(',');
                before.push_str(value);
            }
            None => self.0.push((name, value.to_owned())),
        }
    }

    /// Puts the name of the file where values ask for it: what is behind the last slash of either kind. A file that
    /// says no name leaves them as they are.
    pub(super) fn name_file(&mut self, file_name: Option<&str>) {
        let Some(name) = file_name.and_then(|path| path.rsplit(['/', '\\']).next()) else { return };
        for (_, value) in &mut self.0 {
            if value.contains(FILE_NAME) {
                *value = value.replace(FILE_NAME, name);
            }
        }
    }

    /// A field's value, by its name in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The headers of the PUT that the form stands for.
    pub(super) fn headers(&self) -> Result<HeaderMap, Refusal> {
        let mut headers = HeaderMap::new();
        for (field, value) in &self.0 {
            let header = match field.as_str() {
                "acl" => "x-amz-acl",
                "tagging" => {
                    headers.insert("x-amz-tagging", header_of_tags(value)?);
                    continue;
                }
                // A PUT says so with its SDK's name for it.
                "x-amz-checksum-algorithm" => "x-amz-sdk-checksum-algorithm",
                name if OF_SIGNATURES.contains(&name) => continue,
                name if HEADERS.contains(&name) || name.starts_with("x-amz-") => name,
                _ => continue,
            };
            if value.is_empty() && !header.starts_with(METADATA) {
                continue;
            }
            let illegal = || illegal(field, value);
            let name = HeaderName::try_from(header).map_err(|_| illegal())?;
            let value = match HeaderValue::from_bytes(value.as_bytes()) {
                Ok(value) => value,
                // What no header can hold, S3 tells again encoded.
                Err(_) if header.starts_with(METADATA) => encoded(value),
                Err(_) => return Err(illegal()),
            };
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// Metadata that no header can hold as it is. <https://www.rfc-editor.org/rfc/rfc2047>
fn encoded(value: &str) -> HeaderValue {
    let word = format!("=?UTF-8?B?{}?=", STANDARD.encode(value));
    HeaderValue::try_from(word).expect("Base64 is legal in a header")
}

/// The document in the field `tagging`, as a header says the same.
fn header_of_tags(document: &str) -> Result<HeaderValue, Refusal> {
    let tagging = Tagging::deserialize(&mut Deserializer::new(document.as_bytes()));
    let tags = tags::of_set(&tagging.map_err(|_| malformed_xml())?.tag_set)?;
    let in_query = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> =
        tags.iter().map(|(key, value)| format!("{}={}", in_query(key), in_query(value))).collect();
    Ok(HeaderValue::try_from(pairs.join("&")).expect("what is percent-encoded is legal in a header"))
}

fn illegal(field: &str, value: &str) -> Refusal {
    invalid_argument("The value of this field, or its name, cannot be a header.")
        .with("ArgumentName", field)
        .with("ArgumentValue", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(name, value)| fields.add(name, value));
        fields
    }

    #[test]
    fn names_are_of_either_case_and_values_of_one_name_are_joined() {
        let fields = fields(&[("Key", "k"), ("x-amz-meta-Tag", "Ninja"), ("X-AMZ-META-tag", "Stallman")]);
        assert_eq!(fields.get("key"), Some("k"));
        assert_eq!(fields.get("x-amz-meta-tag"), Some("Ninja,Stallman"));
        assert_eq!(fields.names().collect::<Vec<_>>(), ["key", "x-amz-meta-tag"]);
    }

    #[test]
    fn the_files_name_is_what_is_behind_its_path() {
        for (name, expected) in [
            (Some("a.txt"), "in/a.txt,a.txt"),
            (Some("C:\\dir\\a.txt"), "in/a.txt,a.txt"),
            (Some("a/b\\c/d"), "in/d,d"),
            (Some(""), "in/,"),
            (None, "in/${filename},${filename}"),
        ] {
            let mut fields = fields(&[("key", "in/${filename},${filename}")]);
            fields.name_file(name);
            assert_eq!(fields.get("key"), Some(expected), "{name:?}");
        }
    }

    #[test]
    fn fields_are_headers_of_a_put() {
        let tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>ü&amp;</Value></Tag></TagSet></Tagging>";
        let check = |name: &str, value: &str, expected: Option<(&str, &[u8])>| {
            let headers = fields(&[(name, value)]).headers().ok().unwrap();
            let found = headers.iter().next().map(|(name, value)| (name.as_str(), value.as_bytes()));
            assert_eq!(found, expected, "{name}={value}");
        };
        check("acl", "public-read", Some(("x-amz-acl", b"public-read")));
        check("Content-Type", "text/plain", Some(("content-type", b"text/plain")));
        check("content-type", "", None);
        check("x-amz-meta-empty", "", Some(("x-amz-meta-empty", b"")));
        check("x-amz-meta-U", "ü", Some(("x-amz-meta-u", "ü".as_bytes())));
        check("x-amz-meta-lines", "a\nb", Some(("x-amz-meta-lines", b"=?UTF-8?B?YQpi?=")));
        check("x-amz-checksum-algorithm", "CRC32", Some(("x-amz-sdk-checksum-algorithm", b"CRC32")));
        check("tagging", &tagging.replace("&amp;", "-"), Some(("x-amz-tagging", b"a%20b=%C3%BC%2D")));
        check("x-amz-date", "20151229T000000Z", None);
        check("key", "k", None);
        check("success_action_status", "201", None);
        check("if-none-match", "*", None);
        let refused = |name: &str, value: &str| fields(&[(name, value)]).headers().is_err();
        assert!(refused("tagging", tagging), "& is in no tag");
        assert!(refused("tagging", "a=b") && refused("tagging", ""));
        assert!(refused("cache-control", "a\nb") && refused("x-amz-meta-a b", "c"));
    }
}
