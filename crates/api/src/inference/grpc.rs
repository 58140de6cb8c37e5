//! The protocol over gRPC.

mod messages;

use axum::{
    extract::{Request as HttpRequest, State},
    middleware::{self, Next},
    response::Response as HttpResponse,
};
use futures::StreamExt as _;
use protocol::inference::{self as pb, grpc_inference_service_server as server};
use serving::{InferRequest, Service};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, codec::CompressionEncoding, codegen::BoxStream, service::Routes};
use types::{ErrorKind, Principal, Role};

use super::{
    EXTENSIONS, InferenceState, LARGEST_BODY, NO_LOGGING, NO_SHARED_MEMORY, NO_TRACING, SERVER_NAME,
    admin::{self, TRACE_SETTINGS},
    config, version_number,
};
use crate::{
    auth::Gate,
    error::{Error, grpc_code},
    routes::Access,
};

/// Serves the protocol on `listener` until `shutdown` resolves and the calls in flight are answered. Each call passes
/// `gate` first.
///
/// # Errors
/// When the listener fails.
pub async fn serve_grpc(
    listener: TcpListener,
    state: InferenceState,
    gate: Gate,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let service = server::GrpcInferenceServiceServer::new(Calls { state })
        .max_decoding_message_size(LARGEST_BODY)
        .max_encoding_message_size(usize::MAX)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Deflate);
    let router = Routes::new(service).into_axum_router().layer(middleware::from_fn_with_state(gate, admit));
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown)
        .await
}

/// What a call needs. Health is open; whatever is not known needs at least a viewer, who is then told so.
fn access(path: &str) -> Access {
    match path.rsplit('/').next().unwrap_or_default() {
        "ServerLive" | "ServerReady" | "ServerMetadata" => Access::Open,
        "RepositoryModelLoad" | "RepositoryModelUnload" => Access::Role(Role::Operator),
        _ => Access::Role(Role::Viewer),
    }
}

async fn admit(State(gate): State<Gate>, mut request: HttpRequest, next: Next) -> HttpResponse {
    match gate.admit(request.headers(), access(request.uri().path())).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => status(error).into_http(),
    }
}

fn status(error: Error) -> Status {
    Status::new(grpc_code(error.kind), error.message)
}

fn failed(error: serving::Error) -> Status {
    status(Error::from(error))
}

/// The calls.
#[derive(Debug, Clone)]
struct Calls {
    state: InferenceState,
}

impl Calls {
    fn serving(&self) -> &Service {
        &self.state.serving
    }

    async fn infer(
        self,
        request: pb::ModelInferRequest,
        principal: Principal,
    ) -> Result<pb::ModelInferResponse, Status> {
        let version = version_number(&request.model_version).map_err(status)?;
        let id = (!request.id.is_empty()).then(|| request.id.clone());
        let model = request.model_name.clone();
        let outputs = messages::wanted(&request).map_err(status)?;
        let inputs = messages::inputs(request).map_err(status)?;
        let request = InferRequest { id, model, version, inputs, outputs, principal };
        self.serving().infer(request).await.map(messages::answer).map_err(failed)
    }
}

