//! The `oddswire` command.
fn main() {}
