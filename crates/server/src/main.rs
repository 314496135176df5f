//! The `oddswire` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    oddswire_server::command::main()
}
