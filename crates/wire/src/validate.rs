//! Checks the model's constraints on a request.

use crate::Error;
use crate::schema::{Service, Shape};
use crate::value::Fields;

pub(crate) fn check(_: &Service, _: &Shape, _: &Fields) -> Result<(), Error> {
    Ok(())
}
