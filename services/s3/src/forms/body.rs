//! A form's body as it comes: its fields whole, within their bound, and its file a piece at a time.

use bytes::Bytes;
use futures::stream::{self, TryStreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use s3s::S3ErrorCode;
use s3s::dto::StreamingBlob;
use wire::gateway::{Inflow, InflowError};
use wire::multipart::{Decoder, Head, Malformed, Piece};

use super::fields::Fields;
use super::policy::Sizes;
use crate::error::{Refusal, custom, invalid_argument, refuse};

/// What a form may hold before its file: 20 KB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>
pub(super) const FIELDS_BYTES_MAX: u64 = 20 * 1024;
/// The field with the object's bytes. What is behind it means nothing.
const FILE: &str = "file";

/// Why a form ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The request's body does.
    #[error(transparent)]
    Body(#[from] InflowError),
    /// It is no form, or not all of one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its fields are too long.
    #[error("the fields before the file are too long")]
    Fields,
    /// There is no file, or there are several.
    #[error("the form has {0} files")]
    Files(u32),
    /// The policy wants a longer file.
    #[error("the file has {size} bytes where {min} are wanted")]
    Small { size: u64, min: u64 },
    /// The policy, or S3, wants a shorter file.
    #[error("the file has {size} bytes where {max} are allowed")]
    Large { size: u64, max: u64 },
}

impl Broken {
    /// In S3's words.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Body(error) => error.refusal().into(),
            Self::Malformed(_) => refuse(
                S3ErrorCode::MalformedPOSTRequest,
                "The body of your POST request is not well-formed multipart/form-data.",
            ),
            // As S3 writes both, other than its documentation does.
            Self::Fields => custom(
                "MaxPostPreDataLengthExceeded",
                http::StatusCode::BAD_REQUEST,
                "Your POST request fields preceeding the upload file was too large.",
            )
            .with("MaxPostPreDataLengthBytes", &FIELDS_BYTES_MAX.to_string()),
            Self::Files(count) => invalid_argument("POST requires exactly one file upload per request.")
                .with("ArgumentName", FILE)
                .with("ArgumentValue", &count.to_string()),
            Self::Small { size, min } => refuse(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with("ProposedSize", &size.to_string())
            .with("MinSizeAllowed", &min.to_string()),
            Self::Large { size, max } => crate::error::entity_too_large()
                .with("ProposedSize", &size.to_string())
                .with("MaxSizeAllowed", &max.to_string()),
        }
    }
}

/// A form of which not all has been read.
pub(super) struct Body {
    inflow: Inflow,
    decoder: Decoder,
}

impl Body {
    pub(super) fn new(inflow: Inflow, boundary: &str) -> Self {
        Self { inflow, decoder: Decoder::new(boundary) }
    }

    /// The fields before the file, with its name put in; the file comes next.
    pub(super) async fn fields(&mut self) -> Result<Fields, Broken> {
        let mut fields = Fields::default();
        let mut open: Option<(String, Vec<u8>)> = None;
        while let Some(piece) = self.next().await? {
            match piece {
                Piece::Part(head) if is_file(&head) => {
                    fields.name_file(head.file_name.as_deref());
                    return Ok(fields);
                }
                Piece::Part(head) => open = head.name.map(|name| (name, Vec::new())),
                Piece::Data(data) => {
                    if let Some((_, value)) = &mut open {
                        value.extend_from_slice(&data);
                    }
                }
                Piece::End => {
                    if let Some((name, value)) = open.take() {
                        fields.add(&name, &String::from_utf8_lossy(&value));
                    }
                }
            }
            if self.decoder.taken() > FIELDS_BYTES_MAX {
                return Err(Broken::Fields);
            }
        }
        Err(Broken::Files(0))
    }

    /// The file, which ends well only if the whole form does and its size is one of these. What is too long is read and
    /// thrown away, so that the client hears how long it was.
    pub(super) fn file(self, sizes: Sizes) -> StreamingBlob {
        let file = File { body: self, sizes, size: 0, ended: false };
        let frames = stream::try_unfold(file, File::next).map_ok(Frame::data);
        StreamingBlob::from(s3s::Body::http_body_unsync(StreamBody::new(frames)))
    }

    /// What comes next; nothing at the end of a whole form.
    async fn next(&mut self) -> Result<Option<Piece>, Broken> {
        loop {
            if let Some(piece) = self.decoder.piece()? {
                return Ok(Some(piece));
            }
            match self.inflow.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.decoder.push(data);
                    }
                }
                None if self.decoder.is_done() => return Ok(None),
                None => return Err(Malformed.into()),
            }
        }
    }
}

fn is_file(head: &Head) -> bool {
    head.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(FILE))
}

/// The file of a form, and how much of it has come.
struct File {
    body: Body,
    sizes: Sizes,
    size: u64,
    ended: bool,
}

impl File {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Broken> {
        while let Some(piece) = self.body.next().await? {
            match piece {
                Piece::Data(data) if !self.ended => {
                    self.size += data.len() as u64;
                    if self.size <= self.sizes.max {
                        return Ok(Some((data, self)));
                    }
                }
                Piece::Part(head) if is_file(&head) => return Err(Broken::Files(2)),
                Piece::End => self.ended = true,
                Piece::Part(_) | Piece::Data(_) => {}
            }
        }
        let (size, Sizes { min, max }) = (self.size, self.sizes);
        match size {
            _ if size < min => Err(Broken::Small { size, min }),
            _ if size > max => Err(Broken::Large { size, max }),
            _ => Ok(None),
        }
    }
}
