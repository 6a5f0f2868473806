//! What crosses the sockets: JSON-RPC 2.0, one UTF-8 object a line, [`LINE_OCTETS_MAX`] octets at most.
//!
//! [`server::Server`] is the whole server side as a pure machine: connections are numbers, octets go in,
//! lines come out, time is an argument. Both `media.sock` and `acd.sock` use it. [`client`] has the client
//! side as a pure session and two carriers for it, a blocking one and one for tokio. [`calls`] ties the
//! words of the `call` crate to method names. What each method means is in `docs/protocol.md`.
//!
//! This crate refuses to know what a call or an agent is, and opens no listening socket.
//!
//! ```
//! use protocol::server::{Access, Output, Server, Settings};
//! let mut server = Server::new(Settings::new("1f", &[("status", Access::Read)]));
//! server.connected(0, 7);
//! server.received(0, 7, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":1,\"client\":\"me\",\"role\":\"observer\"}}\n");
//! server.received(0, 7, b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\"}\n");
//! let Output::Request(request) = server.poll() else { panic!("a request was due") };
//! server.answer(0, request.token, Ok(serde_json::json!({"spans": []})));
//! assert!(server.line(0, 7).unwrap().contains("\"instance\":\"1f\""));
//! assert_eq!(&*server.line(0, 7).unwrap(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"spans\":[]}}\n");
//! ```

pub mod calls;
pub mod client;
mod fault;
pub mod server;
pub mod wire;

pub use fault::{Fault, FaultData};

/// Octets of a line, its line feed included.
pub const LINE_OCTETS_MAX: usize = 64 * 1024;
/// The version spoken. The one before stays spoken; there is none yet.
pub const PROTOCOL: u32 = 1;
/// A client that wants to stay a controller says something at least this often, if only `ping`.
pub const PING_MICROS: u64 = 500_000;
/// A controller that said nothing for this long counts as gone.
pub const SILENT_MICROS: u64 = 2_000_000;
/// Integers stay below this: every JSON reader has them exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

const _: () = assert!(SILENT_MICROS >= 3 * PING_MICROS);
