//! Why a body ended early, and what S3 calls it.

use crate::Error;
use crate::gateway::answer::fault;
use crate::sigv4::{ChunkError, Refusal, Style};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum InflowError {
    /// Nothing came for too long, or too little on the whole.
    #[error("the client stopped sending")]
    Stalled,
    /// The connection broke, or the transport's framing is wrong.
    #[error("the body broke off: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// It is longer or shorter than was announced.
    #[error("the body has {read} bytes where {announced} were announced")]
    Length {
        /// How many there were when this was found.
        read: u64,
        /// How many there should be.
        announced: u64,
    },
    /// Its SHA-256 is not the one that was declared.
    #[error("the body's SHA-256 is {computed} where {declared} was declared")]
    Digest {
        /// In hexadecimal, as the client has it.
        declared: String,
        /// In hexadecimal, of what came.
        computed: String,
    },
    /// Its chunks cannot be read, or are not what was signed.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

impl InflowError {
    /// What S3 calls it: code, status, text, and the elements beside them.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
    pub fn refusal(&self) -> Error {
        match self {
            Self::Stalled => fault(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period. \
                 Idle connections will be closed.",
            ),
            Self::Length { read, announced } => fault(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            )
            .with_field("NumberBytesExpected", announced.to_string())
            .with_field("NumberBytesProvided", read.to_string()),
            Self::Broken(_) | Self::Chunk(ChunkError::Malformed | ChunkError::Excess { .. }) => {
                fault(400, "IncompleteBody", "The request body terminated unexpectedly")
            }
            Self::Digest { declared, computed } => fault(
                400,
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
            .with_field("ClientComputedContentSHA256", declared.as_str())
            .with_field("S3ComputedContentSHA256", computed.as_str()),
            Self::Chunk(ChunkError::Mismatch) => {
                let refusal = Refusal::Mismatch;
                fault(refusal.status(Style::S3), refusal.code(Style::S3), refusal.message(Style::S3))
            }
            Self::Chunk(ChunkError::Short { chunk, bytes }) => fault(
                403,
                "InvalidChunkSizeError",
                "Only the last chunk is allowed to have a size less than 8192 bytes",
            )
            .with_field("Chunk", chunk.to_string())
            .with_field("BadChunkSize", bytes.to_string()),
            Self::Chunk(ChunkError::Trailer) => fault(
                400,
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform to our published \
                 schema.",
            ),
        }
    }
}
