//! Rust client: a mirror of live markets that reconnects and resumes
