//! Several services on one port, by the first part of the path.
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tower::Service;
use tower::util::{BoxCloneSyncService, ServiceExt};

type Handler = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// The services of one side.
#[derive(Clone, Default)]
pub(super) struct Routes(Arc<Vec<(&'static str, Handler)>>);

impl Routes {
    pub(super) fn with<S>(self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        let mut services = Arc::unwrap_or_clone(self.0);
        services.push((S::NAME, BoxCloneSyncService::new(service)));
        Routes(Arc::new(services))
    }
}

impl Service<Request<Body>> for Routes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let name = request.uri().path().split('/').nth(1).unwrap_or_default();
        let handler = self.0.iter().find(|(known, _)| *known == name).map(|(_, handler)| handler.clone());
        match handler {
            Some(handler) => Box::pin(handler.oneshot(request)),
            None => Box::pin(async { Ok(Status::unimplemented("no such service").into_http()) }),
        }
    }
}
