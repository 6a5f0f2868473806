//! What crosses the sockets: framing, hello, methods, events, errors, clients.
