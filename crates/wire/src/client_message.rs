//! What clients say.

use bytes::Bytes;
use oddswire_model::{Depth, View, ViewError};
use prost::Message;

use crate::{FrameError, limits::CLIENT_MESSAGE_BYTES_MAX, proto};

/// Encodes a client's message.
pub fn encode_client_message(message: proto::client_message::Message) -> Bytes {
    proto::ClientMessage { message: Some(message) }.encode_to_vec().into()
}

/// Decodes a client's message; `None` for a kind that a later version added.
///
/// # Errors
/// When it is too long or not a message.
pub fn decode_client_message(bytes: Bytes) -> Result<Option<proto::client_message::Message>, FrameError> {
    if bytes.len() > CLIENT_MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLong(bytes.len()));
    }
    let message =
        proto::ClientMessage::decode(bytes).map_err(|error| FrameError::Malformed(error.to_string()))?;
    Ok(message.message)
}

/// The view a subscribe asks for.
///
/// # Errors
/// When it is none.
pub fn view_from_proto(view: Option<&proto::View>) -> Result<View, ViewError> {
    let view = view.ok_or_else(|| ViewError::Name(String::new()))?;
    let depth = match view.depth() {
        proto::Depth::Prices => Depth::Prices,
        proto::Depth::Best => Depth::Best(u8::try_from(view.best).map_err(|_| ViewError::Best(view.best))?),
        proto::Depth::Full => Depth::Full,
        proto::Depth::Unspecified => return Err(ViewError::Name(String::new())),
    };
    View::new(depth, view.volumes)
}

/// A view as it travels.
pub fn view_to_proto(view: View) -> proto::View {
    let (depth, best) = match view.depth() {
        Depth::Prices => (proto::Depth::Prices, 0),
        Depth::Best(n) => (proto::Depth::Best, u32::from(n)),
        Depth::Full => (proto::Depth::Full, 0),
    };
    proto::View { depth: depth.into(), best, volumes: view.volumes() }
}
