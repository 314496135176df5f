//! Values of arguments that several subcommands take.

use std::net::SocketAddr;

/// Reads a listening address.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "it is not an address; use for example 127.0.0.1:8080".to_owned())
}

/// Reads the URL of a gateway; people copy the HTTP address, and the stream is at the same place.
pub(super) fn gateway_url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty; use for example ws://127.0.0.1:8080".to_owned());
    }
    Ok(match text.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(_) => text.to_owned(),
        None => format!("ws://{text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_none_come_with_an_example() {
        assert!(address("127.0.0.1:0").is_ok());
        assert!(address("8080").unwrap_err().contains("127.0.0.1:8080"));
    }

    #[test]
    fn the_address_of_the_front_end_is_good_for_the_stream() {
        assert_eq!(gateway_url("http://a:1").unwrap(), "ws://a:1");
        assert_eq!(gateway_url("a:1").unwrap(), "ws://a:1");
        assert_eq!(gateway_url("ws://a/x").unwrap(), "ws://a/x");
        assert_eq!(gateway_url("https://a").unwrap(), "wss://a");
        assert!(gateway_url("").is_err());
    }
}
