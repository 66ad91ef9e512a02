//! The checksums that S3 keeps beside objects: which one a client means, whether it is right, and what those of parts make
//! of the whole. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use s3s::S3ErrorCode::{BadDigest, InvalidDigest};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto;

use crate::error::{Refusal, custom, invalid_request, refuse};
use crate::record::Checksum;

/// Over all bytes of an object.
pub(crate) const FULL_OBJECT: &str = "FULL_OBJECT";
/// Over the checksums of its parts.
pub(crate) const COMPOSITE: &str = "COMPOSITE";

const PREFIX: &str = "x-amz-checksum-";
const SDK_ALGORITHM: &str = "x-amz-sdk-checksum-algorithm";
const CONTENT_MD5: &str = "content-md5";

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As S3 writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The one that is called so, in whatever case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The one that a client asks for by name.
    pub(crate) fn asked(name: &str) -> Result<Self, Refusal> {
        Self::named(name).ok_or_else(|| {
            invalid_request(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
                 CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })
    }

    /// How many bytes its values have.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// What computes it and nothing else.
    pub(crate) fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        hasher
    }

    /// Its value among those that were computed or sent, in Base64.
    pub(crate) fn value(self, of: &dto::Checksum) -> Option<&str> {
        match self {
            Self::Crc32 => of.checksum_crc32.as_deref(),
            Self::Crc32c => of.checksum_crc32c.as_deref(),
            Self::Crc64Nvme => of.checksum_crc64nvme.as_deref(),
            Self::Sha1 => of.checksum_sha1.as_deref(),
            Self::Sha256 => of.checksum_sha256.as_deref(),
        }
    }

    /// The CRC that can be told of a whole from those of its parts; a digest cannot.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// A checksum for an answer: under the name of its algorithm.
pub(crate) fn told(checksum: Option<&Checksum>) -> dto::Checksum {
    let mut told = dto::Checksum::default();
    if let Some(checksum) = checksum {
        told = of_value(&checksum.algorithm, &checksum.value);
        told.checksum_type = Some(dto::ChecksumType::from(checksum.kind.clone()));
    }
    told
}

/// A checksum for an answer that does not say its type.
pub(crate) fn of_value(algorithm: &str, value: &str) -> dto::Checksum {
    let (mut told, value) = (dto::Checksum::default(), Some(value.to_owned()));
    match Algorithm::named(algorithm) {
        Some(Algorithm::Crc32) => told.checksum_crc32 = value,
        Some(Algorithm::Crc32c) => told.checksum_crc32c = value,
        Some(Algorithm::Crc64Nvme) => told.checksum_crc64nvme = value,
        Some(Algorithm::Sha1) => told.checksum_sha1 = value,
        Some(Algorithm::Sha256) => told.checksum_sha256 = value,
        None => {}
    }
    told
}

/// What a client says of the bytes that it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) algorithm: Algorithm,
    said: Said,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// In Base64.
    Value(String),
    /// Behind the body.
    Trailer,
    /// Nothing: S3 computes one of its own.
    Nothing,
}

impl Claim {
    /// What S3 computes if the client says nothing.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
    pub(crate) fn none(algorithm: Option<Algorithm>) -> Self {
        Self { algorithm: algorithm.unwrap_or(Algorithm::Crc64Nvme), said: Said::Nothing }
    }

