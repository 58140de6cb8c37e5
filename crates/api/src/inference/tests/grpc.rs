//! Calls over gRPC, with the generated client.

use bytes::Bytes;
use futures::StreamExt as _;
use protocol::inference::{
    self as pb, grpc_inference_service_client::GrpcInferenceServiceClient as Client, infer_parameter::ParameterChoice,
};
use tonic::{Code, Request, transport::Channel};
use types::Role;

use super::Servers;

async fn client(servers: &Servers) -> Client<Channel> {
    let channel = Channel::from_shared(format!("http://{}", servers.grpc)).unwrap();
    Client::new(channel.connect().await.unwrap())
}

fn row(contents: Option<pb::InferTensorContents>, raw: Vec<Bytes>) -> pb::ModelInferRequest {
    let input = pb::model_infer_request::InferInputTensor {
        name: "input".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 2],
        contents,
        ..Default::default()
    };
    pb::ModelInferRequest {
        model_name: "ranker".to_owned(),
        id: "r-1".to_owned(),
        inputs: vec![input],
        raw_input_contents: raw,
        ..Default::default()
    }
}

fn raw() -> pb::ModelInferRequest {
    row(None, vec![[1.0_f32, 2.5].iter().flat_map(|element| element.to_le_bytes()).collect()])
}

#[tokio::test]
async fn raw_and_typed_contents_are_answered_alike() {
    let servers = Servers::start(true).await;
    let mut client = client(&servers).await;
    let typed = pb::InferTensorContents { fp32_contents: vec![1.0, 2.5], ..Default::default() };
    for request in [raw(), row(Some(typed), vec![])] {
        let answer = client.model_infer(request).await.unwrap().into_inner();
        assert_eq!((answer.id.as_str(), answer.model_version.as_str()), ("r-1", "1"));
        assert_eq!(answer.raw_output_contents, [Bytes::copy_from_slice(&1003.5_f64.to_le_bytes())]);
        let id = answer.parameters["prediction_id"].parameter_choice.clone();
        let logged = servers.predictions.take().remove(0).id.request.to_string();
        assert_eq!(id, Some(ParameterChoice::StringParam(logged)));
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_a_request_that_was_refused() {
    let servers = Servers::start(true).await;
    let mut client = client(&servers).await;
    let refused = pb::ModelInferRequest { model_name: "nobody".to_owned(), ..raw() };
    let requests = futures::stream::iter([raw(), refused, raw()]);
    let answers = client.model_stream_infer(requests).await.unwrap().into_inner();
    let errors: Vec<String> = answers.map(|answer| answer.unwrap().error_message).collect().await;
    assert_eq!(errors, ["", "unknown model `nobody`: it has no release here", ""]);
}

#[tokio::test]
async fn refusals_have_the_status_of_their_kind() {
    let servers = Servers::start(true).await;
    let mut client = client(&servers).await;
    let unknown = pb::ModelInferRequest { model_name: "nobody".to_owned(), ..raw() };
    let version = pb::ModelInferRequest { model_version: "x".to_owned(), ..raw() };
    let not_open = pb::ModelInferRequest { model_version: "2".to_owned(), ..raw() };
    let cut_off = row(None, vec![Bytes::from_static(&[0])]);
    let two = row(None, vec![Bytes::new(), Bytes::new()]);
    for (request, code, said) in [
        (unknown, Code::NotFound, "nobody"),
        (version, Code::InvalidArgument, "model version `x`"),
        (not_open, Code::PermissionDenied, "naming version 2 of model `ranker` needs a token"),
        (cut_off, Code::InvalidArgument, "input `input` has malformed FP32 data"),
        (two, Code::InvalidArgument, "2 raw contents for 1 inputs"),
        (row(None, vec![]), Code::InvalidArgument, "input `input` has no contents"),
    ] {
        let status = client.model_infer(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(said), "{status}");
    }
    let region = pb::SystemSharedMemoryRegisterRequest::default();
    assert_eq!(client.system_shared_memory_register(region).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn where_tokens_are_needed_only_health_answers_without_one() {
    let servers = Servers::start(false).await;
    let mut client = client(&servers).await;
    assert!(client.server_ready(pb::ServerReadyRequest {}).await.unwrap().into_inner().ready);
    assert_eq!(client.model_infer(raw()).await.unwrap_err().code(), Code::Unauthenticated);
    let token = format!("Bearer {}", servers.token(Role::Viewer).await);
    let mut shown = Request::new(raw());
    shown.metadata_mut().insert("authorization", token.parse().unwrap());
    client.model_infer(shown).await.unwrap();
    let mut naming = Request::new(pb::ModelInferRequest { model_version: "2".to_owned(), ..raw() });
    naming.metadata_mut().insert("authorization", token.parse().unwrap());
    assert_eq!(client.model_infer(naming).await.unwrap().into_inner().model_version, "2");
    let unload = pb::RepositoryModelUnloadRequest { model_name: "ranker".to_owned(), ..Default::default() };
    let mut unload = Request::new(unload);
    unload.metadata_mut().insert("authorization", token.parse().unwrap());
    assert_eq!(client.repository_model_unload(unload).await.unwrap_err().code(), Code::PermissionDenied);
}
