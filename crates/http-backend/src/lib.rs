//! The backend of versions that run in a server of their own, spoken to over HTTP in its own JSON.
//!
//! A legacy scoring server becomes a registered version without a change to it: the version's artifact is a folder with
//! one file, [`FILE`], that declares how a row of inputs becomes a request and how an answer becomes outputs. From there
//! it is a version like any other: released, compared in shadow, rolled back to.
//!
//! ```yaml
//! version: 1
//! url: http://127.0.0.1:7070/score          # may hold placeholders after the host: /score/${user_id}?hour=${hour_of_day}
//! method: POST                              # GET, POST (the default) or PUT
//! timeout: 500ms                            # of one call, from connecting to the last byte; 1s if it is not said
//! concurrency: 32                           # calls at the same time; 32 if it is not said
//! headers: { x-caller: crosstie }           # sent as they are; no place for secrets, an artifact is not secret
//! health: /health                           # asked when the version is loaded, must answer 2xx; optional
//!
//! inputs:                                   # what callers of the version send; the first dimension counts rows
//!   - { name: user_id, datatype: INT64, shape: [-1] }
//!   - { name: item_id, datatype: BYTES, shape: [-1] }
//!   - { name: hour_of_day, datatype: INT64, shape: [-1] }
//! request:                                  # the body for one row; "${name}" alone becomes the input, with its type
//!   user: "${user_id}"
//!   item: "${item_id}"
//!   context: { hour: "${hour_of_day}", trace: "row of user ${user_id}" }
//!
//! outputs:
//!   - { name: probabilities, datatype: FP32, shape: [-1, 2] }
//! response:                                 # for each output a JSON pointer (RFC 6901) or one for each element of a row
//!   probabilities: ["1 - /score", /score]
//! features:                                 # optional: outputs `features.NAME`, which explain where scores differ
//!   user_country: /features/user_country                               # as text
//!   clicks_7d: { pointer: /features/clicks_7d, datatype: FP64 }        # as a number
//! ```
//!
//! An input of shape `[-1]` or `[-1, 1]` is one JSON value; one of more elements in a row is an array of them. `BYTES` are
//! UTF-8 text; the floats that JSON has no number for are the strings `NaN`, `Infinity` and `-Infinity`, in both directions.
//!
//! There is one call for each row, unless the server takes many rows at once:
//!
//! ```yaml
//! batch:
//!   row: { user: "${user_id}", item: "${item_id}" }
//!   answers: /predictions                   # where the array with an answer for each row is; pointers begin in these
//! request: { instances: "${rows}" }         # "${rows}" becomes the array of rows
//! response: { probabilities: ["1 - /score", /score] }
//! ```
//!
//! A `features.NAME` explains and must not break an answer: text is empty and a number is `NaN` where the server does not
//! tell it. Everything else that an answer lacks fails the request, with a message that names the URL and the pointer.
//!
//! Deliberately absent: retries (a caller knows better whether a second call is wanted), the features of this house (the
//! server has its own, so callers send every input), and secrets.

mod backend;
mod call;
mod declaration;
mod elements;
mod error;
mod model;
mod pointer;
mod template;

pub use backend::HttpBackend;
pub use declaration::{Declaration, parse};
pub use error::Error;

/// The backend's name, as traffic plans have it.
pub const BACKEND: &str = "http";

/// The file in a version's artifact that declares the server.
pub const FILE: &str = "http.yaml";
