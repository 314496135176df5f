//! WebSocket and HTTP front end: sockets in, shared frames out
