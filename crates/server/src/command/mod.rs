//! The `oddswire` command, one file per subcommand.
