//! The client's side: a pure [`Session`] and two carriers, [`Blocking`] and [`Async`].

mod blocking;
mod session;
mod tokio;

pub use blocking::Blocking;
pub use session::{Message, Session};
pub use tokio::Async;

use crate::Fault;

/// Why a client could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket failed or was closed: reconnect, say hello, subscribe from the last number.
    #[error("the connection is gone: {0}")]
    Gone(#[from] std::io::Error),
    /// The server refused a request.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The server sent what this client cannot read.
    #[error("not understood: {0}")]
    Garbled(String),
    /// The server did not answer in time.
    #[error("no answer within {0} ms")]
    Late(u64),
}
