//! Watches a machine and sends its frames to a server.
