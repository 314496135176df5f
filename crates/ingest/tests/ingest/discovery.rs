//! What tools see that know nothing of the service beforehand.

use prost::Message;
use prost_types::FileDescriptorSet;
use tokio_stream::{StreamExt, once};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::server::Server;

const SERVICE: &str = "oddswire.ingest.v1.IngestService";

#[tokio::test]
async fn health_says_serving() {
    let server = Server::start().await;
    let mut health = HealthClient::new(server.channel().await);
    for service in [SERVICE, ""] {
        let response = health.check(HealthCheckRequest { service: service.into() }).await.unwrap();
        assert_eq!(response.into_inner().status(), ServingStatus::Serving);
    }
}

/// The two versions of reflection differ in their package only.
macro_rules! reflected_services {
    ($version:ident, $channel:expr) => {{
        use tonic_reflection::pb::$version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let list = MessageRequest::ListServices(String::new());
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(list) };
        let mut client = ServerReflectionClient::new($channel);
        let mut responses = client.server_reflection_info(once(request)).await.unwrap().into_inner();
        match responses.next().await.unwrap().unwrap().message_response.unwrap() {
            MessageResponse::ListServicesResponse(list) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    }};
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    let server = Server::start().await;
    for services in [
        reflected_services!(v1, server.channel().await),
        reflected_services!(v1alpha, server.channel().await),
    ] {
        assert!(services.iter().any(|name| name == SERVICE), "{services:?}");
        assert!(services.iter().any(|name| name == "grpc.health.v1.Health"), "{services:?}");
    }
}

#[test]
fn the_descriptor_set_is_the_one_of_the_service() {
    let set = FileDescriptorSet::decode(oddswire_ingest::proto::DESCRIPTOR_SET).unwrap();
    let [file] = &set.file[..] else { panic!("{} files", set.file.len()) };
    assert_eq!((file.package(), file.service[0].name()), ("oddswire.ingest.v1", "IngestService"));
}
