//! Code signing configurations: whose packages a function may be given.

mod check;
mod configs;
mod functions;
mod record;
pub mod signature;

pub use check::{SigningProfiles, check, check_layers, of_function};
pub use configs::{create, delete, get, list, update};
pub use functions::{
    attach, delete_function_config, existing, get_function_config, list_functions, put_function_config,
};
pub use record::{ATTACHED, CODE_SIGNING_CONFIGS, find, parse_arn};
