//! What a document says of a new bucket that `s3s` does not know of.

use http::{Method, Uri};
use s3s::dto::Tag;
use s3s::xml::{DeError, Deserialize, DeserializeContent, Deserializer};

use crate::access::Target;
use crate::configuration::tagging;
use crate::error::{Refusal, malformed_xml};

const ROOT: &str = "CreateBucketConfiguration";

/// The tags of a new bucket, in the request that makes it; none in any other.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html>
pub(super) fn tags(method: &Method, uri: &Uri, document: &[u8]) -> Result<Vec<Tag>, Refusal> {
    let target = Target::of(uri);
    let is_creation = *method == Method::PUT && target.key.is_none() && target.query.is_empty();
    if !is_creation || document.is_empty() {
        return Ok(Vec::new());
    }
    let Configured { tags } =
        Configured::deserialize(&mut Deserializer::new(document)).map_err(|_| malformed_xml())?;
    tagging::check(&tags)?;
    Ok(tags)
}

struct Configured {
    tags: Vec<Tag>,
}

impl<'xml> Deserialize<'xml> for Configured {
    fn deserialize(document: &mut Deserializer<'xml>) -> Result<Self, DeError> {
        document.named_element(ROOT, Deserializer::content)
    }
}

impl<'xml> DeserializeContent<'xml> for Configured {
    fn deserialize_content(document: &mut Deserializer<'xml>) -> Result<Self, DeError> {
        let mut tags = Vec::new();
        document.for_each_element(|element, name| match name {
            b"Tags" => {
                tags.extend(element.list_content("Tag")?);
                Ok(())
            }
            // A list of what no element is called reads past all.
            _ => element.list_content::<Tag>("").map(drop),
        })?;
        Ok(Self { tags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_bucket_has_tags_in_its_document() {
        let configured = |inner: &str| {
            format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</CreateBucketConfiguration>"
            )
        };
        let tag = "<Tags><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value/></Tag></Tags>";
        let check = |method: Method, uri: &'static str, document: &str, expected: Option<&[(&str, &str)]>| {
            let found = tags(&method, &Uri::from_static(uri), document.as_bytes()).ok().map(|tags| {
                tags.into_iter()
                    .map(|tag| (tag.key.unwrap(), tag.value.unwrap_or_default()))
                    .collect::<Vec<_>>()
            });
            let owned = |pairs: &[(&str, &str)]| {
                pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
            };
            assert_eq!(found, expected.map(owned), "{method} {uri} {document}");
        };
        let both = configured(&format!("<LocationConstraint>eu-west-1</LocationConstraint>{tag}"));
        check(Method::PUT, "/b", &both, Some(&[("a", "b"), ("c", "")]));
        check(Method::PUT, "/b/", &configured("<Location><Name>x</Name></Location>"), Some(&[]));
        check(Method::PUT, "/b", "", Some(&[]));
        check(Method::PUT, "/b?tagging", &both, Some(&[]));
        check(Method::PUT, "/b/k", &both, Some(&[]));
        check(Method::POST, "/b", &both, Some(&[]));
        check(Method::PUT, "/b", "<CreateBucketConfiguration>", None);
        check(Method::PUT, "/b", "no document", None);
        check(Method::PUT, "/b", &configured(&tag.replace(">c<", ">a<")), None);
    }
}
