//! The simulator without sockets.