/// Whom the gate let in.
fn principal<T>(request: &Request<T>) -> Result<Principal, Status> {
    let principal = request.extensions().get::<Principal>().cloned();
    principal.ok_or_else(|| Status::unauthenticated("the call did not pass the gate"))
}

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl server::GrpcInferenceService for Calls {
    async fn server_live(&self, _: Request<pb::ServerLiveRequest>) -> Reply<pb::ServerLiveResponse> {
        Ok(Response::new(pb::ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<pb::ServerReadyRequest>) -> Reply<pb::ServerReadyResponse> {
        Ok(Response::new(pb::ServerReadyResponse { ready: self.serving().is_ready() }))
    }

    async fn model_ready(&self, request: Request<pb::ModelReadyRequest>) -> Reply<pb::ModelReadyResponse> {
        let pb::ModelReadyRequest { name, version } = request.into_inner();
        let ready = self.serving().ready(&name, version_number(&version).map_err(status)?).is_ok();
        Ok(Response::new(pb::ModelReadyResponse { ready }))
    }

    async fn server_metadata(&self, _: Request<pb::ServerMetadataRequest>) -> Reply<pb::ServerMetadataResponse> {
        Ok(Response::new(pb::ServerMetadataResponse {
            name: SERVER_NAME.to_owned(),
            version: self.state.version.to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
        }))
    }

    async fn model_metadata(&self, request: Request<pb::ModelMetadataRequest>) -> Reply<pb::ModelMetadataResponse> {
        let pb::ModelMetadataRequest { name, version } = request.into_inner();
        let version = version_number(&version).map_err(status)?;
        self.serving()
            .metadata(&name, version)
            .map(|metadata| Response::new(messages::metadata(metadata)))
            .map_err(failed)
    }

    async fn model_config(&self, request: Request<pb::ModelConfigRequest>) -> Reply<pb::ModelConfigResponse> {
        let pb::ModelConfigRequest { name, version } = request.into_inner();
        let metadata = self.serving().metadata(&name, version_number(&version).map_err(status)?).map_err(failed)?;
        Ok(Response::new(pb::ModelConfigResponse { config: Some(config::model_config(&metadata)) }))
    }

    async fn model_statistics(
        &self,
        request: Request<pb::ModelStatisticsRequest>,
    ) -> Reply<pb::ModelStatisticsResponse> {
        let pb::ModelStatisticsRequest { name, version } = request.into_inner();
        let version = version_number(&version).map_err(status)?;
        let of = (!name.is_empty()).then_some(name.as_str());
        let statistics = self.serving().statistics(of, version).map_err(failed)?;
        let model_stats = statistics.iter().map(config::statistics).collect();
        Ok(Response::new(pb::ModelStatisticsResponse { model_stats }))
    }

    async fn model_infer(&self, request: Request<pb::ModelInferRequest>) -> Reply<pb::ModelInferResponse> {
        let principal = principal(&request)?;
        self.clone().infer(request.into_inner(), principal).await.map(Response::new)
    }

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<pb::ModelInferRequest>>,
    ) -> Reply<BoxStream<pb::ModelStreamInferResponse>> {
        let principal = principal(&request)?;
        let calls = self.clone();
        let answers = request.into_inner().then(move |request| {
            let (calls, principal) = (calls.clone(), principal.clone());
            async move {
                let request = request?;
                let id = request.id.clone();
                Ok(match calls.infer(request, principal).await {
                    Ok(response) => messages::streamed(response),
                    Err(error) => messages::stream_failure(id, error.message()),
                })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn repository_index(
        &self,
        request: Request<pb::RepositoryIndexRequest>,
    ) -> Reply<pb::RepositoryIndexResponse> {
        let row = |row: admin::Indexed| pb::repository_index_response::ModelIndex {
            name: row.name,
            version: row.version,
            state: row.state.to_owned(),
            reason: row.reason,
        };
        let models = admin::indexed(&self.state, request.into_inner().ready).into_iter().map(row).collect();
        Ok(Response::new(pb::RepositoryIndexResponse { models }))
    }

    async fn repository_model_load(
        &self,
        request: Request<pb::RepositoryModelLoadRequest>,
    ) -> Reply<pb::RepositoryModelLoadResponse> {
        let request = request.into_inner();
        admin::refuse_overrides(request.parameters.keys()).map_err(status)?;
        self.serving().load(&request.model_name).await.map_err(failed)?;
        Ok(Response::new(pb::RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<pb::RepositoryModelUnloadRequest>,
    ) -> Reply<pb::RepositoryModelUnloadResponse> {
        self.serving().unload(&request.into_inner().model_name).map_err(failed)?;
        Ok(Response::new(pb::RepositoryModelUnloadResponse {}))
    }

    async fn system_shared_memory_status(
        &self,
        _: Request<pb::SystemSharedMemoryStatusRequest>,
    ) -> Reply<pb::SystemSharedMemoryStatusResponse> {
        Ok(Response::new(pb::SystemSharedMemoryStatusResponse::default()))
    }

    async fn system_shared_memory_register(
        &self,
        _: Request<pb::SystemSharedMemoryRegisterRequest>,
    ) -> Reply<pb::SystemSharedMemoryRegisterResponse> {
        Err(Status::unimplemented(NO_SHARED_MEMORY))
    }

    async fn system_shared_memory_unregister(
        &self,
        _: Request<pb::SystemSharedMemoryUnregisterRequest>,
    ) -> Reply<pb::SystemSharedMemoryUnregisterResponse> {
        Ok(Response::new(pb::SystemSharedMemoryUnregisterResponse {}))
    }

    async fn cuda_shared_memory_status(
        &self,
        _: Request<pb::CudaSharedMemoryStatusRequest>,
    ) -> Reply<pb::CudaSharedMemoryStatusResponse> {
        Ok(Response::new(pb::CudaSharedMemoryStatusResponse::default()))
    }

    async fn cuda_shared_memory_register(
        &self,
        _: Request<pb::CudaSharedMemoryRegisterRequest>,
    ) -> Reply<pb::CudaSharedMemoryRegisterResponse> {
        Err(Status::unimplemented(NO_SHARED_MEMORY))
    }

    async fn cuda_shared_memory_unregister(
        &self,
        _: Request<pb::CudaSharedMemoryUnregisterRequest>,
    ) -> Reply<pb::CudaSharedMemoryUnregisterResponse> {
        Ok(Response::new(pb::CudaSharedMemoryUnregisterResponse {}))
    }

    async fn trace_setting(&self, request: Request<pb::TraceSettingRequest>) -> Reply<pb::TraceSettingResponse> {
        if !request.into_inner().settings.is_empty() {
            return Err(status(Error::new(ErrorKind::Unimplemented, NO_TRACING)));
        }
        let setting = |(name, value): (&str, &str)| {
            (name.to_owned(), pb::trace_setting_response::SettingValue { value: vec![value.to_owned()] })
        };
        Ok(Response::new(pb::TraceSettingResponse { settings: TRACE_SETTINGS.into_iter().map(setting).collect() }))
    }

    async fn log_settings(&self, request: Request<pb::LogSettingsRequest>) -> Reply<pb::LogSettingsResponse> {
        if !request.into_inner().settings.is_empty() {
            return Err(status(Error::new(ErrorKind::Unimplemented, NO_LOGGING)));
        }
        Ok(Response::new(messages::log_settings()))
    }
}