    /// What the headers of a request with a body say.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let mut found: Vec<Self> = Vec::new();
        for (name, value) in headers {
            let Some(algorithm) = named_by(name.as_str())? else { continue };
            let value = value.to_str().unwrap_or_default().trim();
            check_value(algorithm, value)?;
            found.push(Self { algorithm, said: Said::Value(value.to_owned()) });
        }
        let behind = text("x-amz-trailer").unwrap_or_default();
        for name in behind.split(',').map(|name| name.trim().to_ascii_lowercase()) {
            if let Some(algorithm) = named_by(&name)? {
                found.push(Self { algorithm, said: Said::Trailer });
            }
        }
        if found.len() > 1 {
            return Err(invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let found = found.pop();
        let Some(asked) = text(SDK_ALGORITHM) else { return Ok(found) };
        let asked = Algorithm::named(asked);
        match &found {
            Some(claim) if asked == Some(claim.algorithm) => Ok(found),
            None if asked.is_some() => Err(invalid_request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found.",
            )),
            _ => Err(invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.")),
        }
    }

    /// What was computed, if it is what was claimed. `trailer` reads the headers behind the body.
    pub(crate) fn proven(
        &self,
        computed: &dto::Checksum,
        trailer: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Checksum, Refusal> {
        let value = self.algorithm.value(computed).unwrap_or_default();
        let claimed = match &self.said {
            Said::Nothing => None,
            Said::Value(claimed) => Some(claimed.clone()),
            Said::Trailer => {
                let name = format!("{PREFIX}{}", self.algorithm.name().to_ascii_lowercase());
                let claimed = trailer(&name).ok_or_else(malformed_trailer)?.trim().to_owned();
                check_value(self.algorithm, &claimed)?;
                Some(claimed)
            }
        };
        if claimed.is_some_and(|claimed| claimed != value) {
            let name = self.algorithm.name();
            return Err(refuse(
                BadDigest,
                format!("The {name} you specified did not match the calculated checksum."),
            ));
        }
        Ok(Checksum {
            algorithm: self.algorithm.name().into(),
            kind: FULL_OBJECT.into(),
            value: value.into(),
        })
    }
}

/// The algorithm whose value a header of this name carries.
fn named_by(header: &str) -> Result<Option<Algorithm>, Refusal> {
    match header.strip_prefix(PREFIX) {
        None | Some("algorithm" | "mode" | "type") => Ok(None),
        Some(name) => Algorithm::named(name).map(Some).ok_or_else(|| {
            invalid_request("The algorithm type you specified in x-amz-checksum- header is invalid.")
        }),
    }
}

/// Refuses what is no value of this algorithm.
pub(crate) fn check_value(algorithm: Algorithm, value: &str) -> Result<(), Refusal> {
    if STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == algorithm.length()) {
        return Ok(());
    }
    let name = algorithm.name().to_ascii_lowercase();
    Err(invalid_request(format!("Value for {PREFIX}{name} header is invalid.")))
}

fn malformed_trailer() -> Refusal {
    custom(
        "MalformedTrailerError",
        http::StatusCode::BAD_REQUEST,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
}

/// The MD5 that a client says its body has.
pub(crate) fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Refusal> {
    let Some(sent) = headers.get(CONTENT_MD5) else { return Ok(None) };
    let sent = sent.to_str().unwrap_or_default().trim();
    let decoded = STANDARD.decode(sent).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.map(Some).ok_or_else(|| {
        refuse(InvalidDigest, "The Content-MD5 you specified was invalid.").with("Content-MD5", sent)
    })
}

/// Refuses a body with another MD5 than its client says.
pub(crate) fn check_md5(claimed: Option<[u8; 16]>, computed: [u8; 16]) -> Result<(), Refusal> {
    match claimed {
        Some(claimed) if claimed != computed => {
            Err(refuse(BadDigest, "The Content-MD5 you specified did not match what we received.")
                .with("ExpectedDigest", &STANDARD.encode(claimed))
                .with("CalculatedDigest", &STANDARD.encode(computed)))
        }
        _ => Ok(()),
    }
}

/// The checksum of a whole from those of its parts, in Base64, and the parts' sizes; nothing if the algorithm has no such
/// rule or a value is none of its.
pub(crate) fn combined<'p>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = (&'p str, u64)>,
) -> Option<Checksum> {
    let crc = algorithm.crc()?;
    let mut whole = None;
    for (value, size) in parts {
        let part = STANDARD
            .decode(value)
            .ok()
            .filter(|bytes| bytes.len() == algorithm.length())?
            .into_iter()
            .fold(0_u64, |value, byte| value << 8 | u64::from(byte));
        whole = Some(match whole {
            None => part,
            Some(before) => crc_fast::checksum_combine(crc, before, part, size),
        });
    }
    let bytes = whole?.to_be_bytes();
    let value = STANDARD.encode(&bytes[bytes.len() - algorithm.length()..]);
    Some(Checksum { algorithm: algorithm.name().into(), kind: FULL_OBJECT.into(), value })
}

/// The checksum of the checksums of parts, in Base64; nothing if a value is none of the algorithm's.
pub(crate) fn composite<'p>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = &'p str>,
) -> Option<Checksum> {
    let (mut hasher, mut count) = (algorithm.hasher(), 0);
    for value in parts {
        hasher.update(&STANDARD.decode(value).ok().filter(|bytes| bytes.len() == algorithm.length())?);
        count += 1;
    }
    let value = format!("{}-{count}", algorithm.value(&hasher.finalize())?);
    Some(Checksum { algorithm: algorithm.name().into(), kind: COMPOSITE.into(), value })
}

#[cfg(test)]
#[path = "checksums_tests.rs"]
mod tests;
